"""Multipart uploads and their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from domicile_common.metadata_client.models import PartEntry, RegisterUpload, Upload
from domicile_common.model import Blob, Decision, Facts, Part, Tenant
from domicile_metadata.storage.database import Statements

_BLOBS = msgspec.json.Decoder(tuple[Blob, ...])
_FACTS = msgspec.json.Decoder(Facts)
_DECISION = msgspec.json.Decoder(Decision)
_TEXTS = msgspec.json.Decoder(dict[str, str])
_INITIATOR: msgspec.json.Decoder[Tenant | None] = msgspec.json.Decoder(Tenant | None)

EVERY_PART = 10_000  # no upload has more


async def register(statements: Statements, asked: RegisterUpload) -> bool:
    """False when the upload is gone."""
    facts = _text(asked.uploads), asked.checksum_algorithm, asked.checksum_type, _text(asked.initiator)
    return bool(await statements.execute("register_upload", asked.bucket_id, asked.upload_id, *facts))


async def find(statements: Statements, bucket_id: str, key: str, upload_id: str) -> Upload | None:
    row = await statements.row("find_upload", bucket_id, upload_id, key.encode())
    if row is None:
        return None
    uploads = _TEXTS.decode(row["uploads"])
    return Upload(
        bucket_id=bucket_id,
        key=key,
        upload_id=upload_id,
        initiated_at=row["created_at"],
        facts=_FACTS.decode(row["facts"]),
        blobs=tuple(blob for blob in _BLOBS.decode(row["blobs"]) if blob.backend_id in uploads),
        uploads=uploads,
        checksum_algorithm=row["checksum_algorithm"],
        checksum_type=row["checksum_type"],
        quorum=_DECISION.decode(row["decision"]).least,
        initiator=initiator_of(row),
    )


def initiator_of(row: Any) -> Tenant | None:
    """Of a row of ``intents``."""
    return _INITIATOR.decode(row["initiator"] or "null")


async def put_part(
    statements: Statements, bucket_id: str, upload_id: str, part: Part, checksums: Mapping[str, str], *, live_seconds: float
) -> bool:
    """False when the upload is gone."""
    columns = part.number, part.size, part.etag, _text(checksums), part.crc
    return bool(await statements.execute("put_part", bucket_id, upload_id, *columns, live_seconds))


async def drop(statements: Statements, bucket_id: str, upload_id: str, backend_ids: Sequence[str]) -> bool:
    """False when the upload is gone, being completed, or could not go on without these backends."""
    return bool(await statements.execute("drop_upload_targets", bucket_id, upload_id, backend_ids))


async def list_parts(statements: Statements, bucket_id: str, upload_id: str, *, after: int, limit: int) -> list[PartEntry]:
    rows = await statements.fetch("list_parts", bucket_id, upload_id, after, limit)
    return [
        PartEntry(
            Part(row["number"], row["size"], row["etag"], crc=row["crc"]), row["created_at"], _TEXTS.decode(row["checksums"])
        )
        for row in rows
    ]


async def choose(statements: Statements, bucket_id: str, upload_id: str, parts: Sequence[Part]) -> bool:
    """False when the upload is gone, or other parts were chosen before."""
    return bool(await statements.execute("choose_parts", bucket_id, upload_id, _text(parts)))


async def reopen(statements: Statements, bucket_id: str, upload_id: str) -> None:
    """One of the completions that have chosen the parts has ended, and made nothing of them."""
    await statements.execute("reopen_upload", bucket_id, upload_id)


def _text(document: object) -> str:
    return msgspec.json.encode(document).decode()
