from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domicile_local.errors import SuiteError
from domicile_local.servers.process import Child, Program, run, write_private


def program(tmp_path, code, **more):
    return Program(name="it", argv=[sys.executable, "-c", code], log=tmp_path / "logs" / "it.log", cwd=tmp_path, **more)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_ends_before_it_is_ready_says_why(tmp_path):
    child = Child(program(tmp_path, "import sys; print('no disk left'); sys.exit(3)"))
    with pytest.raises(SuiteError, match=r"it ended with exit code 3(.|\n)*no disk left"):
        child.wait_until(lambda: False, 20)


def test_a_killed_child_names_the_signal(tmp_path):
    child = Child(program(tmp_path, "import time; time.sleep(60)"))
    child.kill()
    assert "was killed by SIGKILL" in child.died()


def test_a_child_that_is_never_ready_is_given_up(tmp_path):
    child = Child(program(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(SuiteError, match="was not ready after 0 s"):
        child.wait_until(lambda: False, 0.1)
    child.kill()


def test_a_child_is_asked_before_it_is_killed(tmp_path):
    ends = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(60)"
    )
    child = Child(program(tmp_path, ends))
    until(lambda: "up" in child.last_words())
    child.stop()
    assert "exit code 0" in child.died()


def test_a_deaf_child_and_its_children_are_killed(tmp_path):
    deaf = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('child', subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    )
    child = Child(program(tmp_path, deaf, patience=0.2))
    until(lambda: "child" in child.last_words())
    grandchild = int(child.last_words().split()[-1])
    child.stop()
    assert "SIGKILL" in child.died()
    until(lambda: gone(grandchild) or _is_zombie(grandchild))


def _is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_child_dies_with_its_parent_even_when_that_is_killed(tmp_path):
    parent = (
        "import sys, time, pathlib; from domicile_local.servers.process import Child, Program\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "child = Child(Program('it', ['sh', '-c', 'echo here; exec sleep 60'], here / 'log', here))\n"
        "while not (here / 'log').read_text(): time.sleep(0.01)\n"  # before, the kernel has not been asked yet
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert not gone(pid)
        process.send_signal(signal.SIGKILL)
        until(lambda: gone(pid) or _is_zombie(pid))


def test_last_words_are_those_of_this_start(tmp_path):
    for word in ("first", "second"):
        child = Child(program(tmp_path, f"print('{word}')"))
        until(lambda child=child: not child.alive)
    assert child.last_words().strip() == "second"


def test_a_server_sees_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for servers")
    assert (
        run([sys.executable, "-c", "import os; print(sorted(os.environ))"], "it", env={"A": "1"}).strip()
        == "['A', 'LANG', 'PATH']"
    )


def test_a_short_command_that_fails_says_what_it_said():
    with pytest.raises(SuiteError, match="Counting failed: no numbers"):
        run(["sh", "-c", "echo no numbers >&2; exit 1"], "Counting")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_root_gives_up_all_but_one_capability_for_a_server():
    seen = run(["sh", "-c", "id -u; grep CapEff /proc/self/status"], "it", unprivileged=True).split()
    assert seen[0] != "0"
    assert int(seen[-1], 16) == 1 << 1  # CAP_DAC_OVERRIDE, see capabilities(7)


def test_private_files_replace_whole_and_stay_private(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
