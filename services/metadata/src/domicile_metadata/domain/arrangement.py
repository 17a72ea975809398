"""What is to be done so that a version is where its policy wants it now. Pure.

A copy that is not wanted any more goes only when all wanted ones are verified and stamped: until then there are never fewer good copies
than before, and the last one never goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domicile_common.model import Backend, EffectivePolicy, ReplicaState
from domicile_common.policy import rearrange


@dataclass(frozen=True, slots=True)
class Copy:
    """A replica, as far as it matters here."""

    backend_id: str
    state: ReplicaState
    stamped: bool = True

    @property
    def is_readable(self) -> bool:
        return self.state in ("stored", "verified")


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What to do at which backends: copies that are owed from now on, and copies that go now.

    ``waiting``: those whose copy goes when all of ``wanted`` are verified. ``refusal``: why the policy is not satisfied even then.
    """

    wanted: tuple[str, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def changes(self) -> bool:
        """Something is to be done now."""
        return bool(self.add or self.remove)

    @property
    def is_settled(self) -> bool:
        """Nobody has to look again, but for the copies that are owed."""
        return not self.waiting and self.refusal is None


def arrange(policy: EffectivePolicy, backends: Iterable[Backend], copies: Sequence[Copy]) -> Arrangement:
    """``copies``: all of one version, in whatever state."""
    result = rearrange(
        policy,
        backends,
        kept={copy.backend_id for copy in copies if copy.is_readable},
        coming={copy.backend_id for copy in copies if copy.state in ("wanted", "lost")},
        leaving={copy.backend_id for copy in copies if copy.state == "deleting"},
    )
    wanted = result.wanted
    known = {copy.backend_id: copy for copy in copies}
    is_complete = result.refusal is None and all(
        name in known and known[name].state == "verified" and known[name].stamped for name in wanted
    )
    unwanted = [copy for copy in copies if copy.state != "deleting" and copy.backend_id not in wanted]
    return Arrangement(
        wanted=wanted,
        add=tuple(name for name in wanted if name not in known),
        remove=tuple(copy.backend_id for copy in unwanted if is_complete or copy.state == "wanted"),
        waiting=tuple(copy.backend_id for copy in unwanted if not is_complete and copy.state != "wanted"),
        refusal=None if result.refusal is None else result.refusal.message,
    )
