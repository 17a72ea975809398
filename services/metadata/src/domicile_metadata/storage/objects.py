"""Keys and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.models import Replica
from domicile_common.model import Blob, Facts, Value
from domicile_metadata.storage.database import Session, Statements


class RawVersion(Value, frozen=True):
    """A ``Version`` whose documents go from PostgreSQL to the caller as the text that they are."""

    bucket_id: str
    key: str
    version_id: str
    committed_at: Any
    facts: msgspec.Raw
    digest: msgspec.Raw
    is_null: bool = True
    is_delete_marker: bool = False


class Found(Value, frozen=True):
    """A ``Located`` in the same sense. ``version`` is ``None`` when the key has none."""

    version: RawVersion | None
    replicas: tuple[Replica, ...]


async def locate(statements: Statements, keys: Sequence[tuple[str, str]]) -> list[Found | None]:
    """What each (bucket id, key) holds; ``None`` where there is no such bucket."""
    rows = await statements.fetch("locate_objects", [bucket_id for bucket_id, _ in keys], [key.encode() for _, key in keys])
    return [_found(bucket_id, key, row) for (bucket_id, key), row in zip(keys, rows, strict=True)]


async def locate_versions(statements: Statements, keys: Sequence[tuple[str, str, str | None]]) -> list[Found | None]:
    """The same for (bucket id, key, version id), the version id ``None`` for the null version."""
    rows = await statements.fetch(
        "locate_versions",
        [bucket_id for bucket_id, _, _ in keys],
        [key.encode() for _, key, _ in keys],
        [version_id for _, _, version_id in keys],
    )
    return [_found(bucket_id, key, row) for (bucket_id, key, _), row in zip(keys, rows, strict=True)]


def _found(bucket_id: str, key: str, row: Any) -> Found | None:
    home, version_id, committed_at, facts, digest, is_null, is_delete_marker, readable = row
    if home is None:
        return None
    if version_id is None:
        return Found(None, ())
    version = RawVersion(
        bucket_id, key, version_id.hex, committed_at, msgspec.Raw(facts), msgspec.Raw(digest), is_null, is_delete_marker
    )
    replicas = tuple(
        Replica(Blob(backend_id, namespace, blob_key), verified=state == "verified")
        for backend_id, namespace, blob_key, state in readable
    )
    return Found(version, replicas)


async def delete_null_versions(session: Session, keys: Sequence[tuple[str, str]], grace_seconds: float) -> set[str]:
    """Removes what is there of (bucket id, key), and answers which of the buckets exist."""
    columns = [bucket_id for bucket_id, _ in keys], [key.encode() for _, key in keys]
    await session.execute("lock_keys", *columns)
    return {row["bucket_id"].hex for row in await session.fetch("delete_null_versions", *columns, grace_seconds)}


_FACTS = msgspec.json.Decoder(Facts)


async def put_acl(session: Session, bucket_id: str, version_id: str, acl: Acl | None) -> bool:
    """Whether there is such a version."""
    document = await session.value("lock_facts", bucket_id, version_id)
    if document is None:
        return False
    facts = msgspec.structs.replace(_FACTS.decode(document), acl=acl)
    await session.execute("update_facts", bucket_id, version_id, msgspec.json.encode(facts).decode())
    return True
