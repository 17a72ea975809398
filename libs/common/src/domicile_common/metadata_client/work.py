"""The internal calls of workers: what is wanted, and what became of it. Pure."""

from __future__ import annotations

from typing import Literal

from domicile_common.metadata_client.base import Call, Request
from domicile_common.model import Blob, Digest, Value, Version


class Wanted(Request["Work"], frozen=True, kw_only=True):
    """What should be done for one replica now; asked just before doing it."""

    bucket_id: str
    version_id: str
    backend_id: str


class Work(Value, frozen=True):
    """``none``: nothing is owed (any more). ``copy``: bring ``target`` about from the first source that serves.

    ``delete``: remove the blob, its sidecar and any unfinished upload, and confirm by a definite 404. ``stamp``: write the sidecar.
    ``countries``: the lock, for the worker's own check just before it opens the target; ``None`` when there is no lock. ``suspect``: what is at the
    target was found to be wrong or missing, so only its bytes can tell. ``revision``: of what the stamp says; it goes into the report. So does
    ``fence``: by then, what was found out may count no more.
    ``adopted_etag``: the target is an adopted object, in a bucket that others may write to: what has another ETag is theirs.
    ``sidecar``: where the stamp of such a one is kept.
    """

    action: Literal["none", "copy", "delete", "stamp"]
    target: Blob | None = None
    sources: tuple[Blob, ...] = ()
    version: Version | None = None
    tenant_id: str = ""
    bucket: str = ""
    policy_version: int = 0
    countries: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None
    attempt: int = 0
    adopted_etag: str = ""
    sidecar: Blob | None = None
    suspect: bool = False
    revision: int = 0
    fence: int = 0


class Report(Request["Reported"], frozen=True, kw_only=True):
    """What became of it. Facts, not wishes: ``verified`` only after the bytes were checked, ``deleted`` only after a definite 404.

    ``failed`` carries ``error_class`` (see ``retry``) and a ``reason`` for the operator; metadata decides when to try again, or parks.
    ``working``: a copy takes long; only puts off when the replica counts as overdue, so that no second worker begins the same. The answer may
    be to stop.
    ``unsure``: bytes may have come to the target that are not those of the version, also where another worker has verified it meanwhile.
    ``blob_key``: of the target; what is reported about another blob than the one on record is out of date. ``namespace``: where that is, when
    it is ours alone.
    ``source``: the backend from which a verified copy was read, all of whose bytes have thereby been compared, too. ``learned``: the digest,
    where the record did not know all of it; what another copy has learned before must be the same.
    """

    bucket_id: str
    version_id: str
    backend_id: str
    outcome: Literal["verified", "stamped", "deleted", "failed", "working"]
    etag: str = ""
    stamped: bool = True
    error_class: str = ""
    reason: str = ""
    blob_key: str = ""
    source: str = ""
    learned: Digest | None = None
    revision: int | None = None
    unsure: bool = False
    fence: int | None = None
    namespace: str = ""

    @property
    def has_written(self) -> bool:
        """Something may have come to the target by it."""
        return self.outcome in {"verified", "stamped"} or self.unsure


class Reported(Value, frozen=True):
    """``parked``: metadata gave up for now; the worker tells the parking queue with the reason.

    ``gone``: no such replica is on record (any more), or it is another blob, so what a copy has just made must be removed again by the
    worker: its removal was confirmed while the copy was still under way. Should the worker fail in that, a removal is owed as well.

    ``stop``: to one that is at work: nobody waits for this copy any more, or it must not be made there any more.
    """

    parked: bool = False
    gone: bool = False
    stop: bool = False


CALLS = (
    Call("wanted", Wanted, Work, safe=True),
    Call("report", Report, Reported, safe=True),
)
