"""Conditions on reads (RFC 9110 13), copies and writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Condition
from domicile_proxy.s3.conditions import (
    check_copy_source,
    deletion_condition,
    http_date,
    not_modified,
    parse_http_date,
    state_condition,
    write_condition,
)

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
BEFORE, SAME, AFTER = (f"Mon, 12 Oct 2009 17:50:{second} GMT" for second in (29, 30, 31))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"if-match": f'"{ETAG}"'}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f'"a", "{ETAG}"'}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-match": f'W/"{ETAG}"'}, 412),
        ({"if-match": ""}, 412),
        ({"if-none-match": f'"{ETAG}"'}, 304),
        ({"if-none-match": f'W/"{ETAG}"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": BEFORE}, 200),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": SAME}, 200),
        ({"if-unmodified-since": AFTER}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-unmodified-since": "yesterday"}, 200),
        # precedence: the entity tag decides, the date beside it is not looked at
        ({"if-match": ETAG, "if-unmodified-since": BEFORE}, 200),
        ({"if-match": '"other"', "if-unmodified-since": AFTER}, 412),
        ({"if-none-match": '"other"', "if-modified-since": AFTER}, 200),
        ({"if-none-match": ETAG, "if-modified-since": BEFORE}, 304),
        ({"if-match": '"other"', "if-none-match": ETAG}, 412),
        ({"if-match": ETAG, "if-none-match": ETAG}, 304),
    ],
)
def test_reads_and_copies(version, headers: dict[str, str], expected: int):
    def outcome(call) -> int:
        try:
            return 304 if call() else 200
        except RequestError as error:
            assert error.code == "PreconditionFailed"
            assert error.detail["Condition"].lower().removeprefix("x-amz-copy-source-") in headers
            return 412

    copied = {f"x-amz-copy-source-{name}": value for name, value in headers.items()}
    assert outcome(lambda: not_modified(headers, version())) == expected
    assert outcome(lambda: check_copy_source(copied, version())) == (412 if expected == 304 else expected)
    assert outcome(lambda: check_copy_source(headers, version())) == 200


def test_dates_have_whole_seconds():
    assert http_date(datetime(2009, 10, 12, 17, 50, 30, 987654, tzinfo=UTC)) == SAME
    assert parse_http_date("Monday, 12-Oct-09 17:50:30 GMT") == parse_http_date(SAME)
    assert parse_http_date("Mon Oct 12 17:50:30 2009") == parse_http_date(SAME)


@given(st.text())
def test_any_text_is_a_date_or_none(text: str):
    instant = parse_http_date(text)
    assert instant is None or instant.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_dates_come_through(instant: datetime):
    assert parse_http_date(http_date(instant)) == instant.replace(microsecond=0)


def test_conditions_of_writes():
    assert write_condition({}) == Condition()
    assert write_condition({"if-none-match": "*"}) == Condition(if_none_match=True)
    assert write_condition({"if-match": f'"{ETAG}"'}) == Condition(if_match=ETAG)
    assert write_condition({"if-none-match": f'"{ETAG}", other'}) == Condition(other_than=(ETAG, "other"))
    for headers in ({"if-modified-since": SAME}, {"if-unmodified-since": SAME}):
        with pytest.raises(RequestError) as refused:
            write_condition(headers)
        assert refused.value.code == "NotImplemented"


@pytest.mark.parametrize("date", ["Thu, 05 Nov 2009 12:00:00 GMT", "2009-11-05T12:00:00.5Z", "2009-11-05T13:00:00+01:00"])
def test_conditions_of_deletions(date: str):
    headers = {"if-match": f'"{ETAG}"', "x-amz-if-match-size": "5", "x-amz-if-match-last-modified-time": date}
    wanted = Condition(if_match=ETAG, size=5, modified=datetime(2009, 11, 5, 12, tzinfo=UTC))
    assert deletion_condition(headers) == wanted
    assert deletion_condition({}) == Condition()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-if-match-size": "-1"}, "InvalidArgument"),
        ({"x-amz-if-match-last-modified-time": "yesterday"}, "InvalidArgument"),
        ({"if-none-match": "*"}, "NotImplemented"),
        ({"if-unmodified-since": SAME}, "NotImplemented"),
    ],
)
def test_conditions_of_deletions_that_are_none(headers: dict[str, str], code: str):
    with pytest.raises(RequestError) as refused:
        deletion_condition(headers)
    assert refused.value.code == code


@given(st.text(), st.text(), st.text())
def test_any_condition_of_a_deletion_is_read_or_refused(etag: str, modified: str, size: str):
    try:
        state_condition(etag, modified, size)
    except RequestError as error:
        assert error.code == "InvalidArgument"
