"""What one tenant may ask of this process: requests a second, requests at once, bytes a second of bodies in both directions.

Who asks too often is told to slow down, and when to come again. Bytes are not refused but slowed: bodies of all of the tenant's requests
share the rate. While more than ``PATIENCE`` seconds of them are under way, nothing new is begun, so that no body is held up for long.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from domicile_common.errors import RequestError
from domicile_common.model import Rates
from domicile_common.rates import Bucket

PATIENCE = 2.0
BURST_SECONDS = 1.0


class TenantLimits:
    """Of one tenant, while its ``rates`` stay as they are."""

    def __init__(self, rates: Rates, clock: Callable[[], float]) -> None:
        self.rates = rates
        self._clock = clock
        per_second = rates.requests_per_second
        self._requests = None if per_second is None else Bucket(per_second, max(1.0, per_second * BURST_SECONDS))
        self._bytes = (
            None if rates.bytes_per_second is None else Bucket(rates.bytes_per_second, rates.bytes_per_second * BURST_SECONDS)
        )
        self._active = 0

    def enter(self) -> None:
        """Raises ``RequestError`` ``SlowDown`` with the seconds to wait; otherwise ``leave`` has to follow."""
        now = self._clock()
        if self.rates.concurrent_requests is not None and self._active >= self.rates.concurrent_requests:
            raise _slow_down("requests at once", 1.0)
        if self._bytes is not None and (debt := self._bytes.debt(now)) > PATIENCE:
            raise _slow_down("bytes a second", debt)
        if self._requests is not None and (wait := self._requests.take(1.0, now)):
            raise _slow_down("requests a second", wait)
        self._active += 1

    def leave(self) -> None:
        self._active -= 1

    async def pace(self, size: int) -> None:
        """After so many bytes of a body: waits until the next ones are due."""
        if self._bytes is not None and (wait := self._bytes.spend(size, self._clock())):
            await asyncio.sleep(wait)


class Limiter:
    """The tenants that have limits and were seen of late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tenants: dict[str, TenantLimits] = {}

    def enter(self, tenant_id: str, rates: Rates) -> TenantLimits:
        """Raises ``RequestError`` ``SlowDown``."""
        limits = self._tenants.get(tenant_id)
        if limits is None or limits.rates != rates:
            limits = self._tenants[tenant_id] = TenantLimits(rates, self._clock)
        limits.enter()
        return limits


def _slow_down(what: str, seconds: float) -> RequestError:
    text = f"Please reduce your request rate: the tenant has as many {what} as it may."
    return RequestError("SlowDown", text, {"RetryAfterSeconds": str(math.ceil(seconds))})
