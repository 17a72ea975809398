"""Replicas, as workers ask about them and report on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from domicile_common.metadata_client.models import Report
from domicile_common.model import BackendState, Blob, Digest, Facts, Version
from domicile_metadata.domain.work import Replica
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.objects import lock_of

_DIGEST = msgspec.json.Decoder(Digest)
_FACTS = msgspec.json.Decoder(Facts)

Identity = tuple[str, str, str]  # bucket id, version id, backend id


@dataclass(frozen=True, slots=True)
class Debt:
    """One replica with everything that work on it needs. ``version`` is ``None`` when only its removal can be owed.

    ``adopted_etag``, ``home``: of an adopted blob; the namespace where its stamp is kept.
    ``countries``/``jurisdictions``: the bucket's lock. ``is_inside``: the backend is inside it, and the bucket is there.
    ``is_last``: to be removed, although its version has no good copy.
    """

    replica: Replica
    target: Blob
    sources: tuple[Blob, ...]
    backend: BackendState
    is_inside: bool
    version: Version | None
    tenant_id: str
    bucket: str
    policy_version: int
    countries: tuple[str, ...] | None
    jurisdictions: tuple[str, ...] | None
    adopted_etag: str = ""
    home: str = ""
    is_last: bool = False


async def find(statements: Statements, ids: Sequence[Identity]) -> list[Debt | None]:
    """``None`` where there is no such replica."""
    rows = await statements.fetch("find_work", *_columns(ids))
    return [None if row["state"] is None else _debt(asked, row) for asked, row in zip(ids, rows, strict=True)]


def _debt(asked: Identity, row: Any) -> Debt:
    bucket_id, version_id, backend_id = asked
    version = None
    if row["key"] is not None:
        version = Version(
            bucket_id=bucket_id,
            key=row["key"].decode(),
            version_id=version_id,
            committed_at=row["committed_at"],
            facts=_FACTS.decode(row["facts"]),
            digest=_DIGEST.decode(row["digest"]),
            is_null=row["is_null"],
            is_delete_marker=row["is_delete_marker"],
            lock=lock_of(row["lock_mode"], row["lock_until"], row["legal_hold"]),
        )
    return Debt(
        replica=Replica(row["state"], row["stamped"], row["attempt"], revision=row["revision"], fence=row["fence"]),
        target=Blob(backend_id, row["namespace"], row["blob_key"]),
        sources=tuple(map(Blob, row["backend_ids"] or (), row["namespaces"] or (), row["blob_keys"] or ())),
        backend=row["backend_state"],
        is_inside=bool(row["is_inside"]),
        version=version,
        tenant_id=row["tenant_id"] or "",
        bucket=row["name"] or "",
        policy_version=row["policy_version"] or 0,
        countries=_codes(row["countries"]),
        jurisdictions=_codes(row["jurisdictions"]),
        adopted_etag=row["adopted_etag"] or "",
        home=row["home"] or "",
        is_last=row["is_last"],
    )


def _codes(column: list[str] | None) -> tuple[str, ...] | None:
    return None if column is None else tuple(column)


async def learn(session: Session, learned: Mapping[tuple[str, str], Digest]) -> dict[tuple[str, str], str]:
    """(bucket id, version id) → the CRC on record from now on, for those that exist: the one learned, or what was learned before."""
    ids = sorted(learned)
    documents = [msgspec.json.encode(learned[identity]).decode() for identity in ids]
    rows = await session.fetch("learn_digests", [item[0] for item in ids], [item[1] for item in ids], documents)
    return {(row["bucket_id"].hex, row["version_id"].hex): row["crc"] for row in rows}


async def lock(session: Session, ids: Sequence[Identity]) -> dict[Identity, Replica]:
    """Those that exist; nobody else changes them until the transaction ends."""
    rows = await session.fetch("lock_replicas", *_columns(ids))
    return {
        (row["bucket_id"].hex, row["version_id"].hex, row["backend_id"]): Replica(
            row["state"],
            row["stamped"],
            row["attempt"],
            row["due_seconds"],
            row["parked_reason"],
            row["blob_key"],
            row["age_seconds"],
            looks=row["looks"],
            revision=row["revision"],
            fence=row["fence"],
            is_writable=row["is_writable"],
        )
        for row in rows
    }


async def update(
    session: Session,
    replicas: Mapping[Identity, Replica],
    verified: Collection[Identity],
    failures: Mapping[Identity, tuple[str, str]] = MappingProxyType({}),
) -> None:
    """``verified``: those whose bytes have been compared just now. ``failures``: error class and reason of those that have failed.

    Raises ``PolicyRefused`` when one lies outside its bucket's lock.
    """
    nothing = (None, None)
    ids = sorted(replicas)  # everybody takes what depends on them in this order
    rows = [replicas[identity] for identity in ids]
    await session.execute(
        "update_replicas",
        *_columns(ids),
        [row.state for row in rows],
        [row.stamped for row in rows],
        [row.attempt for row in rows],
        [row.due_seconds for row in rows],
        [row.parked_reason for row in rows],
        [identity in verified for identity in ids],
        [failures.get(identity, nothing)[0] for identity in ids],
        [failures.get(identity, nothing)[1] for identity in ids],
        [row.looks for row in rows],
        [row.fence for row in rows],
    )


async def remove_late(session: Session, reports: Sequence[Report]) -> None:
    """Owes the removal of what has come to its place after the removal of just that was confirmed."""
    columns = (
        [report.bucket_id for report in reports],
        [report.version_id for report in reports],
        [report.backend_id for report in reports],
        [report.namespace for report in reports],
        [report.blob_key for report in reports],
    )
    await session.execute("remove_late_copies", *columns)


async def close(session: Session, ids: Iterable[Identity], *, confirmed: bool) -> None:
    """They are gone. ``confirmed``: a definite 404 has said so; otherwise their backend is lost."""
    await session.execute("close_replicas", *_columns(sorted(ids)), confirmed)


async def due_at_lost(session: Session, limit: int) -> list[Identity]:
    """Removals that are due at backends that are lost; nobody else changes them until the transaction ends."""
    rows = await session.fetch("find_due_at_lost", limit)
    return [(row["bucket_id"].hex, row["version_id"].hex, row["backend_id"]) for row in rows]


def _columns(ids: Sequence[Identity]) -> tuple[list[str], list[str], list[str]]:
    return [item[0] for item in ids], [item[1] for item in ids], [item[2] for item in ids]
