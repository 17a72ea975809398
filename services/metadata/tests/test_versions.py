"""Versions of a key: what PUT and DELETE do to them under each versioning, listed, locked and changed."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import (
    Begin,
    ChangeVersion,
    Condition,
    CreateBucket,
    Delete,
    DeleteBucket,
    Deleted,
    ListObjects,
    ListVersions,
    Locate,
    PutLockConfiguration,
    PutVersioning,
)
from domicile_common.model import DefaultRetention, Facts, Lock
from domicile_metadata.storage.database import QUERIES

pytestmark = pytest.mark.servers

LATER = datetime(2999, 1, 1, tzinfo=UTC)


async def versioned(metadata, name="photos", versioning="enabled"):
    bucket = await metadata.make_bucket(name)
    await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning=versioning))
    return bucket


async def locked_bucket(metadata, name="vault", default=None):
    bucket = await metadata.ask(CreateBucket(tenant_id="acme", name=name, object_lock=True))
    if default:
        await metadata.ask(PutLockConfiguration(bucket_id=bucket.bucket_id, default_retention=default))
    return bucket


async def listed(metadata, bucket, **fields):
    page = await metadata.ask(ListVersions(bucket_id=bucket.bucket_id, **fields))
    return [(it.object.key, it.shown_id, it.is_latest, it.is_delete_marker) for it in page.versions]


async def refused(metadata, request):
    with pytest.raises(RequestError) as error:
        await metadata.ask(request)
    return error.value.code


async def test_every_write_makes_a_version(metadata):
    bucket = await versioned(metadata)
    first, second = [(await metadata.put(bucket, "k", md5=f"{i}" * 32)).version for i in range(2)]
    assert not first.is_null
    for version in (first, second):
        located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k", version_id=version.version_id))
        assert located.version == version
        assert located.replicas
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version == second
    assert await refused(metadata, Locate(bucket_id=bucket.bucket_id, key="k", version_id="null")) == "NoSuchVersion"
    assert (
        await refused(metadata, Locate(bucket_id=bucket.bucket_id, key="other", version_id=first.version_id)) == "NoSuchVersion"
    )


async def test_a_delete_marker_hides_and_its_removal_shows(metadata):
    bucket = await versioned(metadata)
    version = (await metadata.put(bucket, "k")).version
    marker = await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    assert marker.delete_marker
    with pytest.raises(RequestError, match="NoSuchKey") as error:
        await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert error.value.detail["DeleteMarker"] == "true"
    assert error.value.detail["VersionId"] == marker.version_id
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k", version_id=marker.version_id))
    assert located.version.is_delete_marker
    assert (await metadata.ask(ListObjects(bucket_id=bucket.bucket_id))).objects == ()
    assert await metadata.replicas(marker.version_id) == {}
    gone = await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k", version_id=marker.version_id))
    assert gone == Deleted(version_id=marker.version_id, delete_marker=True)
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version == version
    assert set((await metadata.replicas(version.version_id)).values()) == {"verified", "wanted"}


async def test_a_version_removed_by_id_is_gone_with_its_blobs(metadata):
    bucket = await versioned(metadata)
    old, new = [(await metadata.put(bucket, "k")).version for _ in range(2)]
    request = Delete(bucket_id=bucket.bucket_id, key="k", version_id=new.version_id)
    for _ in range(2):
        assert await metadata.ask(request) == Deleted(version_id=new.version_id)
    assert set((await metadata.replicas(new.version_id)).values()) == {"deleting"}
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version == old
    assert await refused(metadata, Delete(bucket_id=bucket.bucket_id, key="k", version_id="?")) == "InvalidArgument"
    assert (await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="x", version_id=old.version_id))).delete_marker is False
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version == old


async def test_a_bucket_with_versions_or_markers_is_not_removed(metadata):
    bucket = await versioned(metadata)
    marker = await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    assert await refused(metadata, DeleteBucket(tenant_id="acme", name="photos")) == "BucketNotEmpty"
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k", version_id=marker.version_id))
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))


async def test_many_deletions_of_one_key_in_one_batch(metadata):
    bucket = await versioned(metadata)
    versions = [(await metadata.put(bucket, "k")).version for _ in range(5)]
    answers = await metadata.ask_all(
        *(Delete(bucket_id=bucket.bucket_id, key="k", version_id=it.version_id) for it in versions[1:]),
        Delete(bucket_id=bucket.bucket_id, key="k"),
        Delete(bucket_id=bucket.bucket_id, key="k"),
        Delete(bucket_id="1" * 32, key="k"),
        Delete(bucket_id=bucket.bucket_id, key="k", version_id="?"),
    )
    assert [answer.version_id for answer in answers[:4]] == [it.version_id for it in versions[1:]]
    assert [answer.code for answer in answers[6:]] == ["NoSuchBucket", "InvalidArgument"]
    assert await listed(metadata, bucket) == [
        ("k", answers[5].version_id, True, True),
        ("k", answers[4].version_id, False, True),
        ("k", versions[0].version_id, False, False),
    ]
    await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning="suspended"))
    await metadata.ask_all(*(Delete(bucket_id=bucket.bucket_id, key="k") for _ in range(3)))
    assert (await listed(metadata, bucket))[0] == ("k", "null", True, True)
    assert len(await listed(metadata, bucket)) == 4


async def test_racing_writes_and_deletes_leave_the_pointer_at_the_newest(metadata):
    bucket = await versioned(metadata)
    intents = [await metadata.begin(bucket, "k") for _ in range(20)]
    work = [metadata.ask_all(metadata.commit(intent)) for intent in intents]
    work += [metadata.ask_all(Delete(bucket_id=bucket.bucket_id, key="k")) for _ in range(10)]
    await asyncio.gather(*work)
    removals = (
        metadata.ask_all(Delete(bucket_id=bucket.bucket_id, key="k", version_id=intent.version_id)) for intent in intents[::2]
    )
    markers = (metadata.ask_all(Delete(bucket_id=bucket.bucket_id, key="k")) for _ in range(3))
    await asyncio.gather(*removals, *markers)
    rows = await metadata.sql("SELECT version_id, is_delete_marker FROM versions ORDER BY seq DESC LIMIT 1")
    pointers = await metadata.sql("SELECT version_id FROM objects")
    assert [row["version_id"] for row in pointers] == [row["version_id"] for row in rows if not row["is_delete_marker"]]


@dataclass
class Model:
    """What S3 does to the versions of one key: a list, newest last, of [shown id, is marker]."""

    versioning: str = "off"
    stack: list[list] = field(default_factory=list)

    def put(self, version_id, *, marker=False):
        if self.versioning != "enabled":
            self.stack = [it for it in self.stack if it[0] != "null"]
        self.stack.append(["null" if self.versioning != "enabled" else version_id, marker])

    def delete(self, version_id):
        if self.versioning == "off":
            self.stack = []
        else:
            self.put(version_id, marker=True)

    def erase(self, shown):
        self.stack = [it for it in self.stack if it[0] != shown]


steps = st.lists(
    st.one_of(
        st.just(("put",)),
        st.just(("delete",)),
        st.tuples(st.just("erase"), st.integers(0, 5)),
        st.tuples(st.just("versioning"), st.sampled_from(["enabled", "suspended"])),
    ),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_a_key_s_versions_are_those_of_the_model(metadata, script):
    bucket = await metadata.make_bucket(f"b{uuid.uuid4().hex}")
    model = Model()
    for step, *args in script:
        if step == "put":
            model.put((await metadata.put(bucket, "k")).version.version_id)
        elif step == "delete":
            model.delete((await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))).version_id)
        elif step == "versioning":
            await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning=args[0]))
            model.versioning = args[0]
        elif args[0] < len(model.stack):
            shown, marker = model.stack[args[0]]
            deleted = await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k", version_id=shown))
            assert (deleted.version_id, deleted.delete_marker) == (shown, marker)
            model.erase(shown)
        expected = [("k", shown, place == 0, marker) for place, (shown, marker) in enumerate(reversed(model.stack))]
        assert await listed(metadata, bucket) == expected
        current = bool(expected) and not expected[0][3]
        assert [it.key for it in (await metadata.ask(ListObjects(bucket_id=bucket.bucket_id))).objects] == ["k"] * current
        if current:
            assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version.shown_id == expected[0][1]
        else:
            assert await refused(metadata, Locate(bucket_id=bucket.bucket_id, key="k")) == "NoSuchKey"


# --- listings ---

INSERT = """
INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null)
SELECT $1::uuid, gen_random_uuid(), key, 1, 'e', 'STANDARD', '{"size": 1, "md5": "e"}', '{}', '{}', false FROM unnest($2::bytea[]) AS key
"""
PIECES = ["a", "b", "/", "ü", "\U0001f600", "\uffff", "\x00", "ab"]
texts = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)


async def fill(metadata, names) -> str:
    bucket_id = uuid.uuid4().hex
    await metadata.sql(
        "INSERT INTO buckets (bucket_id, tenant_id, name, location) VALUES ($1::text::uuid, 'acme', $1::text, '')", bucket_id
    )
    await metadata.sql(INSERT, bucket_id, [name.encode() for name in names])
    return bucket_id


async def all_pages(metadata, request):
    entries = []
    while True:
        page = await metadata.ask(request)
        found = [(it.object.key, it.version_id) for it in page.versions] + [(prefix, None) for prefix in page.prefixes]
        assert len(found) <= request.limit
        entries += sorted(found, key=lambda it: it[0].encode())
        if not page.truncated:
            return entries
        request = msgspec.structs.replace(request, after_key=page.last[0], after_version=page.last[1])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts.filter(bool), max_size=20), texts, st.sampled_from(["", "/", "a"]), st.integers(1, 4))
async def test_pages_of_versions_are_what_brute_force_lists(metadata, names, prefix, delimiter, limit):
    bucket_id = await fill(metadata, names)
    rows = await metadata.sql("SELECT key, version_id FROM versions WHERE bucket_id = $1 ORDER BY key, seq DESC", bucket_id)
    expected = []
    for row in rows:
        key = row["key"].decode()
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if key.startswith(prefix):
            entry = (key, row["version_id"].hex) if at < 0 else (key[: at + len(delimiter)], None)
            expected += [entry] if entry not in expected else []
    request = ListVersions(bucket_id=bucket_id, prefix=prefix, delimiter=delimiter, limit=limit)
    assert await all_pages(metadata, request) == expected


async def test_a_listing_goes_on_behind_versions_that_are_gone(metadata):
    """Tools list a page, delete it, and ask for the next one."""
    bucket = await versioned(metadata)
    made = [(await metadata.put(bucket, "k")).version.version_id for _ in range(6)]
    seen, request = [], ListVersions(bucket_id=bucket.bucket_id, limit=2)
    while True:
        page = await metadata.ask(request)
        seen += [it.version_id for it in page.versions]
        for version_id in [it.version_id for it in page.versions]:
            await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k", version_id=version_id))
        if not page.truncated:
            break
        request = msgspec.structs.replace(request, after_key=page.last[0], after_version=page.last[1])
    assert seen == made[::-1]
    assert (
        await refused(metadata, ListVersions(bucket_id=bucket.bucket_id, after_key="k", after_version="?")) == "InvalidArgument"
    )


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize(
    "args", [(b"", b"", None, None, b""), (b"dir1/", b"", b"dir1/1", 10**9, b"dir1/1\0"), (b"", b"/", None, None, b"")]
)
async def test_a_page_of_versions_costs_what_a_page_costs(metadata, args):
    bucket_id = await fill(metadata, [f"dir{i % 300}/{i % 10_000}" for i in range(30_000)])
    plan = await metadata.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUERIES['walk_versions']}", bucket_id, *args, 101)
    for node in nodes(msgspec.json.decode(plan[0][0])[0]["Plan"]):
        touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        assert node["Node Type"] not in {"Seq Scan", "Bitmap Heap Scan", "Hash Join", "Merge Join"}, node
        assert touched <= 2 * 102, node


# --- conditions ---


async def test_deletions_with_conditions(metadata):
    bucket = await metadata.make_bucket()
    version = (await metadata.put(bucket, "k", md5="1" * 32)).version

    def delete(key="k", **condition):
        return Delete(bucket_id=bucket.bucket_id, key=key, condition=Condition(**condition))

    for wrong in ({"if_match": "2" * 32}, {"size": 4}, {"modified": LATER}):
        assert await refused(metadata, delete(**wrong)) == "PreconditionFailed"
        assert await refused(metadata, delete("absent", **wrong)) == "NoSuchKey"
    right = {"if_match": "1" * 32, "size": 3, "modified": version.committed_at.replace(microsecond=0)}
    assert await metadata.ask(delete(**right)) == Deleted()
    assert await refused(metadata, Locate(bucket_id=bucket.bucket_id, key="k")) == "NoSuchKey"


async def test_a_delete_marker_matches_nothing(metadata):
    bucket = await versioned(metadata)
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    request = Delete(bucket_id=bucket.bucket_id, key="k", condition=Condition(if_match="*"))
    assert await refused(metadata, request) == "PreconditionFailed"
    assert await refused(metadata, msgspec.structs.replace(request, version_id="1" * 32)) == "NoSuchKey"


async def test_of_many_conditional_deletions_exactly_one_deletes(metadata):
    bucket = await versioned(metadata)
    await metadata.put(bucket, "k", md5="1" * 32)
    request = Delete(bucket_id=bucket.bucket_id, key="k", condition=Condition(if_match="1" * 32))
    answers = await asyncio.gather(*(metadata.ask_all(request, request) for _ in range(8)))
    assert sum(isinstance(answer, Deleted) for batch in answers for answer in batch) == 1


async def test_a_write_over_other_etags_only(metadata):
    bucket = await metadata.make_bucket()
    other = Condition(other_than=("1" * 32, "2" * 32))
    await metadata.put(bucket, "k", md5="2" * 32, condition=other)
    with pytest.raises(RequestError, match="PreconditionFailed"):
        await metadata.put(bucket, "k", condition=other)
    await metadata.put(bucket, "k", condition=Condition(other_than=("3" * 32,)))


# --- object lock ---


async def lock(metadata, version, mode="GOVERNANCE", until=LATER, **fields):
    retention = Lock(mode, until)
    request = ChangeVersion(
        bucket_id=version.bucket_id, key=version.key, version_id=version.version_id, retention=retention, **fields
    )
    return (await metadata.ask(request)).version


def removal(version, **fields):
    return Delete(bucket_id=version.bucket_id, key=version.key, version_id=version.version_id, **fields)


async def test_a_bucket_with_object_lock_stays_versioned(metadata):
    bucket = await locked_bucket(metadata)
    assert (bucket.object_lock, bucket.versioning) == (True, "enabled")
    assert await refused(metadata, PutVersioning(bucket_id=bucket.bucket_id, versioning="suspended")) == "InvalidBucketState"
    plain = await metadata.make_bucket()
    assert await refused(metadata, PutLockConfiguration(bucket_id=plain.bucket_id)) == "InvalidBucketState"
    await metadata.ask(PutVersioning(bucket_id=plain.bucket_id, versioning="enabled"))
    await metadata.ask(PutLockConfiguration(bucket_id=plain.bucket_id))
    rows = await metadata.sql(
        "SELECT count(*) AS n FROM outbox WHERE routing_key = 'invalidate' AND payload ->> 'kind' = 'bucket'"
    )
    assert rows[0]["n"] == 4


@pytest.mark.parametrize(
    ("default", "days"), [(DefaultRetention("GOVERNANCE", days=3), (3, 3)), (DefaultRetention("COMPLIANCE", years=1), (365, 366))]
)
async def test_the_default_retention_counts_from_the_commit(metadata, default, days):
    bucket = await locked_bucket(metadata, default=default)
    version = (await metadata.put(bucket, "k")).version
    assert version.lock is not None
    assert version.lock.mode == default.mode
    assert timedelta(days=days[0]) - timedelta(minutes=1) < version.lock.until - version.committed_at
    assert version.lock.until - version.committed_at < timedelta(days=days[1], minutes=1)
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version.lock == version.lock
    rows = await metadata.sql("SELECT bool_or(stamped) AS any FROM replicas WHERE state = 'verified'")
    assert not rows[0]["any"]


async def test_a_write_brings_its_own_lock(metadata):
    bucket = await locked_bucket(metadata, default=DefaultRetention("GOVERNANCE", days=1))
    own = Lock("COMPLIANCE", LATER, legal_hold=True)
    intent = await metadata.begin(bucket, "k", lock=own)
    assert (await metadata.ask(metadata.commit(intent))).version.lock == own
    intent = await metadata.begin(bucket, "k", lock=Lock(legal_hold=True))
    lock_of = (await metadata.ask(metadata.commit(intent))).version.lock
    assert (lock_of.mode, lock_of.legal_hold) == ("GOVERNANCE", True)
    plain = await metadata.make_bucket()
    assert await refused(metadata, Begin(bucket_id=plain.bucket_id, key="k", lock=own)) == "InvalidRequest"


async def test_governance_yields_to_a_bypass_only(metadata):
    bucket = await locked_bucket(metadata)
    version = (await metadata.put(bucket, "k")).version
    await lock(metadata, version)
    assert await refused(metadata, removal(version)) == "AccessDenied"
    marker = await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    assert marker.delete_marker
    neighbour = (await metadata.put(bucket, "other")).version
    locked_neighbour = await lock(metadata, (await metadata.put(bucket, "third")).version)
    bypassed, free, held = await metadata.ask_all(
        removal(version, bypass_governance=True), removal(neighbour), removal(locked_neighbour)
    )
    assert bypassed == Deleted(version_id=version.version_id)
    assert free == Deleted(version_id=neighbour.version_id)
    assert held.code == "AccessDenied"


async def test_compliance_and_legal_hold_yield_to_nothing(metadata):
    bucket = await locked_bucket(metadata)
    kept = await lock(metadata, (await metadata.put(bucket, "k")).version, "COMPLIANCE")
    held = (await metadata.put(bucket, "h")).version
    hold = ChangeVersion(bucket_id=bucket.bucket_id, key="h", legal_hold=True)
    assert (await metadata.ask(hold)).version.lock == Lock(legal_hold=True)
    for version in (kept, held):
        assert await refused(metadata, removal(version, bypass_governance=True)) == "AccessDenied"
    assert await refused(metadata, DeleteBucket(tenant_id="acme", name="vault")) == "BucketNotEmpty"
    await metadata.ask(msgspec.structs.replace(hold, legal_hold=False))
    assert await metadata.ask(removal(held)) == Deleted(version_id=held.version_id)


@pytest.mark.parametrize(
    ("before", "after", "plain", "bypassing"),
    [
        (("GOVERNANCE", LATER), ("GOVERNANCE", LATER + timedelta(days=1)), True, True),
        (("GOVERNANCE", LATER), ("GOVERNANCE", LATER - timedelta(days=1)), False, True),
        (("GOVERNANCE", LATER), ("COMPLIANCE", LATER), False, True),
        (("GOVERNANCE", LATER), (None, None), False, True),
        (("COMPLIANCE", LATER), ("COMPLIANCE", LATER + timedelta(days=1)), True, True),
        (("COMPLIANCE", LATER), ("COMPLIANCE", LATER - timedelta(days=1)), False, False),
        (("COMPLIANCE", LATER), ("GOVERNANCE", LATER), False, False),
        (("COMPLIANCE", LATER), (None, None), False, False),
        (("COMPLIANCE", datetime(2001, 1, 1, tzinfo=UTC)), (None, None), True, True),
    ],
)
async def test_how_a_retention_may_change(metadata, before, after, plain, bypassing):
    bucket = await locked_bucket(metadata)
    for bypass, allowed in ((False, plain), (True, bypassing)):
        version = (await metadata.put(bucket, f"k{bypass}")).version
        await lock(metadata, version, *before)
        if allowed:
            changed = await lock(metadata, version, *after, bypass_governance=bypass)
            assert changed.lock == (Lock(*after) if after[0] else None)
        else:
            with pytest.raises(RequestError, match="AccessDenied"):
                await lock(metadata, version, *after, bypass_governance=bypass)


async def test_postgresql_itself_keeps_what_is_locked(metadata):
    bucket = await locked_bucket(metadata)
    await lock(metadata, (await metadata.put(bucket, "k")).version, "COMPLIANCE")
    for statement in (
        "DELETE FROM versions",
        "UPDATE versions SET lock_until = now()",
        "UPDATE versions SET lock_mode = NULL, lock_until = NULL",
        "DELETE FROM buckets",
        "UPDATE buckets SET versioning = 'suspended'",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await metadata.sql(statement)
    await metadata.sql("UPDATE versions SET legal_hold = true")
    await metadata.sql("UPDATE versions SET lock_until = lock_until + interval '1 day'")


async def test_locks_need_a_bucket_that_has_them_and_an_object(metadata):
    plain = await versioned(metadata)
    version = (await metadata.put(plain, "k")).version
    with pytest.raises(RequestError, match="InvalidRequest"):
        await lock(metadata, version)
    assert await refused(metadata, ChangeVersion(bucket_id=plain.bucket_id, key="k", legal_hold=True)) == "InvalidRequest"
    assert await refused(metadata, ChangeVersion(bucket_id=plain.bucket_id, key="x", tags={})) == "NoSuchKey"
    absent = ChangeVersion(bucket_id=plain.bucket_id, key="k", version_id="1" * 32, tags={})
    assert await refused(metadata, absent) == "NoSuchVersion"
    marker = await metadata.ask(Delete(bucket_id=plain.bucket_id, key="k"))
    assert await refused(metadata, ChangeVersion(bucket_id=plain.bucket_id, key="k", tags={})) == "NoSuchKey"
    by_id = ChangeVersion(bucket_id=plain.bucket_id, key="k", version_id=marker.version_id, tags={})
    assert await refused(metadata, by_id) == "MethodNotAllowed"


# --- tags ---


async def test_new_tags_owe_a_sidecar_wherever_the_blob_is(metadata):
    bucket = await metadata.make_bucket()
    facts = Facts(metadata={"a": "1"}, tags={"t": "1", "replica-count": "2"})
    version = (await metadata.put(bucket, "k", facts=facts)).version
    request = ChangeVersion(bucket_id=bucket.bucket_id, key="k", tags={"replica-count": "2", "u": "2"})
    changed = (await metadata.ask(request)).version
    assert changed.facts == Facts(metadata={"a": "1"}, tags=request.tags)
    assert (await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))).version == changed
    assert changed.version_id == version.version_id
    rows = await metadata.sql("SELECT state, stamped, next_attempt_at <= now() AS due FROM replicas ORDER BY state")
    assert [tuple(row) for row in rows] == [("verified", False, True), ("wanted", True, False)]
    for tags in ({}, {"replica-count": "3"}):
        assert await refused(metadata, msgspec.structs.replace(request, tags=tags)) == "NotImplemented"
