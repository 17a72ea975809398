from __future__ import annotations

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.testing.chaos.schedule import AT_ONCE, KINDS, schedule


@given(st.integers(), st.floats(0, 400))
def test_a_plan_keeps_its_promises(seed, seconds):
    plan = schedule(seconds, Random(seed).random)
    assert all(0 <= each.at < each.end <= seconds for each in plan)
    assert all(each.target in KINDS[each.kind] for each in plan)
    for each in plan:
        lasting = [other for other in plan if other.at <= each.at < other.end]
        assert len(lasting) <= AT_ONCE
        assert not any(one.target == other.target for one, other in combinations(lasting, 2))
    every = sum(map(len, KINDS.values()))
    counts = {(each.kind, each.target): 0 for each in plan}
    for each in plan[:every]:
        counts[each.kind, each.target] += 1
    assert all(count <= 1 for count in counts.values())


@given(st.integers())
def test_a_seed_decides_it(seed):
    assert schedule(60, Random(seed).random) == schedule(60, Random(seed).random)
