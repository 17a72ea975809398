from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.servers


@pytest.fixture
async def version(admin):
    """Verified in FI, wanted in DE."""
    await admin.prepared()
    return await admin.version(await admin.bucket("papers"), "a/b", fi="verified", de="wanted")


WHICH = {"tenant": "acme", "bucket": "papers", "key": "a/b"}


async def test_what_is_there_is_answered_at_once(admin, version):
    answer = await admin.call("GET", "/wait", **WHICH, copies=1, countries="FI")
    assert (answer["reached"], answer["version_id"], answer["backends"], answer["countries"]) == (True, version, ["fi"], ["FI"])


async def test_a_copy_ends_the_wait_when_it_is_verified(admin, version):
    waiting = [asyncio.create_task(admin.call("GET", "/wait", **WHICH, **asked)) for asked in ({"copies": 2}, {"countries": "DE,FI"}, {"countries": 2})]  # fmt: skip
    await asyncio.sleep(0)
    await admin.sql.execute("UPDATE replicas SET state = 'verified' WHERE backend_id = 'de'")
    for task in waiting:
        assert (await task)["backends"] == ["de", "fi"]


async def test_time_that_is_up_is_no_success(admin, version):
    answer = await admin.call("GET", "/wait", status=408, **WHICH, copies=2, timeout=1, version=version)
    assert (answer["reached"], answer["backends"]) == (False, ["fi"])


async def test_a_version_that_goes_is_not_waited_for(admin, version):
    waiting = asyncio.create_task(admin.client.get("/proxy/wait", params={**WHICH, "copies": "2"}))
    await asyncio.sleep(0)
    await admin.sql.execute("DELETE FROM versions")
    assert (await waiting).status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "InvalidArgument"),
        ({"copies": "0"}, 400, "InvalidArgument"),
        ({"copies": "2", "timeout": "301"}, 400, "InvalidArgument"),
        ({"countries": "UK"}, 400, "InvalidArgument"),
        ({"copies": "1", "key": "c"}, 404, "NoSuchKey"),
        ({"copies": "1", "bucket": "none"}, 404, "NoSuchKey"),
        ({"copies": "1", "version": "null"}, 404, "NoSuchVersion"),
        ({"copies": "1", "version": "0" * 32}, 404, "NoSuchVersion"),
    ],
)
async def test_what_makes_no_sense_is_refused(admin, version, query, status, code):
    await admin.refused(status, code, "GET", "/wait", **(WHICH | query))
