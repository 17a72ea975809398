"""What to do for one replica: from what metadata wants and what is known of the backends to one step. Pure.

This is the third of the four places that enforce residency: nothing is opened at a target that this module does not allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domicile_common.metadata_client.models import Work
from domicile_common.model import Backend, Blob, Digest, Value, Version
from domicile_common.policy import admits
from domicile_common.retry import ErrorClass

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
SMALLEST_PART: Final = 5 * 2**20
MOST_PARTS: Final = 10_000

# From this size on, asking whether the blob is there already is cheap beside copying it once more.
LOOK_BYTES: Final = 2**20


class Nothing(Value, frozen=True):
    """Nothing is owed (any more)."""


class Refuse(Value, frozen=True):
    """The step is not allowed or not possible: ``error_class`` as in ``retry``."""

    error_class: ErrorClass
    reason: str


class Copy(Value, frozen=True):
    """``parts``: sizes in bytes of the parts to upload; empty for a plain PUT.

    ``sources``: none only when what is at the target was called into question, and may yet be right.
    ``etag``: what a target whose ETags are MD5 will show, ``""`` when the record (or such a target) cannot tell. ``look``: the blob may be
    there already.
    """

    work: Work
    target: Blob
    sources: tuple[Blob, ...]
    version: Version
    parts: tuple[int, ...] = ()
    etag: str = ""
    look: bool = False


class Remove(Value, frozen=True):
    """``adopted_etag``, ``sidecar``: as in ``Work``."""

    target: Blob
    adopted_etag: str = ""
    sidecar: Blob | None = None


class WriteSidecar(Value, frozen=True):
    work: Work
    target: Blob
    version: Version


Step = Nothing | Refuse | Copy | Remove | WriteSidecar


def plan(work: Work, backends: Mapping[str, Backend], multipart_bytes: int) -> Step:
    """The step that ``work`` asks for. ``multipart_bytes``: larger blobs are uploaded in parts of about this size."""
    if work.action == "none":
        return Nothing()
    target = work.target
    if target is None:
        return Refuse("internal", "metadata named no target")
    backend = backends.get(target.backend_id)
    if backend is None or backend.state in ("disabled", "lost"):
        return Refuse("unavailable", f"backend {target.backend_id} is not in service")
    if work.action == "delete":
        return Remove(target, work.adopted_etag, work.sidecar)
    fault = admits(work, backend)
    return Refuse("refused", fault) if fault else _write(work, target, backends, multipart_bytes)


def _write(work: Work, target: Blob, backends: Mapping[str, Backend], multipart_bytes: int) -> Step:
    version = work.version
    if version is None:
        return Refuse("internal", "metadata named no version")
    if work.action == "stamp":
        return WriteSidecar(work, target, version)
    sources = tuple(source for source in work.sources if source.backend_id in backends and source.backend_id != target.backend_id)
    if not sources and not work.suspect:
        return Refuse("missing_source", "no other backend holds a copy")
    digest = version.digest
    parts = part_sizes(digest, multipart_bytes)
    same_cut = parts == tuple(part.size for part in digest.parts)
    return Copy(
        work,
        target,
        sources,
        version,
        parts,
        etag=digest.stored_etag if same_cut and not work.suspect else "",
        look=work.suspect or work.attempt > 0 or digest.size >= LOOK_BYTES,
    )


def part_sizes(digest: Digest, multipart_bytes: int) -> tuple[int, ...]:
    """How to cut the bytes for the target; empty for a plain PUT.

    The parts of the version where S3 allows them anew, so that the copy gets the same ETag; otherwise equal parts that are large enough.
    """
    sizes = tuple(part.size for part in digest.parts)
    if sizes and sum(sizes) == digest.size and all(size >= SMALLEST_PART for size in sizes[:-1]) and sizes[-1] > 0:
        return sizes
    if digest.size <= multipart_bytes:
        return ()
    size = max(multipart_bytes, SMALLEST_PART, -(-digest.size // MOST_PARTS))
    whole, rest = divmod(digest.size, size)
    return (size,) * whole + ((rest,) if rest else ())
