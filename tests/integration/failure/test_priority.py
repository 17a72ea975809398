"""A backend that is slow, limited or paused: what clients have just written goes first, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from domicile_common.amqp.broker import Broker
from domicile_common.testing.installation import until

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
OWED = 3000

# As a change of policy would leave them: versions whose second copy is owed, all of them with the bytes of one.
CLONE = """
WITH clones AS (
    INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null)
    SELECT bucket_id, gen_random_uuid(), key, size, etag, storage_class, digest, facts, decision, false
      FROM versions, generate_series(1, {owed}) WHERE key = 'old'
    RETURNING bucket_id, version_id)
INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, is_backfill, next_attempt_at)
SELECT clones.bucket_id, clones.version_id, backend_id, namespace, CASE WHEN is_old THEN blob_key ELSE clones.version_id::text END,
       CASE WHEN is_old THEN 'verified' ELSE 'wanted' END, NOT is_old, CASE WHEN is_old THEN NULL ELSE now() END
  FROM clones
  JOIN (SELECT bucket_id, backend_id, namespace, blob_key, backend_id <> '{slow}' AS is_old
          FROM replicas JOIN versions USING (bucket_id, version_id) WHERE versions.key = 'old') AS copies USING (bucket_id)
"""
FORGET = """
DELETE FROM replicas USING versions
 WHERE versions.bucket_id = replicas.bucket_id AND versions.version_id = replicas.version_id AND versions.key = 'old' AND NOT is_null
"""


@pytest.fixture(scope="module")
def domicile(open_installation):
    with open_installation() as made:
        yield made


@pytest.fixture
def bucket(domicile) -> str:
    """Whose objects are written to FI, and copied to DE."""
    return domicile.new_bucket(location="fi,de")


@pytest.fixture
def slow(domicile):
    """Where the copies go; without limits again at the end."""
    yield "de"
    limit(domicile, "de", paused=False, job_limit=None, bytes_per_second=None, requests_per_second=None)
    domicile.mend()
    domicile.idle(60)


def limit(domicile, backend: str, **limits) -> None:
    domicile.admin("PATCH", f"/backends/{backend}", limits)


def copied_after(domicile, bucket: str, key: str) -> float:
    """Seconds from the answer to a PUT until its copies are verified."""
    domicile.client().put_object(Bucket=bucket, Key=key, Body=key.encode())
    began = time.monotonic()
    domicile.verified(bucket, key)
    return time.monotonic() - began


def backfill(domicile) -> int:
    return domicile.sql("SELECT count(*) FROM replicas WHERE is_backfill")[0][0]


def waiting(domicile, queue: str) -> int:
    """Messages that nobody has in hand."""

    async def look() -> int:
        broker = Broker(domicile.suite.infrastructure.rabbitmq_url, "test")
        try:
            return (await broker.look(queue)).messages
        finally:
            await broker.close()

    return asyncio.run(look())


def test_a_fresh_copy_does_not_wait_behind_thousands(domicile, bucket, slow):
    domicile.client().put_object(Bucket=bucket, Key="old", Body=b"old")
    domicile.verified(bucket, "old")
    limit(domicile, slow, requests_per_second=20)
    usual = max(copied_after(domicile, bucket, f"before-{number}") for number in range(3))
    domicile.sql(CLONE.format(owed=OWED, slow=slow))
    until(lambda: backfill(domicile) < OWED - 20, what="the backfill has begun")
    spent = [copied_after(domicile, bucket, f"during-{number}") for number in range(5)]
    left = backfill(domicile)
    assert left > OWED / 2  # with a queue of its age, this would have taken minutes
    assert max(spent) < usual + 3, f"usually {usual:.2f} s, among {left} others {spent}"
    domicile.sql(FORGET)


def test_limits_are_shared_by_all_workers_and_change_while_they_work(domicile, bucket, slow):
    with domicile.another("replicator"):
        limit(domicile, slow, bytes_per_second=MIB, job_limit=2)
        began = time.monotonic()
        for number in range(6):
            domicile.client().put_object(Bucket=bucket, Key=f"k{number}", Body=random.Random(number).randbytes(MIB))
        for number in range(4):
            domicile.verified(bucket, f"k{number}")
        # Six in all, of which one may be there at once and two be under way when the fourth is there.
        assert time.monotonic() - began > 2
        limit(domicile, slow, bytes_per_second=None, job_limit=None)
        for number in range(6):
            domicile.verified(bucket, f"k{number}")


def test_a_paused_backend_gets_its_copies_when_it_is_resumed(domicile, bucket, slow):
    before = domicile.logs()["replicator"].count("stops consuming")
    limit(domicile, slow, paused=True)
    until(lambda: domicile.logs()["replicator"].count("stops consuming") > before, what="the worker knows")
    s3 = domicile.client()
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="k0")["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key="k2")
    until(lambda: waiting(domicile, f"replicate.{slow}") == 3, what="the backlog is seen in its queue")
    domicile.restart("replicator")
    assert waiting(domicile, f"replicate.{slow}") == 3
    assert {it["state"] for it in domicile.replicas(bucket, "k0").values()} == {"verified", "wanted"}
    [shown] = [it for it in domicile.admin("GET", "/backends")["backends"] if it["backend_id"] == slow]
    assert shown["paused"]
    limit(domicile, slow, paused=False)
    for number in range(2):
        domicile.verified(bucket, f"k{number}")
    domicile.idle()
