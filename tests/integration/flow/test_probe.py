"""A backend is probed by a replicator, and what it finds is seen by operators."""

from __future__ import annotations

import json

import pytest

from domicile_client.cli.main import run

pytestmark = pytest.mark.servers


def test_a_probe_is_asked_for_carried_out_and_shown(domicile, monkeypatch, capsys):
    monkeypatch.setenv("DOMICILE_METADATA_URL", domicile.suite.metadata_url)
    monkeypatch.setenv("ADMIN_API_KEY", domicile.suite.admin_key)
    domicile.idle()  # copies that are still owed may make their buckets meanwhile
    before = domicile.namespaces("fi")

    def domicile_command(*arguments):
        code = run([*arguments, "--json"])
        output, errors = capsys.readouterr()
        assert code == 0, errors
        return json.loads(output)

    task = domicile_command("backends", "probe", "fi", "--follow")
    assert (task["state"], task["progress"]["not_carried_out"]) == ("done", 0)
    known = domicile_command("backends", "show", "fi")["capabilities"]
    assert (known["reads_own_writes"], known["multipart"], len(known)) == (True, True, 18)
    (latest,) = domicile_command("backends", "probes", "fi")["probes"]
    assert (latest["capabilities"], latest["changed"], latest["notes"]) == (known, [], {})
    assert domicile.namespaces("fi") == before
