"""A write from its intent to its version: what a batch of commits comes to, before anything is recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import Commit, Condition
from domicile_common.model import Blob, Decision, DefaultRetention, Digest, Facts, Lock, Part, ReplicaState


@dataclass(frozen=True, slots=True)
class NewIntent:
    """``seconds``: how long it lives unless it is renewed. ``epoch``: the bucket's, when its policy and the backends were read."""

    bucket_id: str
    version_id: str
    key: str
    decision: Decision
    blobs: tuple[Blob, ...]
    facts: Facts
    is_upload: bool
    trace: str
    seconds: float
    epoch: int
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class TakenIntent:
    """An intent that a commit has ended. ``parts``: those of an upload, ``None`` while they have not been chosen.

    ``makes_null``: the version replaces the key's null version (the bucket is not versioned). ``lock``: what was asked for when it began;
    ``default_retention``: what the bucket has for versions that bring none. ``has_quota``: the owner, if it has a quota to be kept to.
    """

    bucket_id: str
    version_id: str
    key: str
    decision: Decision
    blobs: tuple[Blob, ...]
    facts: Facts
    is_upload: bool
    parts: tuple[Part, ...] | None
    trace: str
    makes_null: bool
    lock: Lock | None = None
    default_retention: DefaultRetention | None = None
    has_quota: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A commit that counts. ``is_last``: of its key in this batch. A null version that is not the last was replaced at once."""

    request: Commit
    intent: TakenIntent
    digest: Digest
    lock: Lock | None = None
    is_last: bool = True

    @property
    def is_replaced(self) -> bool:
        return self.intent.makes_null and not self.is_last


@dataclass(frozen=True, slots=True)
class Refused:
    """A commit that does not count; what was written for ``intent`` is to be removed."""

    error: RequestError
    intent: TakenIntent


@dataclass(frozen=True, slots=True)
class NewReplica:
    """``due_seconds``: when it counts as overdue, ``None`` when nothing is owed. ``is_announced``: a message goes out at once."""

    intent: TakenIntent
    blob: Blob
    state: ReplicaState
    stamped: bool
    due_seconds: float | None
    is_announced: bool


Verdict = Accepted | Refused | Unavailable


def judge(
    requests: Sequence[Commit], taken: Mapping[str, TakenIntent], etags: Mapping[tuple[str, str], str], now: datetime
) -> list[Verdict]:
    """What becomes of each commit, as if they came one after the other.

    ``taken``: the intents that were there, by version id. ``etags``: of current versions by (bucket id, key), for the keys that
    conditions ask about. ``now``: from when on default retention counts.
    """
    remaining, current = dict(taken), dict(etags)
    last: dict[tuple[str, str], int] = {}
    verdicts: list[Verdict] = []
    for position, request in enumerate(requests):
        intent = remaining.pop(request.version_id, None)
        if intent is None or intent.bucket_id != request.bucket_id:
            verdicts.append(Unavailable("the write took too long, or was ended: try again"))
            continue
        key = (intent.bucket_id, intent.key)
        try:
            check_condition(request.condition, current.get(key), intent.key)
            verdict = Accepted(request, intent, _digest(request, intent), lock_at_commit(intent, now))
        except RequestError as error:
            verdicts.append(Refused(error, intent))
            continue
        verdicts.append(verdict)
        earlier = verdicts[last[key]] if key in last else None
        if isinstance(earlier, Accepted):
            verdicts[last[key]] = replace(earlier, is_last=False)
        last[key] = position
        current[key] = verdict.digest.etag
    return verdicts


def check_condition(condition: Condition, etag: str | None, key: str) -> None:
    """Raises ``PreconditionFailed`` or, for an If-Match of an absent key, ``NoSuchKey``.

    ``etag``: of the key's current version, ``None`` when it has none.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    if etag is not None and (condition.if_none_match or etag in condition.other_than):
        raise _failed("If-None-Match")
    if condition.if_match is not None and etag is None:
        raise RequestError("NoSuchKey", "The specified key does not exist.", {"Key": key})
    if condition.if_match not in (None, "*", etag):
        raise _failed("If-Match")


def _failed(header: str) -> RequestError:
    return RequestError(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.", {"Condition": header}
    )


def lock_at_commit(intent: TakenIntent, now: datetime) -> Lock | None:
    """What the client asked for; where it asked for no retention, the bucket's default.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
    """
    default = intent.default_retention
    if default is None or (intent.lock is not None and intent.lock.mode is not None):
        return intent.lock
    until = _years_later(now, default.years) + timedelta(days=default.days)
    return Lock(default.mode, until, None if intent.lock is None else intent.lock.legal_hold)


def _years_later(now: datetime, years: int) -> datetime:
    try:
        return now.replace(year=now.year + years)
    except ValueError:  # the 29th of February
        return now.replace(year=now.year + years, month=3, day=1)


def _digest(request: Commit, intent: TakenIntent) -> Digest:
    """The digest to record. Refuses a commit that is stored on fewer backends than were decided, or elsewhere."""
    stored = {item.backend_id for item in request.stored}
    if len(stored) < intent.decision.least or not stored <= set(intent.decision.wanted):
        raise RequestError("InvalidRequest", "The blob is not stored where the decision wants it.")
    if not intent.is_upload:
        return request.digest
    if intent.parts is None:
        raise RequestError("InvalidRequest", "The upload's parts have not been chosen.")
    return msgspec.structs.replace(request.digest, parts=intent.parts)


def replicas_of(verdict: Verdict, overdue_seconds: float, grace_seconds: float) -> Iterator[NewReplica]:
    """What the record holds of a commit's blobs from now on.

    A stored blob is verified: the proxy has hashed the bytes on their way and compared the backend's answer (where ETags prove nothing, the backend
    may have compared their MD5: docs/reliability.md). What is still owed (a copy,
    a stamp, the removal of a refused blob) is announced at once, and found by the reconciler when nobody reports in time. A blob that
    was replaced at once is removed after the grace, like every replaced one. A lock is settled only now, so a locked version owes its stamp.
    """
    if isinstance(verdict, Unavailable):
        return
    intent = verdict.intent
    if isinstance(verdict, Refused):
        for blob in intent.blobs:
            if blob.backend_id in intent.decision.write:
                yield NewReplica(intent, blob, "deleting", stamped=True, due_seconds=overdue_seconds, is_announced=True)
        return
    stamped = {stored.backend_id: stored.stamped and verdict.lock is None for stored in verdict.request.stored}
    for blob in intent.blobs:
        is_stored = blob.backend_id in stamped
        is_owed = not stamped.get(blob.backend_id, False)
        if not verdict.is_replaced:
            yield NewReplica(
                intent,
                blob,
                "verified" if is_stored else "wanted",
                stamped=stamped.get(blob.backend_id, True),
                due_seconds=overdue_seconds if is_owed else None,
                is_announced=is_owed,
            )
        elif (
            is_stored or blob.backend_id in intent.decision.write
        ):  # where a write broke off, something may be there all the same
            yield NewReplica(intent, blob, "deleting", stamped=True, due_seconds=grace_seconds, is_announced=False)
