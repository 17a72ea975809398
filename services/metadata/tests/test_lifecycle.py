"""Lifecycle rules at work: what goes, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domicile_common.bucket_settings import BucketSettings, LifecycleFilter, LifecycleRule
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import (
    Begin,
    ChangeBucket,
    ChangeVersion,
    CreateBucket,
    Delete,
    FindUpload,
    ListVersions,
    Locate,
    PutVersioning,
)
from domicile_common.model import Facts, Lock
from domicile_metadata import lifecycle
from domicile_metadata.domain.expiry import Candidate, expires_current, removes
from domicile_metadata.lifecycle import clocks_agree
from domicile_metadata.storage import lifecycle as storage

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def candidate(key: str = "k", **changes) -> Candidate:
    fields = {"version_id": "0" * 32, "is_null": True, "committed_at": NOW - timedelta(days=10), "size": 5, "tags": {}}
    return Candidate(key, **(fields | changes))


def rule(**fields) -> LifecycleRule:
    return LifecycleRule(rule_id="r", enabled=True, **fields)


@pytest.mark.parametrize(
    ("fields", "changes", "outcome"),
    [
        ({"expire_days": 9}, {}, True),
        ({"expire_days": 10}, {}, False),  # it is due at the next midnight
        ({"expire_date": datetime(2026, 6, 15, tzinfo=UTC)}, {"committed_at": NOW}, True),
        ({"expire_date": datetime(2026, 6, 16, tzinfo=UTC)}, {}, False),
        ({"expire_days": 1, "filter": LifecycleFilter(prefix="a/")}, {}, False),
        ({"expire_days": 1, "filter": LifecycleFilter(prefix="k")}, {}, True),
        ({"expire_days": 1, "filter": LifecycleFilter(larger_than=5)}, {}, False),
        ({"expire_days": 1, "filter": LifecycleFilter(larger_than=4, smaller_than=6)}, {}, True),
        ({"expire_days": 1, "filter": LifecycleFilter(smaller_than=5)}, {}, False),
        ({"expire_days": 1, "filter": LifecycleFilter(tags={"a": "1"})}, {"tags": {"a": "1", "b": "2"}}, True),
        ({"expire_days": 1, "filter": LifecycleFilter(tags={"a": "1"})}, {"tags": {"a": "2"}}, False),
        ({"noncurrent_days": 1}, {}, False),
    ],
)
def test_current_versions(fields, changes, outcome):
    assert expires_current(rule(**fields), candidate(**changes), NOW) is outcome


OLD = {"successor_at": NOW - timedelta(days=10)}
LONE = {"is_delete_marker": True, "is_oldest": True}


@pytest.mark.parametrize(
    ("fields", "changes", "outcome"),
    [
        ({"noncurrent_days": 9}, OLD, True),
        ({"noncurrent_days": 10}, OLD, False),
        ({"noncurrent_days": 1}, {}, False),
        ({"noncurrent_days": 1}, OLD | LONE, True),
        ({"noncurrent_days": 1, "noncurrent_keep": 2}, OLD | {"newer": 1}, False),
        ({"noncurrent_days": 1, "noncurrent_keep": 2}, OLD | {"newer": 2}, True),
        ({"noncurrent_days": 1, "filter": LifecycleFilter(prefix="a/")}, OLD, False),
        ({"expire_lone_markers": True}, LONE, True),
        ({"expire_lone_markers": True}, LONE | {"is_oldest": False}, False),
        ({"expire_lone_markers": True}, {"is_oldest": True}, False),
        ({"expire_lone_markers": False}, LONE, False),
        ({"expire_days": 9}, LONE, True),
        ({"expire_days": 10}, LONE, False),
        ({"expire_days": 9}, {}, False),  # what is current expires otherwise
    ],
)
def test_old_versions_and_markers(fields, changes, outcome):
    assert removes(rule(**fields), candidate(**changes), NOW) is outcome


# --- against PostgreSQL ---


@pytest.fixture
def later(metadata):
    """The same service, so many days later."""

    def after(days: float):
        context = metadata.context
        return replace(context, clock=lambda: datetime.now(UTC) + timedelta(days=days))

    return after


@pytest.mark.servers
async def test_nothing_expires_by_a_clock_that_is_wrong(metadata, later):
    assert await clocks_agree(metadata.context)
    assert not await clocks_agree(later(1))
    assert not await clocks_agree(later(-1))


async def set_rules(metadata, bucket, *rules: LifecycleRule) -> None:
    await metadata.ask(ChangeBucket(bucket_id=bucket.bucket_id, put=BucketSettings(lifecycle=rules)))


async def keys(metadata, bucket) -> list[str]:
    page = await metadata.ask(ListVersions(bucket_id=bucket.bucket_id))
    return [f"{it.object.key}{'-' if it.is_delete_marker else ''}" for it in page.versions]


@pytest.mark.servers
async def test_objects_expire(metadata, later, monkeypatch):
    monkeypatch.setattr(lifecycle, "PAGE", 2)
    bucket = await metadata.make_bucket()
    for key in ("a/1", "a/2", "a/3", "b/1"):
        await metadata.put(bucket, key)
    await metadata.put(bucket, "c", facts=Facts(tags={"gone": "soon"}))
    await set_rules(
        metadata,
        bucket,
        rule(expire_days=1, filter=LifecycleFilter(prefix="a/")),
        LifecycleRule(rule_id="t", enabled=True, expire_days=1, filter=LifecycleFilter(tags={"gone": "soon"})),
        LifecycleRule(rule_id="off", enabled=False, expire_days=1),
    )
    assert await lifecycle.work_through(later(0)) == 0
    assert await lifecycle.work_through(later(2)) == 4
    assert await keys(metadata, bucket) == ["b/1"]
    assert await lifecycle.work_through(later(2)) == 0


@pytest.mark.servers
async def test_what_is_written_meanwhile_stays(metadata, later, monkeypatch):
    bucket = await metadata.make_bucket()
    await metadata.put(bucket, "k")
    await set_rules(metadata, bucket, rule(expire_days=1))
    scan = storage.scan_current

    async def then_overwrite(*args):
        page = await scan(*args)
        if page:
            await metadata.put(bucket, "k", md5="1" * 32)
        return page

    monkeypatch.setattr(lifecycle.lifecycle, "scan_current", then_overwrite)
    assert await lifecycle.work_through(later(2)) == 0
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version.digest.md5 == "1" * 32


@pytest.mark.servers
async def test_versions_expire_in_turn(metadata, later, monkeypatch):
    monkeypatch.setattr(lifecycle, "PAGE", 2)
    bucket = await metadata.make_bucket()
    await metadata.put(bucket, "k")
    await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning="enabled"))
    for _ in range(3):
        await metadata.put(bucket, "k")
    await metadata.put(bucket, "l")
    await set_rules(metadata, bucket, rule(noncurrent_days=1, noncurrent_keep=1))
    assert await lifecycle.work_through(later(2)) == 2  # two of three noncurrent ones, the null version among them
    assert await keys(metadata, bucket) == ["k", "k", "l"]
    await set_rules(metadata, bucket, rule(expire_days=1))
    assert await lifecycle.work_through(later(2)) == 2
    assert await keys(metadata, bucket) == ["k-", "k", "k", "l-", "l"]
    await set_rules(metadata, bucket, rule(noncurrent_days=1), LifecycleRule(rule_id="m", enabled=True, expire_lone_markers=True))
    assert await lifecycle.work_through(later(4)) == 5
    assert await keys(metadata, bucket) == []


@pytest.mark.servers
async def test_a_suspended_buckets_objects_are_hidden(metadata, later):
    bucket = await metadata.make_bucket()
    await metadata.put(bucket, "k")
    await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning="suspended"))
    await set_rules(metadata, bucket, rule(expire_date=datetime(2020, 1, 1, tzinfo=UTC)))
    assert await lifecycle.work_through(later(0)) == 1
    assert await keys(metadata, bucket) == ["k-"]


@pytest.mark.servers
async def test_a_locked_version_stays(metadata, later):
    bucket = await metadata.ask(CreateBucket(tenant_id="acme", name="vault", object_lock=True))
    await metadata.put(bucket, "k")
    await metadata.ask(
        ChangeVersion(bucket_id=bucket.bucket_id, key="k", retention=Lock("GOVERNANCE", datetime(2999, 1, 1, tzinfo=UTC)))
    )
    await metadata.put(bucket, "k")
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    await set_rules(metadata, bucket, rule(noncurrent_days=1))
    assert await lifecycle.work_through(later(3)) == 1
    assert await keys(metadata, bucket) == ["k-", "k"]


@pytest.mark.servers
async def test_unfinished_uploads_end(metadata, later):
    bucket = await metadata.make_bucket()
    ids = {
        key: (await metadata.ask(Begin(bucket_id=bucket.bucket_id, key=key, upload=True))).version_id for key in ("a/1", "b/1")
    }
    await set_rules(metadata, bucket, rule(abort_days=1, filter=LifecycleFilter(prefix="a/")))
    assert await lifecycle.work_through(later(0)) == 0
    assert await lifecycle.work_through(later(2)) == 1
    with pytest.raises(RequestError, match="NoSuchUpload"):
        await metadata.ask(FindUpload(bucket_id=bucket.bucket_id, key="a/1", upload_id=ids["a/1"]))
    await metadata.ask(FindUpload(bucket_id=bucket.bucket_id, key="b/1", upload_id=ids["b/1"]))
