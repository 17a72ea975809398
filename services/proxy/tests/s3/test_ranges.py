"""Range, If-Range and partNumber, as RFC 9110 and S3 have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.model import Digest, Facts, Part, Version
from domicile_proxy.s3.ranges import Span, copied_span, wanted_span

MODIFIED = datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)


def ask(version: Version, value: str, **headers: str) -> Span | None:
    return wanted_span({"range": value} | {name.replace("_", "-"): text for name, text in headers.items()}, {}, version)


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=0-999", Span(0, 999)),
        ("bytes=0-5000", Span(0, 999)),
        ("bytes=500-", Span(500, 999)),
        ("bytes=-1", Span(999, 999)),
        ("bytes=-5000", Span(0, 999)),
        ("Bytes= 1-2 ", Span(1, 2)),
        ("bytes=0-9999999999999999999", Span(0, 999)),
        (f"bytes=0-{'9' * 100}", Span(0, 999)),
    ],
)
def test_satisfiable_ranges(version, value: str, span: Span):
    assert ask(version(), value) == span


@pytest.mark.parametrize(
    "value", ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=2-1", "bytes=0-1,3-4", "items=0-1", "bytes=0 -1", "0-1"]
)
def test_what_is_no_single_byte_range_counts_as_absent(version, value: str):
    assert ask(version(), value) is None


@pytest.mark.parametrize(
    ("size", "value"), [(1000, "bytes=1000-"), (1000, "bytes=1000-1001"), (1000, "bytes=-0"), (0, "bytes=0-"), (0, "bytes=-5")]
)
def test_unsatisfiable_ranges(version, size: int, value: str):
    with pytest.raises(RequestError) as refused:
        ask(version(size), value)
    assert refused.value.code == "InvalidRange"
    assert refused.value.detail == {"RangeRequested": value, "ActualObjectSize": str(size)}


@given(st.text() | st.from_regex(r"bytes=[0-9]{0,25}-[0-9]{0,25}", fullmatch=True), st.integers(0, 50))
def test_any_range_lies_within_the_object_or_is_refused(value: str, size: int):
    version = Version(
        bucket_id="b", key="k", version_id="v", committed_at=MODIFIED, facts=Facts(), digest=Digest(size=size, md5="0" * 32)
    )
    try:
        span = wanted_span({"range": value}, {}, version)
    except RequestError as error:
        assert error.code == "InvalidRange"
    else:
        assert span is None or 0 <= span.start <= span.end < size


def test_if_range_of_another_state_asks_for_all_of_it(version):
    etag = '"d41d8cd98f00b204e9800998ecf8427e"'
    assert ask(version(), "bytes=0-1", if_range=etag) == Span(0, 1)
    assert ask(version(), "bytes=0-1", if_range="Mon, 12 Oct 2009 17:50:30 GMT") == Span(0, 1)
    for other in ('"other"', f"W/{etag}", "Mon, 12 Oct 2009 17:50:31 GMT", "junk", ""):
        assert ask(version(), "bytes=0-1", if_range=other) is None


def parted(*sizes: int) -> tuple[Part, ...]:
    return tuple(Part(number=number, size=size, etag="0" * 32) for number, size in enumerate(sizes, 3))


def test_part_numbers_count_the_parts_as_they_were_completed(version):
    whole = version(60, parts=parted(10, 20, 30))
    assert [wanted_span({}, {"partNumber": str(number)}, whole) for number in (1, 2, 3)] == [
        Span(0, 9),
        Span(10, 29),
        Span(30, 59),
    ]
    assert wanted_span({}, {"partNumber": "1"}, version(5)) == Span(0, 4)


def test_a_part_of_no_bytes_is_not_all_of_them(version):
    last = wanted_span({}, {"partNumber": "2"}, version(10, parts=parted(10, 0)))
    only = wanted_span({}, {"partNumber": "1"}, version(0))
    assert last is not None
    assert only is not None
    assert (last.length, only.length) == (0, 0)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("4", "InvalidPartNumber"),
        ("0", "InvalidArgument"),
        ("10001", "InvalidArgument"),
        ("x", "InvalidArgument"),
        ("", "InvalidPartNumber"),
    ],
)
def test_part_numbers_that_are_not_there(version, number: str, code: str):
    with pytest.raises(RequestError) as refused:
        wanted_span({}, {"partNumber": number}, version(60, parts=parted(10, 20, 30)))
    assert refused.value.code == code


def test_a_range_of_a_part_is_refused(version):
    with pytest.raises(RequestError) as refused:
        wanted_span({"range": "bytes=0-1"}, {"partNumber": "1"}, version())
    assert refused.value.code == "InvalidRequest"


@pytest.mark.parametrize(
    ("value", "size", "wanted"),
    [(None, 5, Span(0, 4)), (None, 0, Span(0, -1)), ("bytes=0-4", 5, Span(0, 4)), ("bytes=2-2", 5, Span(2, 2))],
)
def test_what_a_part_copy_copies(value: str | None, size: int, wanted: Span):
    assert copied_span(value, size) == wanted


@pytest.mark.parametrize(
    "value", ["0-2", "bytes=0", "bytes=a-b", "bytes=0-", "bytes=-2", "bytes=0-2,3-5", "bytes=3-2", "", "bytes=1-2 "]
)
def test_ranges_of_part_copies_are_read_strictly(value: str):
    with pytest.raises(RequestError) as refused:
        copied_span(value, 10)
    assert refused.value.code == "InvalidArgument"


@pytest.mark.parametrize(("value", "size"), [("bytes=0-5", 5), ("bytes=5-6", 5), ("bytes=0-0", 0)])
def test_a_part_copy_stays_within_its_source(value: str, size: int):
    with pytest.raises(RequestError) as refused:
        copied_span(value, size)
    assert refused.value.code == "InvalidRange"
