from __future__ import annotations

import hashlib
import json

import pytest

from domicile_client.certificates import NotGenuineError, verify
from domicile_client.cli.main import run

pytestmark = pytest.mark.servers

ERASED = """
INSERT INTO removals (tenant_id, bucket_id, bucket, key, version_id, backend_id, provider, country, namespace, blob_key, is_confirmed)
SELECT 'acme', bucket_id, 'papers', $1, gen_random_uuid(), 'fi', 'acme-cloud', 'FI', 'ns', $2, $3 FROM buckets WHERE name = 'papers'
"""


@pytest.fixture
async def bucket_id(admin) -> str:
    await admin.prepared()
    return await admin.bucket("papers")


async def erased(admin, key: str | None, *, confirmed: bool = True) -> None:
    await admin.sql.execute(ERASED, key and key.encode(), f"{key}/1", confirmed)


async def certificate(admin, **subject):
    envelope = await admin.call("POST", "/erasures", {"tenant": "acme", **subject})
    public = await admin.call("GET", "/erasures/key")
    return verify(envelope, public["public_key"])


async def test_a_key_that_is_gone(admin, bucket_id):
    await erased(admin, "a/1")
    await erased(admin, "a/2")
    stated = await certificate(admin, bucket="papers", key="a/1")
    assert (stated["format"], stated["complete"], stated["keys"]) == ("domicile-erasure-1", True, "plain")
    assert stated["subject"] == {"tenant": "acme", "bucket": "papers", "key": "a/1", "prefix": None}
    (copy,) = stated["removed"]
    assert (copy["key"], copy["backend_id"], copy["provider"], copy["country"]) == ("a/1", "fi", "acme-cloud", "FI")
    assert (copy["namespace"], copy["blob_key"], copy["is_confirmed"], copy["removed_at"][-1]) == ("ns", "a/1/1", True, "Z")
    assert stated["issued_at"] == "2026-03-04T05:06:07.000Z"


@pytest.mark.parametrize(
    "subject, count", [({"prefix": "a/"}, 2), ({"prefix": ""}, 3), ({}, 3), ({"key": "b"}, 1), ({"key": "c"}, 0)]
)
async def test_prefixes_buckets_and_tenants(admin, bucket_id, subject, count):
    for key in ("a/1", "a/2", "b"):
        await erased(admin, key)
    stated = await certificate(admin, bucket="papers", **subject)
    assert len(stated["removed"]) == count
    assert stated["complete"]
    if not subject:
        assert len((await certificate(admin))["removed"]) == 3


async def test_what_is_left_is_stated(admin, bucket_id):
    await admin.version(bucket_id, "a", fi="verified")
    other = await admin.version(bucket_id, "b", fi="verified", de="deleting")
    await admin.sql.execute("UPDATE replicas SET parked_reason = 'refused: 403' WHERE state = 'deleting'")
    stated = await certificate(admin, bucket="papers", key="a")
    assert (stated["complete"], stated["present"]) == (
        False,
        {"versions": 1, "delete_markers": 0, "bytes": 5, "unfinished_writes": 0},
    )
    stated = await certificate(admin, bucket="papers", prefix="b")
    (owed,) = stated["owed"]
    assert (owed["version_id"], owed["backend_id"], owed["parked_reason"]) == (other, "de", "refused: 403")
    await admin.sql.execute("DELETE FROM objects; DELETE FROM versions")
    assert not (await certificate(admin, bucket="papers"))["complete"]
    await admin.call("POST", "/jobs/drop", {"action": "remove", "reason": "the provider is gone"})
    stated = await certificate(admin, bucket="papers")
    assert (stated["owed"], [left["reason"] for left in stated["left"]], stated["complete"]) == (
        [],
        ["the provider is gone"],
        False,
    )


async def test_what_nobody_can_confirm_is_not_complete(admin, bucket_id):
    await erased(admin, "a", confirmed=False)
    stated = await certificate(admin, bucket="papers", key="a")
    assert (stated["complete"], stated["unconfirmed"], stated["removed"][0]["is_confirmed"]) == (False, 1, False)


