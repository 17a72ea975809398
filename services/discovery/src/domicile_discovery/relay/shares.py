"""Who is served when more is asked for than can be: nobody takes all places, and nobody waits behind more than a share of somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from ipaddress import IPv4Address, IPv6Network, ip_address
from weakref import WeakValueDictionary

from domicile_common.errors import DomicileError, RequestError, Unavailable

WAIT_SECONDS = 10.0


class Shares:
    """Places for what is under way. ``each``: how many of them one client may have at once; what it asks for beyond that waits for its own."""

    def __init__(self, places: int, each: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._each = each
        # A share is there as long as somebody has a place of it or waits for one.
        self._shares: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    async def take(self, client: Hashable) -> Callable[[], None]:
        """What gives the place back. Raises ``RequestError`` ``TooManyRequests`` (the client's own are in the way), ``Unavailable``."""
        share = self._shares.setdefault(client, asyncio.Semaphore(self._each))
        own = RequestError("TooManyRequests", f"{self._each} of your requests are being relayed already: wait for them.")
        await _acquire(share, own)
        try:
            await _acquire(self._places, Unavailable("Too many requests are being relayed: try again."))
        except BaseException:
            share.release()
            raise

        def give_back() -> None:
            self._places.release()
            share.release()

        return give_back


async def _acquire(places: asyncio.Semaphore, otherwise: DomicileError) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise otherwise from None


def network_of(address: str) -> IPv4Address | IPv6Network:
    """What one household has of addresses at least: one of version 4, 2^64 of version 6 (RFC 6177)."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return found
    return found.ipv4_mapped or IPv6Network((int(found), 64), strict=False)
