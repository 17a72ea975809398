"""What exists follows its policy: copies are added, and those that are not wanted any more go once the others are verified.

``request`` says that something has changed; ``compare`` looks at versions and does what has become necessary. A version that is where it
should be is looked at once for each change, and then no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domicile_common.errors import PolicyRefused
from domicile_common.model import Blob
from domicile_common.policy import of_object
from domicile_common.stamps import blob_key
from domicile_metadata.context import Context
from domicile_metadata.domain.arrangement import Arrangement, arrange
from domicile_metadata.domain.levels import effective_policy
from domicile_metadata.services.buckets import namespaces_for
from domicile_metadata.storage import buckets, intents, rearrange
from domicile_metadata.storage.buckets import BucketRecord
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.rearrange import Found, Reference, Unsettled

BUSY_SECONDS: Final = 5  # until a version that somebody else was changing is looked at again
FRESH_BYTES: Final = 4


async def request(context: Context, session: Session, bucket_ids: Sequence[str] | None, cause: str) -> None:
    """All versions of these buckets (of every bucket, when ``None``) are compared from now on.

    To be called in the transaction of the change, after it: writes that were decided before cannot begin any more, and those that would go
    outside a lock end. The caller holds off commits to the buckets, or all changes of replicas.
    """
    await rearrange.raise_epochs(session, bucket_ids, cause)
    await _end_outside(context, session, bucket_ids)
    await rearrange.await_intents(session, bucket_ids)


async def end_outside(context: Context, bucket_id: str) -> bool:
    """Ends those writes outside the lock that were in somebody's hands when it was set: whether none is left."""
    async with context.database.transaction() as session:
        await _end_outside(context, session, [bucket_id])
        return not await rearrange.has_intents_outside(session, bucket_id)


async def _end_outside(context: Context, session: Session, bucket_ids: Sequence[str] | None) -> None:
    outside = await rearrange.intents_outside(session, bucket_ids)
    if outside:
        await intents.end(session, outside, context.settings.removal_grace_seconds)


async def compare(context: Context, references: Sequence[Reference]) -> int:
    """Looks at these versions, and does what is necessary now: how many were changed.

    Most of a page are as they should be, so they are first looked at without holding anything. Raises ``PolicyRefused`` when a lock comes
    between; it will be followed by a comparison of its own.
    """
    records = await buckets.find_by_id(context.database, {bucket_id for bucket_id, _ in references})
    found = await rearrange.read(context.database, references)
    concerned = [version.reference for version in found if _is_concerned(version, records)]
    if not concerned:
        return 0
    async with context.database.transaction() as session:
        return await _change(context, session, concerned)


def _is_concerned(version: Found, records: Mapping[str, BucketRecord]) -> bool:
    if version.due_at is not None or version.key is None:
        return version.due_at is not None
    arrangement = _arrangement(version, records[version.reference[0]])
    return arrangement.changes or not arrangement.is_settled


def _arrangement(version: Found, record: BucketRecord) -> Arrangement:
    try:
        policy = effective_policy(record.levels.documents, record.levels.version)
    except PolicyRefused as refused:
        return Arrangement(wanted=(), refusal=refused.message)
    return arrange(of_object(policy, version.storage_class, version.copies_asked_for), record.backends, version.copies)


async def _change(context: Context, session: Session, references: Sequence[Reference]) -> int:
    # 1. Nobody else changes these versions and their replicas now.
    held = await rearrange.hold(session, references)
    # 2. What should be?
    records = await buckets.find_by_id(session, {bucket_id for bucket_id, _ in references})
    changes = _Changes(context, session)
    for version in await rearrange.read(session, references):
        if version.key is None:
            changes.await_version(version)
        elif version.reference in held:
            await changes.plan(version, records[version.reference[0]])
        else:
            changes.unsettled.append(Unsettled(version.reference, changes.soon))
    # 3. Bring it about.
    await changes.carry_out()
    return len(changes.decisions)


@dataclass
class _Changes:
    """What a comparison comes to, for all its versions together."""

    context: Context
    session: Session
    add: list[tuple[Reference, Blob]] = field(default_factory=list)
    remove: list[tuple[Reference, str]] = field(default_factory=list)
    decisions: list[tuple[Reference, dict[str, Any]]] = field(default_factory=list)
    unsettled: list[Unsettled] = field(default_factory=list)
    postponed: list[tuple[Found, datetime]] = field(default_factory=list)
    settled: list[Reference] = field(default_factory=list)

    @property
    def soon(self) -> datetime:
        return self.context.clock() + timedelta(seconds=BUSY_SECONDS)

    def await_version(self, intent: Found) -> None:
        """It may yet become a version, unless it is gone."""
        if intent.deadline is None:
            self.settled.append(intent.reference)
        else:
            self.postponed.append((intent, max(intent.deadline, self.soon)))

    async def plan(self, version: Found, record: BucketRecord) -> None:
        arrangement, reference = _arrangement(version, record), version.reference
        if arrangement.add:
            self.add += await self._new_blobs(version, record, arrangement.add)
        self.remove += [(reference, backend_id) for backend_id in arrangement.remove]
        if arrangement.changes:
            self.decisions.append((reference, _decision(record, arrangement)))
        if arrangement.is_settled:
            self.settled.append(reference)
        else:
            self.unsettled.append(Unsettled(reference, refusal=arrangement.refusal))

    async def _new_blobs(self, version: Found, record: BucketRecord, backend_ids: Sequence[str]) -> list[tuple[Reference, Blob]]:
        added = [backend for backend in record.backends if backend.backend_id in backend_ids]
        namespaces = await namespaces_for(self.context, self.session, record, added)
        assert version.key is not None
        return [
            (version.reference, Blob(name, namespaces[name], blob_key(version.key, version.reference[1], record.layout, again)))
            for name in backend_ids
            for again in [self.context.entropy(FRESH_BYTES).hex() if name in version.removed_from else ""]
        ]

    async def carry_out(self) -> None:
        """What is owed then is found by the reconciler."""
        if self.add:
            await rearrange.want(self.session, self.add)
        if self.remove:
            await rearrange.unwant(self.session, self.remove, self.context.settings.removal_grace_seconds)
        if self.decisions:
            await rearrange.redecide(self.session, self.decisions)
        if self.unsettled:
            await rearrange.unsettle(self.session, self.unsettled)
        if self.postponed:
            await rearrange.postpone(self.session, self.postponed)
        if self.settled:
            await rearrange.settle(self.session, self.settled)


def _decision(record: BucketRecord, arrangement: Arrangement) -> dict[str, Any]:
    countries = {backend.backend_id: backend.country for backend in record.backends}
    places = ", ".join(f"{name} ({countries[name]})" for name in arrangement.wanted) or "nowhere"
    return {
        "wanted": arrangement.wanted,
        "policy_version": record.levels.version,
        "reason": f"{places}: rearranged{f'; {arrangement.refusal}' if arrangement.refusal else '.'}",
    }
