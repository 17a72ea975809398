"""What goes wrong when: a plan that a seed decides. Pure: the caller brings the random numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

PARTS: Final = ("proxy", "proxy-2", "metadata", "metadata-2", "replicator", "replicator-2")
BACKENDS: Final = ("fi", "de", "us")
LINKS: Final = (*BACKENDS, "postgres", "rabbitmq", "metadata", "metadata-2")
KINDS: Final[Mapping[str, Sequence[str]]] = {
    "kill": (*PARTS, *BACKENDS, "postgres", "rabbitmq"),
    "stop": PARTS,
    "pause": (*PARTS, *BACKENDS),
    "cut": LINKS,
    "stall": LINKS,
    "delay": LINKS,
    "garble": BACKENDS,  # between services, and to PostgreSQL and RabbitMQ, nothing but TCP and TLS tells that bytes are not what was sent
    "empty": ("queues",),
    "policy": ("plain", "roaming"),
    "drain": ("us",),
}
"""Kind of fault → what it may hit."""
GAP_SECONDS: Final = (0.3, 1.7)
FAULT_SECONDS: Final = (0.3, 4.0)
AT_ONCE: Final = 2
"""Most faults at a time: with everything away all the time, nothing would be seen but refusals."""


class Disturbance(NamedTuple):
    """From ``at`` on, for some ``seconds``; both from the beginning of the run."""

    at: float
    kind: str
    target: str
    seconds: float

    @property
    def end(self) -> float:
        return self.at + self.seconds


def schedule(seconds: float, chance: Callable[[], float], targets: Mapping[str, Sequence[str]] = KINDS) -> list[Disturbance]:
    """A plan for a run of so many seconds, in which every fault comes up before any comes up again, as far as time allows.

    ``chance``: random numbers in [0, 1). ``targets``: as ``KINDS``.
    """
    every = [(kind, target) for kind, names in targets.items() for target in names]
    plan: list[Disturbance] = []
    waiting: list[tuple[str, str]] = []
    now = between(GAP_SECONDS, chance())
    while now + FAULT_SECONDS[1] < seconds:
        lasting = [each for each in plan if each.end > now]
        if len(lasting) == AT_ONCE:
            now = min(each.end for each in lasting)
            continue
        waiting = waiting or shuffled(every, chance)
        busy = {each.target for each in lasting}
        kind, target = next((each for each in waiting if each[1] not in busy), waiting[0])
        if target not in busy:
            waiting.remove((kind, target))
            plan.append(Disturbance(now, kind, target, between(FAULT_SECONDS, chance())))
        now += between(GAP_SECONDS, chance())
    return plan


def between(bounds: tuple[float, float], unit: float) -> float:
    return bounds[0] + unit * (bounds[1] - bounds[0])


def shuffled(items: Sequence[tuple[str, str]], chance: Callable[[], float]) -> list[tuple[str, str]]:
    return [item for _, item in sorted((chance(), item) for item in items)]
