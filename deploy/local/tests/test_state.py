from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from domicile_local.errors import SuiteError
from domicile_local.servers.reach import S3Backend
from domicile_local.settings import backends_in
from domicile_local.state import State, backend_lines, is_running, locked, read_run_env, write_run_env


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_and_keys_survive_the_run_and_only_we_can_read_them(tmp_path):
    first = State(tmp_path)
    made = (first.secret("ADMIN_API_KEY"), first.backend_key("fi"), first.tenant_key("demo"))
    again = State(tmp_path)
    assert (again.secret("ADMIN_API_KEY"), again.backend_key("fi"), again.tenant_key("demo")) == made
    assert mode(tmp_path / "secrets.json") == 0o600
    assert made[1].secret_key not in repr(made[1])


def test_damaged_secrets_are_named_and_kept(tmp_path):
    (tmp_path / "secrets.json").write_text('{"secrets": {"ADMIN_API_KEY')
    with pytest.raises(SuiteError, match=r"secrets\.json is damaged .* only it opens the data in"):
        State(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == '{"secrets": {"ADMIN_API_KEY'


def test_every_secret_is_another(tmp_path):
    state = State(tmp_path)
    assert (
        len({state.secret("A"), state.secret("B"), state.backend_key("fi").secret_key, state.backend_key("de").secret_key}) == 4
    )


@pytest.mark.parametrize("value", ["plain", "two words", "quote'd", 'double"d', "dollar$HOME", "a=b#c", "back\\slash"])
def test_run_env_reads_the_same_in_a_shell_and_here(tmp_path, value):
    path = tmp_path / "run.env"
    write_run_env(path, {"NAME": value})
    assert mode(path) == 0o600
    assert read_run_env(path) == {"NAME": value}
    shell = subprocess.run(["sh", "-c", f'. {path}; printf %s "$NAME"'], capture_output=True, text=True, check=True)
    assert shell.stdout == value


def test_no_run_env_is_a_clear_message(tmp_path):
    with pytest.raises(SuiteError, match="No suite is ready"):
        read_run_env(tmp_path / "run.env")


def test_a_folder_belongs_to_one_suite_at_a_time(tmp_path):
    assert not is_running(tmp_path)
    with locked(tmp_path):
        assert is_running(tmp_path)
        code = (
            "import sys, pathlib; from domicile_local.state import locked\n"
            "try:\n  with locked(pathlib.Path(sys.argv[1])): pass\nexcept Exception as error: print(type(error).__name__)"
        )
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert other.stdout.strip() == "SuiteError"
    assert not is_running(tmp_path)


def test_backends_are_seaweedfs_unless_something_else_was_said(tmp_path):
    assert State(tmp_path).backend_kind(None) == "seaweedfs"


def test_a_folder_stays_with_the_backends_that_its_data_lies_on(tmp_path):
    assert State(tmp_path).backend_kind("rclone") == "rclone"
    assert State(tmp_path).backend_kind(None) == "rclone"
    with pytest.raises(SuiteError, match="lies on rclone backends"):
        State(tmp_path).backend_kind("ceph")


def test_a_folder_that_was_never_locked_describes_a_suite_that_others_run(tmp_path):
    assert not is_running(tmp_path)
    write_run_env(tmp_path / "run.env", {})
    assert is_running(tmp_path)
    with locked(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)  # what is left of our own suite says nothing


def test_backends_are_read_as_they_were_written():
    backends = (
        S3Backend("de", "DE", "http://127.0.0.1:1", "key", "secret"),
        S3Backend("fi-2", "FI", "http://127.0.0.1:2", "key", "secret"),
    )
    assert backends_in(backend_lines(backends)) == backends