async def test_removals_whose_key_is_not_known_may_be_anybodys(admin, bucket_id):
    await erased(admin, None)
    assert (await certificate(admin, bucket="papers", key="a"))["unattributed"] == 1
    assert (await certificate(admin, bucket="papers"))["complete"]


async def test_what_is_owed_of_a_key_that_nobody_knows_may_be_the_subjects(admin, bucket_id):
    await admin.sql.execute(
        "INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at)"
        " VALUES ($1, gen_random_uuid(), 'fi', 'n', 'b', 'deleting', now())",
        bucket_id,
    )
    stated = await certificate(admin, bucket="papers", key="a")
    assert (stated["complete"], stated["unattributed"], stated["owed"]) == (False, 1, [])
    stated = await certificate(admin, bucket="papers")
    assert (stated["complete"], stated["unattributed"], len(stated["owed"])) == (False, 0, 1)


@pytest.mark.parametrize("kind, is_complete", [("unknown", False), ("foreign", True)])
async def test_what_was_found_and_is_not_explained_may_be_the_subjects(admin, bucket_id, kind, is_complete):
    await admin.sql.execute(
        "INSERT INTO findings (kind, task_id, backend_id, namespace, blob_key, tenant_id, bucket, detail, done)"
        " VALUES ($1, gen_random_uuid(), 'fi', 'n', 'b', 'acme', 'papers', 'd', 'reported')",
        kind,
    )
    assert [(await certificate(admin, **asked))["complete"] for asked in ({}, {"bucket": "papers", "key": "a"})] == [
        is_complete
    ] * 2
    assert (await certificate(admin, bucket="others"))["complete"]
    await admin.sql.execute("UPDATE findings SET resolved_at = now()")
    assert (await certificate(admin, bucket="papers"))["complete"]


async def test_keys_may_stand_there_hashed(admin, bucket_id):
    await erased(admin, "anna@example.org")
    envelope = await admin.call(
        "POST", "/erasures", {"tenant": "acme", "bucket": "papers", "key": "anna@example.org", "hash_keys": True}
    )
    assert "anna" not in json.dumps(envelope)
    (copy,) = envelope["certificate"]["removed"]
    assert copy["key"] == envelope["certificate"]["subject"]["key"] == hashlib.sha256(b"anna@example.org").hexdigest()


async def test_many_are_stated_in_several(admin, bucket_id):
    for number in range(5):
        await erased(admin, f"a/{number}")
    seen, after, more = [], 0, True
    while more:
        stated = await certificate(admin, bucket="papers", after=after, limit=2)
        seen += [copy["key"] for copy in stated["removed"]]
        after, more = stated["range"]["to"], stated["range"]["more"]
    assert seen == [f"a/{number}" for number in range(5)]


@pytest.mark.parametrize(
    "status, code, subject",
    [
        (404, "NoSuchTenant", {"tenant": "nobody"}),
        (400, "InvalidArgument", {"tenant": "acme", "key": "a"}),
        (400, "InvalidArgument", {"tenant": "acme", "bucket": "papers", "key": "a", "prefix": "a"}),
        (400, "InvalidArgument", {}),
    ],
)
async def test_subjects_that_cannot_be(admin, bucket_id, status, code, subject):
    await admin.refused(status, code, "POST", "/erasures", subject)


async def test_the_command_line_verifies_alone(admin, bucket_id, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("ADMIN_API_KEY", raising=False)
    await erased(admin, "a")
    envelope = await admin.call("GET", "/erasures", tenant="acme")
    key = envelope["signature"]["public_key"]
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(envelope))
    assert run(["erasures", "verify", str(file), key, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == verify(envelope, key)
    envelope["certificate"]["removed"][0]["country"] = "US"
    file.write_text(json.dumps(envelope))
    assert run(["erasures", "verify", str(file), key, "--json"]) == 1
    assert run(["erasures", "verify", str(tmp_path / "none"), key]) == 2
    with pytest.raises(NotGenuineError):
        verify(envelope, key)
