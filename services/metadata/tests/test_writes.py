import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import Abort, Begin, Condition, Delete, Deleted, Locate, Renew, Stored
from domicile_common.model import Facts, Policy, Version
from domicile_metadata.storage.objects import RawVersion

pytestmark = pytest.mark.servers

ONCE = Condition(if_none_match=True)


async def test_a_write_is_found_with_its_facts_and_replicas(metadata):
    bucket = await metadata.make_bucket()
    facts = Facts(headers={"content-type": "text/plain"}, metadata={"a": "ä"}, tags={"t": "\x00"})
    committed = await metadata.put(bucket, "a/ü", md5="1" * 32, facts=facts)
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="a/ü"))
    assert located.version == committed.version
    assert located.version.facts == facts
    assert located.version.digest.etag == "1" * 32
    (replica,) = located.replicas
    assert replica.verified
    assert replica.blob.namespace == bucket.namespaces["us"]
    assert replica.blob.blob_key.endswith(located.version.version_id)


async def test_a_commit_owes_a_message_for_every_copy_that_is_not_there_yet(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k", trace="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    assert intent.decision.write == ("us",)
    assert intent.decision.wanted == ("us", "fi")
    await metadata.ask(metadata.commit(intent))
    assert await metadata.replicas(intent.version_id) == {"us": "verified", "fi": "wanted"}
    (row,) = await metadata.sql(
        "SELECT routing_key, payload ->> 'backend_id' AS backend, payload ->> 'trace' AS trace FROM outbox WHERE routing_key <> 'invalidate'"
    )
    assert tuple(row) == ("replicate.fi", "fi", "00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    assert await metadata.sql("SELECT FROM intents") == []


async def test_what_is_owed_wakes_the_relays(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    async with metadata.database.listening("outbox") as notified:
        await metadata.ask(metadata.commit(intent, stored=(Stored("us", "e"), Stored("fi", "e"))))
        done, _ = await asyncio.wait([asyncio.create_task(notified.wait())], timeout=0.2)
        assert not done  # nothing is owed
        await metadata.put(bucket, "k")
        await asyncio.wait_for(notified.wait(), 30)


async def test_a_blob_without_a_whole_stamp_owes_one(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.ask(metadata.commit(intent, stored=(Stored("us", "e", stamped=False),)))
    rows = await metadata.sql("SELECT routing_key FROM outbox WHERE routing_key <> 'invalidate' ORDER BY 1")
    assert [row["routing_key"] for row in rows] == ["replicate.fi", "replicate.us"]
    rows = await metadata.sql("SELECT stamped, next_attempt_at > now() AS due FROM replicas WHERE backend_id = 'us'")
    assert tuple(rows[0]) == (False, True)


async def test_an_overwritten_version_goes_after_the_grace(metadata):
    bucket = await metadata.make_bucket()
    first = await metadata.put(bucket, "k")
    second = await metadata.put(bucket, "k")
    assert await metadata.replicas(first.version.version_id) == {"us": "deleting", "fi": "deleting"}
    rows = await metadata.sql(
        "SELECT version_id, next_attempt_at - now() > '50 s' AS later FROM replicas WHERE state = 'deleting'"
    )
    assert all(row["later"] for row in rows)
    rows = await metadata.sql("SELECT version_id FROM versions")
    assert [row["version_id"].hex for row in rows] == [second.version.version_id]


async def test_an_unknown_intent_cannot_be_committed(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.ask(Abort(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    await metadata.ask(Abort(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    with pytest.raises(Unavailable):
        await metadata.ask(metadata.commit(intent))
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}
    with pytest.raises(RequestError, match="NoSuchUpload"):
        await metadata.ask(Renew(bucket_id=bucket.bucket_id, version_id=intent.version_id))


async def test_bytes_that_came_after_their_removal_are_removed_again(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.ask(Abort(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    await metadata.sql("DELETE FROM replicas")  # as if the removal had been confirmed
    with pytest.raises(Unavailable):
        await metadata.ask(metadata.commit(intent, blobs=intent.blobs[:1]))
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}


async def test_a_commit_that_comes_twice_removes_nothing(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    commit = metadata.commit(intent, blobs=intent.blobs[:1])
    await metadata.ask(commit)
    await metadata.sql("DELETE FROM replicas")
    with pytest.raises(Unavailable):
        await metadata.ask(commit)
    assert await metadata.replicas(intent.version_id) == {}


async def test_a_write_lives_by_the_clock_that_it_is_swept_by(metadata):
    """Whatever this process takes the time to be."""
    bucket = await metadata.make_bucket()
    for days in (-1, 1):
        metadata.api._context = replace(metadata.context, clock=lambda days=days: datetime.now(UTC) + timedelta(days=days))
        intent = await metadata.begin(bucket, "a")
        (row,) = await metadata.sql(
            "SELECT deadline, deadline - now() AS left FROM intents WHERE version_id = $1", intent.version_id
        )
        assert row["deadline"] == intent.deadline
        assert timedelta(seconds=800) < row["left"] <= timedelta(seconds=900)
        await metadata.sql("UPDATE intents SET deadline = now()")
        await metadata.ask(Renew(bucket_id=bucket.bucket_id, version_id=intent.version_id))
        (row,) = await metadata.sql("SELECT deadline - now() AS left FROM intents WHERE version_id = $1", intent.version_id)
        assert timedelta(seconds=800) < row["left"] <= timedelta(seconds=900)


async def test_renewing_moves_the_deadline(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.sql("UPDATE intents SET deadline = now() - interval '1 s'")
    await metadata.ask(Renew(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    (row,) = await metadata.sql("SELECT deadline > now() + interval '800 s' AS moved FROM intents")
    assert row["moved"]


async def test_a_commit_must_be_stored_where_it_was_decided(metadata):
    bucket = await metadata.make_bucket()
    for stored in ((), (Stored("de", "e"),)):
        intent = await metadata.begin(bucket, "k")
        with pytest.raises(RequestError, match="InvalidRequest"):
            await metadata.ask(metadata.commit(intent, stored=stored))
        assert await metadata.replicas(intent.version_id) == {"us": "deleting"}


async def test_conditions_are_decided_at_the_commit(metadata):
    bucket = await metadata.make_bucket()
    with pytest.raises(RequestError, match="NoSuchKey"):
        await metadata.put(bucket, "k", condition=Condition(if_match="*"))
    await metadata.put(bucket, "k", md5="1" * 32, condition=ONCE)
    intent = await metadata.begin(bucket, "k")
    with pytest.raises(RequestError, match="PreconditionFailed"):
        await metadata.ask(metadata.commit(intent, condition=ONCE))
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}
    (row,) = await metadata.sql("SELECT count(*) AS n FROM outbox WHERE payload ->> 'version_id' = $1", intent.version_id)
    assert row["n"] == 1
    with pytest.raises(RequestError, match="PreconditionFailed"):
        await metadata.put(bucket, "k", condition=Condition(if_match="2" * 32))
    await metadata.put(bucket, "k", condition=Condition(if_match="1" * 32))
    await metadata.put(bucket, "k", condition=Condition(if_match="*"))


async def test_of_many_writers_at_once_exactly_one_creates(metadata):
    bucket = await metadata.make_bucket()
    intents = [await metadata.begin(bucket, "k") for _ in range(50)]
    answers = await asyncio.gather(*(metadata.ask_all(metadata.commit(intent, condition=ONCE)) for intent in intents))
    failed = [answer for (answer,) in answers if isinstance(answer, RequestError)]
    assert len(failed) == 49
    assert {error.code for error in failed} == {"PreconditionFailed"}
    assert len(await metadata.sql("SELECT FROM versions")) == 1


async def test_of_many_writers_in_one_batch_exactly_one_creates(metadata):
    bucket = await metadata.make_bucket()
    intents = [await metadata.begin(bucket, "k") for _ in range(5)]
    first, *others = await metadata.ask_all(*(metadata.commit(intent, condition=ONCE) for intent in intents))
    assert first.version.version_id == intents[0].version_id
    assert {error.code for error in others} == {"PreconditionFailed"}


async def test_racing_writers_leave_one_version_and_one_set_of_removals(metadata):
    bucket = await metadata.make_bucket()
    intents = [await metadata.begin(bucket, "k") for _ in range(40)]
    commits = [metadata.commit(intent) for intent in intents]
    await asyncio.gather(*(metadata.ask_all(*commits[i : i + 4]) for i in range(0, 40, 4)))
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert len(await metadata.sql("SELECT FROM versions")) == 1
    for intent in intents:
        states = set((await metadata.replicas(intent.version_id)).values())
        assert states == ({"verified", "wanted"} if intent.version_id == located.version.version_id else {"deleting"})


async def test_the_last_of_one_batch_wins(metadata):
    bucket = await metadata.make_bucket()
    intents = [await metadata.begin(bucket, "k") for _ in range(3)]
    answers = await metadata.ask_all(*(metadata.commit(intent, md5=f"{i}" * 32) for i, intent in enumerate(intents)))
    assert [answer.version.version_id for answer in answers] == [intent.version_id for intent in intents]
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert located.version == answers[2].version
    assert await metadata.replicas(intents[0].version_id) == {"us": "deleting"}


async def test_the_same_commit_twice_in_a_batch_counts_once(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    first, second = await metadata.ask_all(metadata.commit(intent), metadata.commit(intent))
    assert first.version.version_id == intent.version_id
    assert isinstance(second, Unavailable)


async def test_a_commit_that_breaks_the_lock_fails_alone(metadata):
    """The lock was tightened between the decision and the commit: PostgreSQL refuses, and only what it concerns."""
    bucket = await metadata.make_bucket("open")
    locked = await metadata.make_bucket("locked")
    good, bad = await metadata.begin(bucket, "k"), await metadata.begin(locked, "k")
    await metadata.sql("UPDATE buckets SET countries = '{FI,DE}' WHERE name = 'locked'")
    answers = await metadata.ask_all(metadata.commit(good), metadata.commit(bad))
    assert answers[0].version.version_id == good.version_id
    assert isinstance(answers[1], Unavailable)  # decided anew, the same write is possible
    assert await metadata.replicas(bad.version_id) == {"us": "deleting"}
    with pytest.raises(RequestError, match="NoSuchKey"):
        await metadata.ask(Locate(bucket_id=locked.bucket_id, key="k"))


async def test_a_write_that_was_decided_in_an_earlier_epoch_does_not_begin(metadata, monkeypatch):
    """What is asked for changes between the decision and the intent: only that write has to be decided anew."""
    from domicile_metadata.services import begin

    old, new = await metadata.make_bucket("old"), await metadata.make_bucket("new")
    namespaces_for = begin.namespaces_for

    async def meanwhile(context, statements, record, backends):
        await metadata.sql("UPDATE buckets SET epoch = epoch + 1 WHERE name = 'old'")
        return await namespaces_for(context, statements, record, backends)

    monkeypatch.setattr(begin, "namespaces_for", meanwhile)
    late, fresh = await metadata.ask_all(*(Begin(bucket_id=bucket.bucket_id, key="k") for bucket in (old, new)))
    assert isinstance(late, Unavailable)
    assert [row["version_id"].hex for row in await metadata.sql("SELECT version_id FROM intents")] == [fresh.version_id]


async def test_postgresql_refuses_a_replica_outside_the_lock(metadata):
    import asyncpg

    bucket = await metadata.make_bucket(location="fi,de")
    insert = (
        "INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state) VALUES ($1, $2, $3, 'n', 'b', $4)"
    )
    for state in ("wanted", "stored", "verified", "lost"):
        with pytest.raises(asyncpg.CheckViolationError, match="outside the lock"):
            await metadata.sql(insert, bucket.bucket_id, "1" * 32, "us", state)
    await metadata.sql(insert, bucket.bucket_id, "1" * 32, "us", "deleting")
    with pytest.raises(asyncpg.CheckViolationError):
        await metadata.sql("UPDATE replicas SET state = 'wanted'")
    with pytest.raises(asyncpg.CheckViolationError):  # a bucket that is not there has no lock to be inside of
        await metadata.sql(insert, "2" * 32, "1" * 32, "fi", "wanted")
    await metadata.sql(insert, bucket.bucket_id, "1" * 32, "fi", "wanted")


async def test_a_change_of_the_lock_waits_for_writes_that_it_does_not_bind(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    async with metadata.database.transaction() as session:
        from domicile_metadata.services.commit import commit_all

        await commit_all(metadata.context, session, [metadata.commit(intent)])
        change = asyncio.create_task(metadata.sql("UPDATE buckets SET countries = '{FI}' RETURNING name"))
        done, _ = await asyncio.wait([change], timeout=0.3)
        assert not done
    assert len(await change) == 1


async def test_a_batch_of_commits_takes_buckets_in_the_order_in_which_policies_do(metadata):
    """Otherwise one of the two would be chosen as the victim of a deadlock."""
    first, second = await metadata.make_bucket("first"), await metadata.make_bucket("second")
    commits = [metadata.commit(await metadata.begin(bucket, "k")) for bucket in (second, first)]
    lock = "SELECT FROM buckets WHERE bucket_id = $1 FOR NO KEY UPDATE"
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with metadata.database._pool.acquire() as connection, connection.transaction():
        await connection.execute(lock, first.bucket_id)
        writing = asyncio.create_task(metadata.ask_all(*commits))
        async with asyncio.timeout(20):
            while not await metadata.sql(waiting):  # noqa: ASYNC110 -- only PostgreSQL can tell
                await asyncio.sleep(0.02)
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute(lock, second.bucket_id)
    assert [answer.version.key for answer in await writing] == ["k", "k"]


async def test_the_decision_avoids_what_is_down_and_stays_inside_the_lock(metadata):
    bucket = await metadata.make_bucket(location="fi,de")
    intent = await metadata.begin(bucket, "k", avoid=("fi",))
    assert intent.decision.write == ("de",)
    assert set(intent.decision.wanted) == {"fi", "de"}
    with pytest.raises(Unavailable):
        await metadata.begin(bucket, "k", avoid=("fi", "de"))


async def test_an_object_may_tighten_and_not_loosen(metadata):
    bucket = await metadata.make_bucket(location="fi,de")
    intent = await metadata.begin(bucket, "k", policy=Policy(region_lock=("DE",), replica_count=1))
    assert intent.decision.wanted == ("de",)
    with pytest.raises(RequestError, match="US is outside"):
        await metadata.begin(bucket, "k", policy=Policy(region_lock=("US",)))


async def test_without_a_policy_everything_is_refused(metadata):
    bucket = await metadata.make_bucket()
    await metadata.sql("DELETE FROM policies")
    with pytest.raises(RequestError) as refused:
        await metadata.begin(bucket, "k")
    assert refused.value.detail["Rule"] == "replica_count"


async def test_bad_begins_fail_alone(metadata):
    bucket = await metadata.make_bucket()
    answers = await metadata.ask_all(
        Begin(bucket_id=bucket.bucket_id, key="ok"),
        Begin(bucket_id="1" * 32, key="k"),
        Begin(bucket_id="no id'; --", key="k"),
        Begin(bucket_id=bucket.bucket_id, key="ü" * 513),
        Begin(bucket_id=bucket.bucket_id, key=""),
        Begin(bucket_id=bucket.bucket_id, key="k", trace="\x00"),
    )
    assert answers[0].key == "ok"
    codes = [answer.code for answer in answers[1:]]
    assert codes == ["NoSuchBucket", "NoSuchBucket", "KeyTooLongError", "InvalidArgument", "InvalidArgument"]
    assert len(await metadata.sql("SELECT FROM intents")) == 1


async def test_locating_what_is_not_there(metadata):
    bucket = await metadata.make_bucket()
    committed = await metadata.put(bucket, "k")
    answers = await metadata.ask_all(
        Locate(bucket_id=bucket.bucket_id, key="other"),
        Locate(bucket_id="1" * 32, key="k"),
        Locate(bucket_id="?", key="k"),
        Locate(bucket_id=bucket.bucket_id, key="k", version_id="null"),
        Locate(bucket_id=bucket.bucket_id, key="k"),
        Locate(bucket_id=bucket.bucket_id, key="k", version_id=committed.version.version_id),
        Locate(bucket_id=bucket.bucket_id, key="k", version_id="nonsense"),
    )
    assert [getattr(answer, "code", "") for answer in answers] == [
        "NoSuchKey", "NoSuchBucket", "NoSuchBucket", "", "", "NoSuchVersion", "InvalidArgument",
    ]  # fmt: skip
    assert answers[3].version == answers[4].version == committed.version


async def test_only_readable_copies_inside_the_lock_are_located_best_first(metadata):
    bucket = await metadata.make_bucket()
    version_id = (await metadata.put(bucket, "k")).version.version_id

    async def located() -> list[str]:
        found = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
        return [replica.blob.backend_id for replica in found.replicas]

    assert await located() == ["us"]
    await metadata.sql("UPDATE replicas SET state = 'stored' WHERE backend_id = 'fi'")
    await metadata.sql(
        "INSERT INTO replicas SELECT bucket_id, version_id, 'de', namespace, blob_key, 'verified' FROM replicas WHERE backend_id = 'fi'"
    )
    assert await located() == ["us", "de", "fi"]
    await metadata.sql("UPDATE backends SET state = 'disabled' WHERE backend_id = 'de'")
    assert await located() == ["us", "fi"]
    await metadata.sql("UPDATE buckets SET countries = '{DE,FI}'")
    assert await located() == ["fi"]
    await metadata.sql("UPDATE buckets SET jurisdictions = '{DE}'")
    assert await located() == []
    assert version_id


async def test_a_delete_marker_is_no_key(metadata):
    bucket = await metadata.make_bucket()
    await metadata.put(bucket, "k")
    await metadata.sql("UPDATE versions SET is_delete_marker = true")
    with pytest.raises(RequestError, match="NoSuchKey") as absent:
        await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert absent.value.detail == {"Key": "k", "DeleteMarker": "true", "VersionId": "null"}


async def test_deleting_removes_pointer_version_and_blobs(metadata):
    bucket = await metadata.make_bucket()
    committed = await metadata.put(bucket, "k")
    answers = await metadata.ask_all(
        Delete(bucket_id=bucket.bucket_id, key="k"),
        Delete(bucket_id=bucket.bucket_id, key="absent"),
        Delete(bucket_id="1" * 32, key="k"),
        Delete(bucket_id=bucket.bucket_id, key="k", version_id="nonsense"),
        Delete(bucket_id=bucket.bucket_id, key="k", version_id="null"),
    )
    assert answers[:2] == [Deleted(), Deleted()]
    assert [getattr(answer, "code", "") for answer in answers[2:]] == ["NoSuchBucket", "InvalidArgument", ""]
    assert await metadata.replicas(committed.version.version_id) == {"us": "deleting", "fi": "deleting"}
    assert await metadata.sql("SELECT FROM versions") == []
    assert await metadata.sql("SELECT FROM objects") == []


def test_a_version_that_goes_through_unread_has_the_fields_of_a_version():
    assert RawVersion.__struct_fields__ == Version.__struct_fields__
    assert RawVersion.__struct_defaults__ == Version.__struct_defaults__


async def test_writers_and_deleters_of_the_same_keys_never_wait_in_a_circle(metadata):
    bucket = await metadata.make_bucket()
    keys = [f"k{i}" for i in range(12)]

    async def write(order: list[str]) -> None:
        intents = await metadata.ask_all(*(Begin(bucket_id=bucket.bucket_id, key=key) for key in order))
        answers = await metadata.ask_all(*(metadata.commit(intent) for intent in intents))
        assert not [answer for answer in answers if isinstance(answer, Unavailable)]

    async def delete(order: list[str]) -> None:
        answers = await metadata.ask_all(*(Delete(bucket_id=bucket.bucket_id, key=key) for key in order))
        assert not [answer for answer in answers if isinstance(answer, Unavailable)]

    orders = [keys, keys[::-1], keys[6:] + keys[:6]]
    await asyncio.gather(*(work(order) for order in orders * 4 for work in (write, delete)))
    (row,) = await metadata.sql(
        "SELECT count(*) AS n FROM versions FULL JOIN objects USING (bucket_id, version_id) WHERE versions.key IS DISTINCT FROM objects.key"
    )
    assert row["n"] == 0
