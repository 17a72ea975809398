"""What a change of policy or of a backend would have moved, before anything is. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domicile_common.model import Backend, EffectivePolicy, Value
from domicile_common.policy import admits, of_object
from domicile_metadata.domain.arrangement import Copy, arrange
from domicile_metadata.domain.demands import Broken


class Alike(NamedTuple):
    """Versions of one bucket whose copies are in the same places and states. ``bytes``: of one copy of each, together."""

    storage_class: str
    copies_asked_for: str | None
    copies: tuple[Copy, ...]
    objects: int
    bytes: int


class Share(Value, frozen=True):
    """What one backend has to do with it."""

    backend_id: str
    objects: int
    bytes: int


class Unsatisfied(Value, frozen=True):
    tenant_id: str
    bucket: str
    reason: str
    objects: int
    bytes: int


class Pace(Value, frozen=True):
    """What one backend takes or gives, as assumed for the estimate."""

    bytes_per_second: float = 50e6
    copies_per_second: float = 50.0


class Preview(Value, frozen=True, kw_only=True):
    """``objects``, ``bytes``: all that would be compared; ``changed_…``: of these, what gets or loses a copy.

    ``copies``: to be made, by target; ``egress``: to be read for that, by source; ``removals``: afterwards, by backend. ``unreadable_objects``:
    from the change on until their first copy inside the lock is made. ``unsatisfied``: stay as they are, as far as that is about them.
    ``unsatisfiable``: for which nothing more could be written. ``estimated_seconds``: of the busiest backend at the ``assumed`` pace.
    """

    objects: int
    bytes: int
    changed_objects: int
    changed_bytes: int
    copies: tuple[Share, ...]
    egress: tuple[Share, ...]
    removals: tuple[Share, ...]
    unreadable_objects: int
    unsatisfied: tuple[Unsatisfied, ...]
    unsatisfiable: tuple[Broken, ...]
    estimated_seconds: float
    assumed: Pace


@dataclass
class _Count:
    objects: int = 0
    bytes: int = 0

    def add(self, alike: Alike) -> None:
        self.objects += alike.objects
        self.bytes += alike.bytes


def _by_name() -> defaultdict[str, _Count]:
    return defaultdict(_Count)


@dataclass
class Estimate:
    """Counts versions, whichever bucket they belong to."""

    compared: _Count = field(default_factory=_Count)
    changed: _Count = field(default_factory=_Count)
    unreadable: _Count = field(default_factory=_Count)
    copies: defaultdict[str, _Count] = field(default_factory=_by_name)
    egress: defaultdict[str, _Count] = field(default_factory=_by_name)
    removals: defaultdict[str, _Count] = field(default_factory=_by_name)
    unsatisfied: defaultdict[tuple[str, str, str], _Count] = field(default_factory=lambda: defaultdict(_Count))

    def add(self, owner: tuple[str, str], policy: EffectivePolicy, backends: Sequence[Backend], alike: Alike) -> None:
        """``owner``: tenant id and name of the bucket."""
        arrangement = arrange(of_object(policy, alike.storage_class, alike.copies_asked_for), backends, alike.copies)
        sources = _sources(policy, backends, alike.copies)
        leaving = arrangement.remove if arrangement.refusal else (*arrangement.remove, *arrangement.waiting)
        self.compared.add(alike)
        if arrangement.add or leaving:
            self.changed.add(alike)
        for backend_id in arrangement.add:
            self.copies[backend_id].add(alike)
            if sources:
                self.egress[sources[0].backend_id].add(alike)
        for backend_id in leaving:
            self.removals[backend_id].add(alike)
        if sources and admits(policy, sources[0]) is not None:
            self.unreadable.add(alike)
        if arrangement.refusal:
            self.unsatisfied[*owner, arrangement.refusal].add(alike)
        if arrangement.add and not sources:
            self.unsatisfied[*owner, f"No copy can be read: {_places(alike.copies)}."].add(alike)

    def preview(self, pace: Pace, unsatisfiable: tuple[Broken, ...]) -> Preview:
        return Preview(
            objects=self.compared.objects,
            bytes=self.compared.bytes,
            changed_objects=self.changed.objects,
            changed_bytes=self.changed.bytes,
            copies=_shares(self.copies),
            egress=_shares(self.egress),
            removals=_shares(self.removals),
            unreadable_objects=self.unreadable.objects,
            unsatisfied=tuple(
                Unsatisfied(*about, count.objects, count.bytes) for about, count in sorted(self.unsatisfied.items())
            ),
            unsatisfiable=unsatisfiable,
            estimated_seconds=max(
                (
                    max(count.bytes / pace.bytes_per_second, count.objects / pace.copies_per_second)
                    for count in (*self.copies.values(), *self.egress.values())
                ),
                default=0.0,
            ),
            assumed=pace,
        )


def _sources(policy: EffectivePolicy, backends: Sequence[Backend], copies: Sequence[Copy]) -> list[Backend]:
    """The backends that a new copy could come from, in the order in which workers try them."""
    held = {copy.backend_id: copy.state == "verified" for copy in copies if copy.is_readable}
    usable = [it for it in backends if it.backend_id in held and it.state not in ("disabled", "lost")]
    return sorted(usable, key=lambda it: (admits(policy, it) is not None, not held[it.backend_id], it.cost, it.backend_id))


def _places(copies: Sequence[Copy]) -> str:
    return ", ".join(f"{copy.backend_id} ({copy.state})" for copy in copies) or "there is none"


def _shares(counts: defaultdict[str, _Count]) -> tuple[Share, ...]:
    return tuple(Share(name, count.objects, count.bytes) for name, count in sorted(counts.items()))
