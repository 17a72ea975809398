"""The pure parts of the service."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.metadata_client.models import Report
from domicile_common.model import Policy
from domicile_common.policy import policy_from_json
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.levels import effective_policy, with_inner_level
from domicile_metadata.domain.listing import is_common_prefix, start_of_page, start_of_uploads
from domicile_metadata.domain.work import Replica, action, after

instants = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
entropy = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(instants, entropy)
def test_version_ids_are_uuids_of_version_7(now, random):
    text = uuid7(now, random)
    assert is_id(text)
    made = uuid.UUID(text)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=made.int >> 80) <= now


def test_the_example_of_the_rfc():
    """RFC 9562, appendix A.6."""
    now = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    random = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(RANDOM_BYTES)
    assert uuid7(now, random) == "017f22e279b07cc398c4dc0c0c07398f"


@given(instants, instants, entropy, entropy)
def test_version_ids_sort_by_time(one, other, random, other_random):
    if one + timedelta(milliseconds=1) <= other:
        assert uuid7(one, random) < uuid7(other, other_random)


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "G" + "0" * 31, "A" * 32, "0" * 32 + "\n", "\u0660" * 32])
def test_what_is_no_id(text):
    assert not is_id(text)


def test_levels_merge_and_the_innermost_only_tightens():
    documents = ('{"replica_count": 2, "write_quorum": 1}', '{"region_lock": ["EU"]}')
    assert len(effective_policy(documents, 7).countries or ()) == 27
    assert effective_policy(documents, 7).version == 7
    assert with_inner_level(documents, 7, Policy(region_lock=("FI",))).countries == ("FI",)
    with pytest.raises(PolicyRefused) as refused:
        with_inner_level(documents, 7, Policy(region_lock=("US",)), "InvalidLocationConstraint")
    assert refused.value.code == "InvalidLocationConstraint"


@pytest.mark.parametrize("documents", [(), ("{}",), ('{"replica_count": 1, "write_quorum": 1}', '{"unknown": 1}')])
def test_unknown_policies_are_refused(documents):
    with pytest.raises(RequestError):
        effective_policy(documents, 1)
    assert policy_from_json(b"{}") == Policy()


@pytest.mark.parametrize(
    ("prefix", "delimiter", "after", "start"),
    [
        ("", "", "", b""),
        ("p", "", "", b"p"),
        ("p", "/", "a", b"p"),
        ("p", "/", "p", b"p\x00"),
        ("", "/", "a/", b"a/\xff"),
        ("", "/", "a/b", b"a/b\x00"),
        ("a/", "/", "a/", b"a/\x00"),
        ("", "", "a/", b"a/\x00"),
        ("", "//", "a//", b"a//\xff"),
        ("p", "", "z", b"z\x00"),
    ],
)
def test_where_a_page_starts(prefix, delimiter, after, start):
    assert start_of_page(prefix, delimiter, after) == start


def test_where_a_page_of_uploads_starts():
    assert start_of_uploads("", "", "k", "1" * 32) == (b"k", "1" * 32)
    assert start_of_uploads("", "", "k", "") == (b"k\x00", "0" * 32)
    assert start_of_uploads("p", "", "k", "1" * 32) == (b"p", "0" * 32)
    assert start_of_uploads("", "/", "k/", "") == (b"k/\xff", "0" * 32)


@pytest.mark.parametrize("text", ["", "a", "/", "a/b/", "b/"])
def test_what_is_no_common_prefix(text):
    assert is_common_prefix("a", "/", "a/")
    assert not is_common_prefix("a", "/", text)


STATES = ("wanted", "stored", "verified", "lost", "deleting")
OUTCOMES = ("verified", "stamped", "deleted", "failed", "working")


def as_kept(replica: Replica) -> Replica:
    """What is owed is due some time, or parked; nothing else is."""
    return replica if replica.is_owed else dataclasses.replace(replica, due_seconds=None, parked_reason=None)


replicas = st.builds(
    Replica,
    state=st.sampled_from(STATES),
    stamped=st.booleans(),
    attempt=st.integers(0, 200),
    due_seconds=st.floats(0, 100),
    parked_reason=st.none() | st.just("why"),
    age_seconds=st.floats(0, 2000),
    looks=st.integers(0, 2),
    revision=st.integers(0, 2),
    fence=st.integers(0, 2),
    is_writable=st.booleans(),
).map(as_kept)
reports = st.builds(
    Report,
    bucket_id=st.just("b"),
    version_id=st.just("v"),
    backend_id=st.just("x"),
    outcome=st.sampled_from(OUTCOMES),
    stamped=st.booleans(),
    error_class=st.sampled_from(["unavailable", "mismatch", "never heard of it"]),
    revision=st.none() | st.integers(0, 2),
    fence=st.none() | st.integers(0, 2),
    unsure=st.booleans(),
)
UNIT = {"overdue_seconds": 30.0, "second_look_seconds": 900.0, "random_unit": 0.5}


@given(replicas, reports)
def test_what_is_owed_stays_owed_until_it_is_done(replica, report):
    """Nothing is forgotten: what is owed has a time when it is looked at again, or a reason for an operator."""
    changed = after(report, replica, **UNIT)
    if changed is None:
        assert replica.state == "deleting"
        assert report.outcome == "deleted"
        assert replica.looks == 0 or (replica.looks == 1 and replica.age_seconds >= 450)
    elif changed is not replica and changed.is_owed:
        assert changed.due_seconds is not None or changed.parked_reason is not None
    elif changed is not replica:
        assert (changed.due_seconds, changed.parked_reason) == (None, None)


@given(replicas, reports)
def test_what_is_being_removed_never_comes_back(replica, report):
    if replica.state == "deleting":
        changed = after(report, replica, **UNIT)
        assert changed is None or changed.state == "deleting"


@given(replicas, reports.filter(lambda report: report.outcome in {"verified", "stamped", "deleted"}))
def test_the_same_report_twice_says_no_more_than_once(replica, report):
    once = after(report, replica, **UNIT)
    if once is not None:
        twice = after(report, once, **UNIT)
        assert twice is not None
        assert twice == dataclasses.replace(once, fence=twice.fence)


@given(replicas, reports)
def test_what_counts_no_more_is_not_believed(replica, report):
    """Of a worker that was handed its work before the fence was raised."""
    if report.fence in {None, replica.fence} or report.outcome not in {"verified", "deleted"}:
        return
    changed = after(report, replica, **UNIT)
    assert changed is not None
    assert changed.state == replica.state


@given(replicas, reports)
def test_a_stamp_counts_only_when_the_last_one_was_of_now(replica, report):
    """Whoever has an older revision may have written its stamp over the newer one, whatever it says became of it."""
    if report.outcome in {"verified", "stamped", "failed"} and report.revision not in {None, replica.revision}:
        changed = after(report, replica, **UNIT)
        assert changed is not None
        assert not changed.stamped or changed.state in {"wanted", "lost", "deleting"} or report.unsure


@given(replicas, reports)
def test_whoever_has_written_to_what_is_removed_makes_an_earlier_look_worthless(replica, report):
    if replica.state != "deleting" or report.outcome not in {"verified", "stamped", "failed"}:
        return
    if report.outcome == "failed" and not report.unsure:
        return
    written = after(report, replica, **UNIT)
    assert written is not None
    assert (written.attempt, written.due_seconds, written.parked_reason) == (
        replica.attempt,
        replica.due_seconds,
        replica.parked_reason,
    )
    looked_before = Report(bucket_id="b", version_id="v", backend_id="x", outcome="deleted", fence=replica.fence)
    assert after(looked_before, written, **UNIT) is written


@given(replicas, st.sampled_from(["active", "readonly", "draining", "disabled"]), st.booleans())
def test_nothing_is_written_where_it_must_not_be(replica, backend, is_inside):
    todo = action(replica, backend, is_inside=is_inside)
    if todo in {"copy", "stamp"}:
        assert backend == "active"
        assert is_inside
    if todo == "delete":
        assert backend != "disabled"
        assert replica.state == "deleting"
