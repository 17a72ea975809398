from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.metadata_client.models import Work
from domicile_common.model import Digest, Part
from domicile_common.testing.memory import backend, blob, digest_of, work_for
from domicile_replicator.plan import MOST_PARTS, SMALLEST_PART, Copy, Nothing, Refuse, Remove, WriteSidecar, part_sizes, plan

BACKENDS = {"fi": backend("fi"), "de": backend("de", "DE"), "us": backend("us", "US")}
DIGEST = digest_of(b"hello")
MIB = 2**20


def planned(work: Work, backends=BACKENDS):
    return plan(work, backends, 64 * MIB)


def test_nothing_is_owed():
    assert planned(Work("none")) == Nothing()


def test_copies_from_other_known_backends_in_the_given_order():
    step = planned(work_for(DIGEST, sources=(blob("us"), blob("gone"), blob("de"), blob("fi"))))
    assert isinstance(step, Copy)
    assert [source.backend_id for source in step.sources] == ["us", "fi"]
    assert step.etag == DIGEST.md5


@pytest.mark.parametrize(
    "lock",
    [
        {"countries": ("FI", "SE")},
        {"jurisdictions": ("FI",)},
        {"countries": ()},
        {"countries": ("FI",), "jurisdictions": ("DE",)},
    ],
)
@pytest.mark.parametrize("action", ["copy", "stamp"])
def test_a_target_outside_the_lock_is_refused(action, lock):
    step = planned(work_for(DIGEST, action, **lock))
    assert isinstance(step, Refuse)
    assert step.error_class == "refused"
    assert "lock" in step.reason


def test_every_jurisdiction_of_the_operator_must_be_inside():
    backends = BACKENDS | {"de": backend("de", "DE", jurisdictions=("DE", "US"))}
    assert isinstance(planned(work_for(DIGEST, countries=("DE",), jurisdictions=("DE",)), backends), Refuse)
    assert isinstance(planned(work_for(DIGEST, countries=("DE",), jurisdictions=("DE", "US")), backends), Copy)


def test_a_blob_outside_the_lock_may_be_removed():
    assert planned(work_for(DIGEST, "delete", countries=("FI",))) == Remove(blob("de"))


@pytest.mark.parametrize("action", ["copy", "delete", "stamp"])
@pytest.mark.parametrize("backends", [{}, BACKENDS | {"de": backend("de", "DE", state="disabled")}])
def test_a_backend_out_of_service_is_tried_again_later(action, backends):
    step = planned(work_for(DIGEST, action), backends)
    assert isinstance(step, Refuse)
    assert step.error_class == "unavailable"


def test_without_a_source_another_replica_may_still_come_about():
    step = planned(work_for(DIGEST, sources=(blob("de"),)))
    assert isinstance(step, Refuse)
    assert step.error_class == "missing_source"


def test_a_sidecar_is_written():
    assert isinstance(planned(work_for(DIGEST, "stamp")), WriteSidecar)


def test_looks_first_after_a_failure_and_for_large_blobs():
    assert not planned(work_for(DIGEST)).look
    assert planned(work_for(DIGEST, attempt=1)).look
    assert planned(work_for(Digest(MIB, "0" * 32))).look


def test_parts_of_the_version_are_kept_so_that_the_etag_is_the_same():
    parts = (Part(1, SMALLEST_PART, "0" * 32), Part(2, 6 * MIB, "1" * 32), Part(7, 1, "2" * 32))
    digest = Digest(11 * MIB + 1, "0" * 32, parts=parts)
    assert part_sizes(digest, 64 * MIB) == (SMALLEST_PART, 6 * MIB, 1)
    assert planned(work_for(digest)).etag == digest.etag


def test_parts_that_s3_would_refuse_are_not_kept():
    parts = (Part(1, 10, "0" * 32), Part(2, 10, "1" * 32))
    digest = Digest(20, "0" * 32, parts=parts)
    assert part_sizes(digest, 64 * MIB) == ()
    assert planned(work_for(digest)).etag == ""


@given(
    size=st.integers(0, 50 * 2**40),
    recorded=st.lists(st.integers(0, 5 * 2**30), max_size=20),
    multipart_bytes=st.integers(SMALLEST_PART, 5 * 2**30),
)
def test_whatever_the_record_the_parts_are_ones_that_s3_takes(size, recorded, multipart_bytes):
    if recorded:
        size = sum(recorded)
    digest = Digest(size, "0" * 32, parts=tuple(Part(number, part, "") for number, part in enumerate(recorded, 1)))
    parts = part_sizes(digest, multipart_bytes)
    if not parts:
        assert size <= multipart_bytes
        return
    assert sum(parts) == size
    assert len(parts) <= MOST_PARTS
    assert all(part >= SMALLEST_PART for part in parts[:-1])
    assert parts[-1] > 0
