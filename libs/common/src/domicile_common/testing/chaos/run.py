"""One run: clients at work while things break, then everything is mended, settles, and is checked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from domicile_common.testing.chaos.audit import Findings, examine
from domicile_common.testing.chaos.clients import Client, Ledger, at_work
from domicile_common.testing.chaos.history import Operation, unexpected
from domicile_common.testing.chaos.nemesis import Nemesis
from domicile_common.testing.chaos.report import render
from domicile_common.testing.chaos.schedule import KINDS, schedule
from domicile_common.testing.chaos.world import World, mend
from domicile_common.testing.raw_s3 import RawS3

CLIENTS: Final = 6


class Saved(msgspec.Struct, frozen=True):
    """What is kept of a run, to check it again. ``versioned``: the buckets that keep versions."""

    seed: int
    versioned: tuple[str, ...]
    history: tuple[Operation, ...]


@dataclass(frozen=True)
class Outcome:
    saved: Saved
    faults: Counter[str]
    findings: Findings
    died: list[str]

    @property
    def history(self) -> Sequence[Operation]:
        return self.saved.history

    @property
    def counts(self) -> dict[str, int]:
        """What must be zero."""
        return {
            **self.findings.counts(),
            "unexpected answers": len(unexpected(self.history)),
            "services that died": len(self.died),
        }

    @property
    def clean(self) -> bool:
        return not any(self.counts.values())

    def table(self) -> str:
        return render(
            self.history,
            self.faults,
            self.counts,
            {"copies compared": self.findings.copies, "parked and replayed": len(self.findings.parked)},
        )

    def lines(self) -> list[str]:
        """What is wrong, and what was given up for a while."""
        return self.findings.lines() + [f"unexpected answer: {each}" for each in unexpected(self.history)] + self.died


def run(world: World, seconds: float, seed: int) -> Outcome:
    """``seed``: decides what clients do and what breaks when; not how the two meet."""
    chance = random.Random(seed)  # noqa: S311 -- a run is to be repeatable
    targets = {kind: [name for name in names if _can_be_hit(world, kind, name)] for kind, names in KINDS.items()}
    plan = schedule(seconds, chance.random, targets)
    nemesis, ledger = Nemesis(world), Ledger()
    keeps = {world.buckets[name]: name == "versioned" for name in world.buckets}
    signer = world.domicile.raw().signer
    proxies = [
        RawS3(f"http://127.0.0.1:{world.services[name].wiring.values['PROXY_PORT']}", signer) for name in ("proxy", "proxy-2")
    ]
    clients = [Client(number, proxies, keeps, ledger, chance.getrandbits(32)) for number in range(CLIENTS + 1)]
    with at_work(clients[1:]):
        nemesis.run(plan, seconds)
        mend(world)
    findings = examine(world.domicile, clients[0], ledger, keeps)
    saved = Saved(seed, tuple(name for name, kept in keeps.items() if kept), tuple(ledger.history))
    return Outcome(saved, nemesis.faults, findings, nemesis.died)


def _can_be_hit(world: World, kind: str, name: str) -> bool:
    """A broker that is not the run's own is only cut off."""
    return kind not in {"kill", "pause"} or name in world.parts


def save(path: Path, saved: Saved) -> None:
    path.write_bytes(msgspec.json.encode(saved))


def load(path: Path) -> Saved:
    return msgspec.json.decode(path.read_bytes(), type=Saved)
