"""The record, restored from stamps."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domicile_common.metadata_client.rebuild import Found
from domicile_common.model import Decision, Digest, Lock, Value
from domicile_metadata.domain.ids import made_at
from domicile_metadata.storage.backends import expect_replica_changes
from domicile_metadata.storage.database import Session, Statements


class HomeRow(Value, frozen=True):
    bucket_id: str
    tenant_id: str
    name: str
    is_inside: bool


async def find_home(session: Session, backend_id: str, namespace: str) -> HomeRow | None:
    """Writes to the bucket wait until the transaction ends."""
    await expect_replica_changes(session)
    row = await session.row("find_home", backend_id, namespace)
    return None if row is None else HomeRow(row["bucket_id"].hex, row["tenant_id"], row["name"], row["is_inside"])


async def restore_namespace(
    statements: Statements, owner: tuple[str, str], backend_id: str, counter: int, namespace: str
) -> None:
    """It is what the bucket (tenant id, name) is called there from now on, unless a later name is on record. An earlier one keeps its copies."""
    await statements.execute("restore_namespace", *owner, backend_id, counter, namespace)


async def restore(session: Session, bucket_id: str, place: tuple[str, str], blobs: Sequence[Found], grace_seconds: float) -> None:
    """``place``: backend id and namespace. All stamps are whole. What was replaced, or removed since, does not come back."""
    backend_id, namespace = place
    encode = msgspec.json.encode
    stamps = [it.stamp for it in blobs]
    digests = [stamp.digest or Digest(0, "") for stamp in stamps]
    locks = [stamp.lock or Lock() for stamp in stamps]
    keys = sorted({stamp.key.encode() for stamp in stamps})
    await session.execute("pass_all_restored")
    await session.execute(
        "restore_settings", bucket_id, any(not stamp.is_null for stamp in stamps), any(lock != Lock() for lock in locks)
    )
    await session.execute(
        "restore_versions",
        bucket_id,
        [stamp.version_id for stamp in stamps],
        [stamp.key.encode() for stamp in stamps],
        [digest.size for digest in digests],
        [digest.etag for digest in digests],
        [stamp.facts.storage_class for stamp in stamps],
        [encode(digest).decode() for digest in digests],
        [encode(stamp.facts).decode() for stamp in stamps],
        [encode(Decision((), (), stamp.policy_version, "rebuilt from its stamps")).decode() for stamp in stamps],
        [stamp.is_null for stamp in stamps],
        [stamp.committed_at or made_at(stamp.version_id) for stamp in stamps],
        [lock.mode for lock in locks],
        [lock.until for lock in locks],
        [lock.legal_hold for lock in locks],
    )
    await session.execute(
        "restore_copies", bucket_id, [stamp.version_id for stamp in stamps], [it.blob_key for it in blobs], backend_id, namespace
    )
    await session.execute("drop_replaced_nulls", bucket_id, keys, grace_seconds)
    await session.execute("point_at_newest", bucket_id, keys)
