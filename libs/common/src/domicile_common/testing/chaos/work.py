"""One client in a bucket of its own: for tests that break something at a chosen place, and are checked as a chaos run is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from domicile_common.testing.chaos.audit import Findings, examine
from domicile_common.testing.chaos.clients import KEYS, Client, Ledger
from domicile_common.testing.chaos.history import Operation
from domicile_common.testing.installation import Installation

KEY = KEYS[0]


class Work:
    """``client``: what it does and is told is what ``examine`` checks. ``location``: of the bucket."""

    def __init__(self, domicile: Installation, location: str = "fi,de") -> None:
        self.domicile = domicile
        self.bucket = domicile.new_bucket(location=location)
        self._buckets = {self.bucket: False}
        self._ledger = Ledger()
        self.client = Client(1, [domicile.raw()], self._buckets, self._ledger, seed=1)

    def put(self, size: int = 0, key: str = KEY) -> Operation:
        """``size`` in bytes; any when not given."""
        return self.client.put(self.bucket, key, size=size)

    def survives(self, service: str, act: Callable[[], object] = lambda: None) -> None:
        """Does it while the service, which was started to do so, kills itself and is started again. ``act`` must start no service."""
        with ThreadPoolExecutor() as pool:
            acting = pool.submit(act)
            self.domicile.killed(service)
            self.domicile.start(service)
            acting.result()

    def examine(self, patience: float = 60) -> Findings:
        return examine(self.domicile, self.client, self._ledger, self._buckets, patience)

    def wrong(self, patience: float = 60) -> dict[str, int]:
        """What is not as it should be, once everything has settled. ``patience``: seconds for that."""
        return {name: count for name, count in self.examine(patience).counts().items() if count}
