"""The command where it gets no answer: what it says, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from domicile_client.cli.main import run


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    for name in ("DOMICILE_METADATA_URL", "DOMICILE_DISCOVERY_URL", "DOMICILE_TOKEN", "DOMICILE_CA_FILE", "TLS_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ADMIN_API_KEY", "key")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backends", "nonsense"], "No such command 'nonsense'. See domicile backends --help."),
        (["jobs", "list", "--nonsense"], "No such option: --nonsense. See domicile jobs list --help."),
        (["jobs", "list", "a/b/c"], "a tenant, or tenant/bucket. See domicile jobs list --help."),
        (["--url", "metadata:9010", "status"], "metadata:9010 is no address: it does not begin with http:// or https://"),
        (["sovereignty", "catalogue"], "this needs the address of the discovery service"),
    ],
)
def test_a_wrong_call_says_what_is_right(capsys, arguments, says):
    assert run(arguments) == 2
    output, errors = capsys.readouterr()
    assert (output, errors.count("\n")) == ("", 1)
    assert errors.rstrip().endswith(says)


@pytest.mark.parametrize(
    "option", [["--ca-file", "no.pem"], ["--certificate-file", "no.pem", "--certificate-key-file", "no.pem"]]
)
def test_what_is_no_certificate_is_named(tmp_path, capsys, option):
    (tmp_path / "no.pem").write_text("no certificate")
    assert run([*option, "status"]) == 2
    assert f"{tmp_path / 'no.pem'}: no certificates in PEM" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--version"], ["tenants", "list", "--help"]])
def test_an_answer_that_cannot_be_written_is_one_line(options):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "domicile_client", *options], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "domicile: standard output: No space left on device\n")
