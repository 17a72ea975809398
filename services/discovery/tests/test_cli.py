from __future__ import annotations

import json

import pytest

from domicile_discovery.cli import main

POLICY = '{"region_lock": ["EU"], "replica_count": 2, "spread": "country"}'


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    for name in ("DOMICILE_METADATA_URL", "ADMIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def run(capsys, *arguments):
    status = main(arguments)
    output, errors = capsys.readouterr()
    return status, json.loads(output) if output else None, errors


def test_a_check_needs_nothing_but_the_catalogue(capsys):
    status, answer, errors = run(capsys, "sovereignty", "check", POLICY, "--feature", "object_lock", "--limit", "2")
    assert (status, len(answer["placements"]), errors) == (0, 2, "")
    assert len(answer["placements"][0]["countries"]) == 2


def test_a_policy_may_come_from_a_file(capsys, tmp_path):
    (tmp_path / "policy.json").write_text(POLICY)
    assert run(capsys, "sovereignty", "check", f"@{tmp_path}/policy.json")[0] == 0
    status, answer, errors = run(capsys, "sovereignty", "check", f"@{tmp_path}/nothing.json")
    assert (status, answer, "No such file" in errors) == (2, None, True)


def test_what_no_place_satisfies_ends_with_status_1(capsys):
    status, answer, errors = run(capsys, "sovereignty", "check", '{"region_lock": ["AQ"]}')
    assert (status, answer["placements"], "region_lock" in errors or "replicas" in errors) == (1, [], True)


@pytest.mark.parametrize("policy", ["{", "[]", '{"nonsense": 1}', '{"region_lock": ["XX"]}'])
def test_a_bad_policy_is_told_in_one_line(capsys, policy):
    status, answer, errors = run(capsys, "sovereignty", "check", policy)
    assert (status, answer, errors.count("\n"), "Traceback" in errors) == (1, None, 1, False)


def test_the_catalogue_is_shown(capsys):
    _, answer, _ = run(capsys, "sovereignty", "catalogue")
    assert "ovhcloud" in {provider["provider"] for provider in answer["providers"]}


@pytest.mark.parametrize(
    "arguments",
    [("snapshots", "list"), ("snapshots", "plan", "0" * 32, "{}"), ("sovereignty", "check", "{}", "--among", "backends")],
)
def test_what_metadata_knows_needs_to_be_told_where_it_is(capsys, arguments):
    status, _, errors = run(capsys, *arguments)
    assert (status, errors) == (2, "cli: DOMICILE_METADATA_URL and ADMIN_API_KEY must be set\n")


def test_an_id_that_is_none_is_a_wrong_call(capsys, monkeypatch):
    monkeypatch.setenv("DOMICILE_METADATA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ADMIN_API_KEY", "x")
    assert run(capsys, "snapshots", "show", "../tenants")[0] == 2
