"""Pages of keys and of uploads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.models import ObjectEntry, UploadEntry, VersionEntry
from domicile_metadata.storage.database import Statements
from domicile_metadata.storage.uploads import initiator_of


class _ListedDigest(msgspec.Struct, frozen=True):
    """What a listing shows of a ``Digest``."""

    checksums: dict[str, str] = {}
    checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] = "FULL_OBJECT"


class _ListedFacts(msgspec.Struct, frozen=True):
    storage_class: str = "STANDARD"
    acl: Acl | None = None


_DIGEST = msgspec.json.Decoder(_ListedDigest)
_FACTS = msgspec.json.Decoder(_ListedFacts)


async def list_objects(
    statements: Statements, bucket_id: str, *, prefix: str, delimiter: str, start: bytes, limit: int
) -> Sequence[ObjectEntry | str]:
    """Up to ``limit`` entries from ``start`` on; a text is a common prefix."""
    if delimiter:
        rows = await statements.fetch("walk_objects", bucket_id, prefix.encode(), delimiter.encode(), start, limit)
    else:
        rows = await statements.fetch("scan_objects", bucket_id, prefix.encode(), start, limit)
    return [_object(row) for row in rows]


async def list_versions(
    statements: Statements,
    bucket_id: str,
    *,
    prefix: str,
    delimiter: str,
    mark: tuple[str, str] | None,
    start: bytes,
    limit: int,
) -> Sequence[VersionEntry | str]:
    """Up to ``limit`` entries: first the older versions of the key of ``mark`` (key and version id), then those from ``start`` on."""
    key, seq = None, None
    if mark is not None:
        key = mark[0].encode()
        seq = await statements.value("find_version_mark", bucket_id, key, mark[1])
    rows = await statements.fetch("walk_versions", bucket_id, prefix.encode(), delimiter.encode(), key, seq, start, limit)
    return [_version(row) for row in rows]


def _version(row: Any) -> VersionEntry | str:
    entry = _object(row[:7])
    if isinstance(entry, str):
        return entry
    return VersionEntry(entry, row["version_id"].hex, row["is_null"], row["is_latest"], row["is_delete_marker"])


def _object(row: Any) -> ObjectEntry | str:
    entry, is_prefix, size, etag, committed_at, storage_class, digest = row
    key: str = entry.decode()
    if is_prefix:
        return key
    known = _DIGEST.decode(digest)
    return ObjectEntry(
        key=key,
        size=size,
        etag=etag,
        last_modified=committed_at,
        storage_class=storage_class,
        checksum_algorithms=tuple(known.checksums),
        checksum_type=known.checksum_type if known.checksums else "",
    )


async def bucket_exists(statements: Statements, bucket_id: str) -> bool:
    exists: bool = await statements.value("bucket_exists", bucket_id)
    return exists


async def list_uploads(
    statements: Statements, bucket_id: str, *, prefix: str, delimiter: str, behind: tuple[bytes, str], limit: int
) -> Sequence[UploadEntry | str]:
    """Up to ``limit`` entries behind (key, upload id); a text is a common prefix."""
    rows = await statements.fetch("walk_uploads", bucket_id, prefix.encode(), delimiter.encode(), *behind, limit)
    return [_upload(row) for row in rows]


def _upload(row: Any) -> UploadEntry | str:
    key: str = row["entry"].decode()
    if row["is_prefix"]:
        return key
    initiated_at: datetime = row["created_at"]
    facts = _FACTS.decode(row["facts"])
    return UploadEntry(
        key=key,
        upload_id=row["version_id"].hex,
        initiated_at=initiated_at,
        storage_class=facts.storage_class,
        checksum_algorithm=row["checksum_algorithm"],
        checksum_type=row["checksum_type"],
        acl=facts.acl,
        initiator=initiator_of(row),
    )
