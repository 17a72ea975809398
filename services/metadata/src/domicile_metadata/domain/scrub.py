"""What the record says of what a backend lists. Pure.

The record knows of a blob before its first byte is written, and until after its removal was confirmed; and it remembers removals. So a blob
that nothing on record explains was not made by Domicile, or by one whose record has been lost (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from domicile_common.metadata_client.health import Doubt
from domicile_common.metadata_client.scrub import Listed
from domicile_common.model import Blob, Digest, ReplicaState
from domicile_common.stamps import SIDECAR_FOLDER, sidecar_key, version_of_blob

GOOD: Final = frozenset({"stored", "verified"})
Verdict = Literal["good", "known", "suspect", "orphaned", "unknown", "foreign"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of one version at one backend. ``state``: ``None`` without a replica. ``digest``: ``None`` without a version.

    ``written_to``: blob keys of a write that has begun. ``removed``: those that were removed. ``is_at_rest``: nobody has changed the replica for an
    hour.
    """

    bucket_id: str
    state: ReplicaState | None = None
    blob_key: str = ""
    digest: Digest | None = None
    written_to: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_at_rest: bool = False


def version_of(key: str) -> str | None:
    """The version id in the key of a blob or of a sidecar; ``None`` when it is neither."""
    folder = f"{SIDECAR_FOLDER}/"
    if not key.startswith(folder):
        return version_of_blob(key)
    name = key.rpartition("/")[2].removesuffix(".json")
    return version_of_blob(name) if sidecar_key(name) == key else None


def judge(listed: Listed, known: Iterable[Known], *, etag_is_md5: bool) -> tuple[Verdict, Known | None]:
    """``known``: all that is on record of its version, once for each bucket that has or had this physical name."""
    is_sidecar = listed.key.startswith(f"{SIDECAR_FOLDER}/")
    if version_of(listed.key) is None:  # where uploads are put together, what is left goes with their blobs
        return ("known" if is_sidecar else "foreign"), None

    def means(blob_key: str) -> bool:
        return (sidecar_key(blob_key) if is_sidecar else blob_key) == listed.key

    verdict: Verdict = "unknown"
    for it in known:
        if it.state is not None and is_sidecar:  # perhaps of an adopted object, which lies elsewhere
            return "known", it
        if it.state is not None and means(it.blob_key):
            if it.state not in GOOD or it.digest is None:
                return "known", it
            return ("good" if looks_right(listed, it.digest, etag_is_md5=etag_is_md5) else "suspect"), it
        if any(map(means, it.written_to)):
            return "known", it
        if any(map(means, it.removed)):
            verdict = "orphaned"
    return verdict, None


def looks_right(listed: Listed, digest: Digest, *, etag_is_md5: bool) -> bool:
    """As far as a listing can tell. A copy may have been cut into other parts than its source: then its ETag tells nothing."""
    if listed.size != digest.size:
        return False
    listed_parts = listed.etag.partition("-")[2]
    comparable = etag_is_md5 and listed.etag != "" and listed_parts == (str(len(digest.parts)) if digest.parts else "")
    return not comparable or listed.etag == digest.etag


def is_leftover(key: str, known: Iterable[Known]) -> bool:
    """Whether nobody is (or will be) writing to this blob key: then an unfinished upload to it has no owner."""
    for it in known:
        if key in it.written_to:
            return False
        if it.state is not None and it.blob_key == key:
            return it.state in GOOD and it.is_at_rest
    return True


def to_look_at(doubts: Iterable[Doubt], readable: Mapping[str, Collection[Blob]]) -> list[Doubt]:
    """The doubted copies that reads can do without meanwhile: a readable one that nobody doubts is left. ``readable``: by version id."""
    doubted = {doubt.blob: doubt for doubt in doubts}
    looked_at = []
    for blobs in readable.values():
        at_issue = [doubted[blob] for blob in blobs if blob in doubted]
        if len(at_issue) < len(blobs):
            looked_at += at_issue
    return looked_at
