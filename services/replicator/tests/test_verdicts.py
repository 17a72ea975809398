from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.metadata_client.scrub import Scrub, Stranger
from domicile_common.model import Blob, Lock
from domicile_common.stamps import Stamp, sidecar_body, sidecar_key
from domicile_common.testing.memory import NAMESPACE, VERSION_ID, MemoryStore, backend
from domicile_replicator.stamped import read_stamp_of
from domicile_replicator.verdicts import stranger_is

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)

strangers = st.builds(
    Stranger,
    key=st.sampled_from(["a", "a/", f"a/{VERSION_ID}"]),
    version_id=st.sampled_from(["", VERSION_ID]),
    was_removed=st.booleans(),
)
locks = st.sampled_from([None, Lock(), Lock("COMPLIANCE", LATER), Lock("GOVERNANCE", NOW), Lock(legal_hold=True)])


def stamp(lock: Lock | None) -> Stamp:
    return Stamp(version_id=VERSION_ID, tenant_id="t", bucket="b", key="a", policy_version=1, lock=lock)


stamps = st.one_of(st.none(), locks.map(stamp))
parameters = st.builds(
    Scrub, backend_id=st.just("fi"), foreign=st.sampled_from(["remove", "report"]), unknown=st.sampled_from(["remove", "report"])
)


@given(strangers, stamps, parameters, st.booleans())
def test_what_may_be_somebodys_version_goes_only_when_an_operator_says_so(stranger, found, asked, keeps):
    verdict = stranger_is(stranger, found, asked, keeps_metadata=keeps, now=NOW)
    if stranger.was_removed:
        assert verdict.goes
        return
    if stranger.version_id and found is not None:
        assert verdict.kind == "unknown"
        assert verdict.goes <= (asked.unknown == "remove")
    if verdict.goes:
        assert (asked.unknown if verdict.kind == "unknown" else asked.foreign) == "remove"
        assert found is None or found.lock in (None, Lock(), Lock("GOVERNANCE", NOW)) or not stranger.version_id
        assert verdict.kind == "unknown" or not stranger.key.endswith("/")


@pytest.mark.parametrize("keeps, kind", [(True, "foreign"), (False, "unknown")])
def test_without_a_stamp_it_is_ours_only_where_stamps_are_not_kept(keeps, kind):
    stranger = Stranger(f"a/{VERSION_ID}", VERSION_ID, was_removed=False)
    assert stranger_is(stranger, None, Scrub(backend_id="fi"), keeps_metadata=keeps, now=NOW).kind == kind


async def test_a_sidecar_says_of_itself_whose_it_is():
    store = MemoryStore(backend("fi"))
    sidecar = Blob("fi", NAMESPACE, sidecar_key(f"a/{VERSION_ID}"))
    store.put(sidecar, sidecar_body(stamp(None)))
    assert await read_stamp_of(store, sidecar) == stamp(None)
