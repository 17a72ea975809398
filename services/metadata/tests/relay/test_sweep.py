from __future__ import annotations

import asyncio
import dataclasses

import pytest

from domicile_common.errors import Unavailable
from domicile_common.metadata_client.models import PutPart, RegisterUpload
from domicile_common.model import Part
from domicile_metadata import sweep as sweeping
from domicile_metadata.reconcile import reconcile
from domicile_metadata.sweep import run_sweeper, sweep

pytestmark = pytest.mark.servers


async def expire(metadata) -> None:
    await metadata.sql("UPDATE intents SET deadline = now() - interval '1 second'")


async def test_a_live_intent_is_left_alone(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "a")
    assert await sweep(metadata.database) == 0
    await metadata.ask(metadata.commit(intent))


async def test_an_expired_intent_owes_the_removal_at_every_backend_that_may_have_bytes(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "a")
    await expire(metadata)
    assert await sweep(metadata.database) == 1
    assert not await metadata.sql("SELECT FROM intents")
    rows = await metadata.sql(
        "SELECT backend_id, namespace, blob_key, state FROM replicas WHERE version_id = $1", intent.version_id
    )
    written = {blob.backend_id: blob for blob in intent.blobs if blob.backend_id in intent.decision.write}
    assert {row["backend_id"] for row in rows} == set(written)
    for row in rows:
        blob = written[row["backend_id"]]
        assert (row["namespace"], row["blob_key"], row["state"]) == (blob.namespace, blob.blob_key, "deleting")
    assert await reconcile(metadata.database, 30, {"fi": 0, "de": 0, "us": 0}) == len(rows)  # due at once


async def test_a_swept_write_cannot_be_committed(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "a")
    await expire(metadata)
    await sweep(metadata.database)
    with pytest.raises(Unavailable):
        await metadata.ask(metadata.commit(intent))


async def test_the_parts_of_an_upload_go_with_it(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "a", upload=True)
    ids = {"bucket_id": intent.bucket_id, "upload_id": intent.version_id}
    await metadata.ask(RegisterUpload(**ids, uploads=dict.fromkeys(intent.decision.write, "backend's own")))
    await metadata.ask(PutPart(**ids, part=Part(1, 5, "0" * 32)))
    await expire(metadata)
    assert await sweep(metadata.database) == 1
    assert not await metadata.sql("SELECT FROM parts")
    assert set((await metadata.replicas(intent.version_id)).values()) == {"deleting"}


async def test_a_replica_of_a_version_is_never_swept(metadata):
    """Nothing leads to this; were a bug to, the committed replica would have to win."""
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "a")
    (before,) = await metadata.sql("SELECT * FROM intents")
    await metadata.ask(metadata.commit(intent))
    await metadata.sql(
        "INSERT INTO intents (bucket_id, version_id, key, decision, blobs, facts, is_upload, deadline)"
        " VALUES ($1, $2, $3, $4, $5, $6, false, now() - interval '1 second')",
        *(before[name] for name in ("bucket_id", "version_id", "key", "decision", "blobs", "facts")),
    )
    assert await sweep(metadata.database) == 1
    assert "deleting" not in (await metadata.replicas(intent.version_id)).values()


async def test_works_in_batches_and_side_by_side(metadata, monkeypatch):
    monkeypatch.setattr(sweeping, "BATCH", 3)
    bucket = await metadata.make_bucket()
    for number in range(10):
        await metadata.begin(bucket, f"key-{number}")
    await expire(metadata)
    counts = await asyncio.gather(*(sweep(metadata.database) for _ in range(3)))
    assert sum(counts) == 9
    assert await sweep(metadata.database) == 1


async def test_the_sweeper_runs(metadata):
    context = dataclasses.replace(metadata.context, settings=metadata.context.settings.model_copy(update={"sweep_seconds": 0.05}))
    await metadata.begin(await metadata.make_bucket(), "a")
    await expire(metadata)
    running = asyncio.create_task(run_sweeper(context))
    async with asyncio.timeout(20):
        while await metadata.sql("SELECT FROM intents"):  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
