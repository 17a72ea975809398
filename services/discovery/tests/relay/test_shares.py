from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError, Unavailable
from domicile_discovery.relay import shares
from domicile_discovery.relay.shares import Shares, network_of


@pytest.fixture
def at_once(monkeypatch):
    """Nobody waits for long."""
    monkeypatch.setattr(shares, "WAIT_SECONDS", 0.01)


async def test_one_client_leaves_places_to_others(at_once):
    places = Shares(4, each=2)
    greedy = [await places.take("greedy") for _ in range(2)]
    with pytest.raises(RequestError) as refused:
        await places.take("greedy")
    assert refused.value.code == "TooManyRequests"
    modest = await places.take("modest")
    modest()
    greedy[0]()
    (await places.take("greedy"))()


async def test_when_all_places_are_taken_it_is_nobodys_fault_and_costs_nobody_a_share(at_once):
    places = Shares(2, each=2)
    taken = [await places.take(client) for client in ("one", "two")]
    for _ in range(3):
        with pytest.raises(Unavailable):
            await places.take("three")
    for give_back in taken:
        give_back()
    for give_back in [await places.take("three") for _ in range(2)]:
        give_back()


async def test_who_waits_is_served_when_a_place_comes_back_and_who_gives_up_keeps_none():
    places = Shares(2, each=1)
    first = await places.take("one")
    waiting, leaving = asyncio.create_task(places.take("one")), asyncio.create_task(places.take("one"))
    await asyncio.sleep(0)
    leaving.cancel()
    first()
    (await asyncio.wait_for(waiting, 30))()
    (await asyncio.wait_for(places.take("one"), 30))()


async def test_whoever_is_gone_is_forgotten():
    places = Shares(2, each=1)
    for client in range(100):
        (await places.take(client))()
    gc.collect()
    assert len(places._shares) <= 1


@pytest.mark.parametrize(
    "one,other,same",
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_what_one_household_has_is_one_client(one, other, same):
    assert (network_of(one) == network_of(other)) == same


@given(st.ip_addresses())
def test_every_address_is_of_some_network(address):
    assert network_of(str(address)) == network_of(str(address))
