"""Carries out a plan of faults. Children must be started by the main thread (``servers.process``), so this runs there."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from domicile_common.testing.chaos.schedule import Disturbance
from domicile_common.testing.chaos.world import World
from domicile_common.testing.links import Link
from domicile_local.errors import SuiteError

_DISTURB: Final[dict[str, Callable[[Link], None]]] = {
    "cut": Link.cut,
    "stall": Link.stall,
    "delay": lambda link: link.delay(0.2),
    "garble": lambda link: link.garble(every=4),
}
QUORUM_OF_TWO: Final[dict[str, Any]] = {"write_quorum": 2}
POLICIES: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "plain": (QUORUM_OF_TWO, {"write_width": 2}, {}),
    "roaming": (
        {"region_lock": ["FI", "DE"]},
        {"region_lock": ["US", "FI", "DE"], "replica_count": 3},
        {"region_lock": ["DE", "US"]},
        {"region_lock": ["DE"], "replica_count": 1},
    ),
}


class Nemesis:
    """``faults``: how many of each kind there were. ``died``: services that ended although nobody had told them to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = dict.fromkeys(POLICIES, 0)
        self._down: set[str] = set()
        self.faults: Counter[str] = Counter()
        self.died: list[str] = []

    def run(self, plan: Sequence[Disturbance], seconds: float) -> None:
        """Returns after ``seconds``, when nothing is disturbed any more."""
        start = time.monotonic()
        moments = [(each.at, 0, each) for each in plan] + [(each.end, 1, each) for each in plan]
        with ThreadPoolExecutor() as self._operators:
            for moment, is_end, disturbance in sorted(moments):
                time.sleep(max(0.0, start + moment - time.monotonic()))
                self._revive()
                if is_end:
                    self._end(disturbance)
                else:
                    self._begin(disturbance)
                    self.faults[disturbance.kind] += 1
            time.sleep(max(0.0, start + seconds - time.monotonic()))
            self._revive()

    def _revive(self) -> None:
        """Starts what ended by itself; PostgreSQL may do so that finds its predecessor's processes still there."""
        for name, part in self._world.parts.items():
            if name not in self._down and not part.child.alive:
                if name in self._world.services:
                    self.died.append(part.child.died())
                part.start()

    def _begin(self, disturbance: Disturbance) -> None:
        world, target = self._world, disturbance.target
        match disturbance.kind:
            case "kill":
                self._down.add(target)
                world.parts[target].kill()
            case "stop":
                self._down.add(target)
                world.services[target].ask_to_stop()
            case "pause":
                self._signal(target, signal.SIGSTOP)
            case "empty":
                self._operate(self._delete_queues)
            case "policy":
                self._operate(self._set_policy, target)
            case "drain":
                self._operate(self._set_state, target, "draining")
            case kind:
                _DISTURB[kind](world.links[target])

    def _end(self, disturbance: Disturbance) -> None:
        world, target = self._world, disturbance.target
        match disturbance.kind:
            case "kill" | "stop":
                world.parts[target].kill()  # after TERM it has had its time
                world.parts[target].start()
                self._down.discard(target)
            case "pause":
                self._signal(target, signal.SIGCONT)
            case "drain":
                self._operate(self._set_state, target, "active")
            case kind if kind in _DISTURB:
                world.links[target].heal()

    def _operate(self, act: Callable[..., None], *arguments: str) -> None:
        """As an operator, who has to wait for what is disturbed and may fail, while the plan goes on."""

        def try_it() -> None:
            with suppress(SuiteError):
                act(*arguments)

        self._operators.submit(try_it)

    def _signal(self, target: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._world.parts[target].child.pid, number)

    def _delete_queues(self) -> None:
        """The durable ones: each proxy, metadata and replicator has one of its own for invalidations beside them."""
        vhost = quote(self._world.vhost, safe="")
        for queue in self._world.manage("GET", f"/queues/{vhost}").json():
            if queue["durable"]:
                self._world.manage("DELETE", f"/queues/{vhost}/{quote(queue['name'], safe='')}")

    def _set_policy(self, bucket: str) -> None:
        """The next one."""
        policies = POLICIES[bucket]
        policy = policies[self._policies[bucket] % len(policies)]
        self._policies[bucket] += 1
        self._world.domicile.admin("PUT", f"/policies/buckets/one/{self._world.buckets[bucket]}", policy)

    def _set_state(self, backend_id: str, state: str) -> None:
        self._world.domicile.admin("PATCH", f"/backends/{backend_id}", {"state": state, "force": True})
