"""What is done with the copies of a version, step by step, until its policy is satisfied."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.model import EffectivePolicy
from domicile_common.testing.memory import backend
from domicile_metadata.domain.arrangement import Arrangement, Copy, arrange

FI, DE, US = backend("fi", "FI"), backend("de", "DE"), backend("us", "US")


def policy(count: int = 2, **fields) -> EffectivePolicy:
    return EffectivePolicy(replica_count=count, write_quorum=1, version=1, **fields)


def copies(**states: str) -> list[Copy]:
    return [Copy(name, state) for name, state in states.items()]


def test_what_is_right_is_left_alone():
    arrangement = arrange(policy(), [FI, DE, US], copies(fi="verified", us="verified"))
    assert not arrangement.changes
    assert arrangement.is_settled


def test_a_copy_outside_the_lock_goes_when_its_successor_is_verified():
    locked = policy(countries=("FI", "DE"))
    assert arrange(locked, [FI, DE, US], copies(fi="verified", us="verified")) == Arrangement(
        ("fi", "de"), add=("de",), waiting=("us",)
    )
    waiting = arrange(locked, [FI, DE, US], copies(fi="verified", us="verified", de="wanted"))
    assert waiting == Arrangement(("fi", "de"), waiting=("us",))
    done = arrange(locked, [FI, DE, US], copies(fi="verified", us="verified", de="verified"))
    assert done == Arrangement(("fi", "de"), remove=("us",))


def test_a_copy_without_its_stamp_replaces_none():
    held = [Copy("fi", "verified"), Copy("de", "verified", stamped=False), Copy("us", "verified")]
    assert arrange(policy(countries=("FI", "DE")), [FI, DE, US], held).waiting == ("us",)


def test_surplus_copies_go_at_once_when_the_others_are_good():
    arrangement = arrange(policy(1), [FI, DE, US], copies(fi="verified", de="verified", us="wanted"))
    assert arrangement == Arrangement(("de",), remove=("fi", "us")) or arrangement == Arrangement(("fi",), remove=("de", "us"))


def test_a_copy_that_is_not_there_yet_need_not_wait_for_others():
    arrangement = arrange(policy(1, countries=("FI",)), [FI, DE], copies(fi="wanted", de="wanted"))
    assert arrangement == Arrangement(("fi",), remove=("de",))


def test_nothing_goes_while_the_policy_cannot_be_satisfied():
    arrangement = arrange(policy(2, countries=("FI",)), [FI, DE], copies(fi="verified", de="verified"))
    assert (arrangement.wanted, arrangement.remove, arrangement.waiting) == (("fi",), (), ("de",))
    assert "2 replicas need as many backends" in str(arrangement.refusal)


NAMES = ("a", "b", "c", "d", "e")
sites = st.fixed_dictionaries(
    {
        name: st.tuples(
            st.sampled_from(["FI", "DE", "US"]), st.sampled_from(["active", "active", "readonly", "draining", "lost"])
        )
        for name in NAMES
    }
)
wishes = st.builds(
    lambda count, lock, spread: policy(count, countries=lock, spread=spread),
    st.integers(1, 3),
    st.sampled_from([None, ("FI",), ("FI", "DE")]),
    st.sampled_from(["backend", "country"]),
)


@given(
    sites,
    wishes,
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["wanted", "verified", "lost", "deleting"])),
    st.randoms(use_true_random=False),
)
def test_it_converges_and_never_has_fewer_good_copies_than_it_needs(places, wish, states, random):
    """Workers finish what is owed in any order, and after each report the version is looked at again."""
    backends = [backend(name, country, state=state) for name, (country, state) in places.items()]
    now = dict(states)
    had = {name for name, state in now.items() if state == "verified"}
    for _ in range(40):
        arrangement = arrange(wish, backends, [Copy(name, state) for name, state in now.items()])
        assert not set(arrangement.add) & set(now)
        for name in arrangement.remove:
            if now[name] == "verified":
                assert arrangement.refusal is None
                assert sum(now.get(kept) == "verified" for kept in arrangement.wanted) == wish.replica_count
            now[name] = "deleting"
        now |= dict.fromkeys(arrangement.add, "wanted")
        owed = sorted(
            name
            for name, state in now.items()
            if state in ("wanted", "lost") and places[name][1] == "active" and "verified" in now.values()
        )
        removals = sorted(name for name, state in now.items() if state == "deleting")
        if not owed and not removals:
            break
        done = random.choice(owed + removals)
        if done in removals:
            del now[done]
        else:
            now[done] = "verified"
        assert not had or "verified" in now.values()
    good = {name for name, state in now.items() if state == "verified"}
    assert arrangement.refusal or not good or (good == set(arrangement.wanted) == set(now) and arrangement.is_settled)
