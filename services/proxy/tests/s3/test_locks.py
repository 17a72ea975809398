"""Object lock: headers and documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.model import DefaultRetention, Lock
from domicile_proxy.s3.locks import (
    bypasses,
    lock_headers,
    parse_legal_hold,
    parse_lock_configuration,
    parse_retention,
    read_lock,
    retain_until,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THEN = datetime(2030, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
TEXT = "2030-05-06T07:08:09.123Z"


def code(call, *args) -> str:
    with pytest.raises(RequestError) as refused:
        call(*args)
    return refused.value.code


def headers(mode: str | None = None, until: str | None = None, hold: str | None = None) -> dict[str, str]:
    given = {"mode": mode, "retain-until-date": until, "legal-hold": hold}
    return {f"x-amz-object-lock-{name}": value for name, value in given.items() if value is not None}


def test_a_lock_in_headers_and_back():
    assert read_lock({}, NOW) is None
    for lock in (Lock("GOVERNANCE", THEN), Lock("COMPLIANCE", THEN, legal_hold=False), Lock(legal_hold=True)):
        assert read_lock(lock_headers(lock), NOW) == lock
    assert lock_headers(Lock("GOVERNANCE", THEN, legal_hold=True)) == headers("GOVERNANCE", TEXT, "ON")


@pytest.mark.parametrize(
    "text", [TEXT, "2030-05-06T07:08:09.123999Z", "2030-05-06T09:08:09.123+02:00", "2030-05-06T07:08:09.123"]
)
def test_forms_of_a_date(text: str):
    assert read_lock(headers("GOVERNANCE", text), NOW) == Lock("GOVERNANCE", THEN)


@pytest.mark.parametrize(
    "given",
    [
        headers(mode="GOVERNANCE"),
        headers(until=TEXT),
        headers("GOVERNANCE", "20990101"),
        headers("governance", TEXT),
        headers("GOVERNANCE", "tomorrow"),
        headers("GOVERNANCE", "2020-01-01T00:00:00Z"),
        headers("GOVERNANCE", "0001-01-01T00:00:00+23:59"),
        headers(hold="on"),
    ],
)
def test_headers_that_are_no_lock(given: dict[str, str]):
    assert code(read_lock, given, NOW) == "InvalidArgument"


def test_retention_documents():
    body = f"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{TEXT}</RetainUntilDate></Retention>"
    assert parse_retention(body.encode(), NOW) == Lock("GOVERNANCE", THEN)
    assert parse_retention(b"<Retention/>", NOW) == Lock()
    assert code(parse_retention, body.encode(), THEN) == "InvalidArgument"
    for wrong in ("<Mode>GOVERNANCE</Mode>", "<Mode>abc</Mode><RetainUntilDate>x</RetainUntilDate>", "<Other/>"):
        assert code(parse_retention, f"<Retention>{wrong}</Retention>".encode(), NOW) == "MalformedXML"


def test_legal_hold_documents():
    assert parse_legal_hold(b"<LegalHold><Status>ON</Status></LegalHold>")
    assert not parse_legal_hold(b"<LegalHold><Status>OFF</Status></LegalHold>")
    for wrong in (b"<LegalHold/>", b"<LegalHold><Status>abc</Status></LegalHold>"):
        assert code(parse_legal_hold, wrong) == "MalformedXML"


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("", None),
        ("<Mode>GOVERNANCE</Mode><Days>3</Days>", DefaultRetention("GOVERNANCE", days=3)),
        ("<Years>1</Years><Mode>COMPLIANCE</Mode>", DefaultRetention("COMPLIANCE", years=1)),
    ],
)
def test_default_retention(rule: str, wanted: DefaultRetention | None):
    nested = f"<Rule><DefaultRetention>{rule}</DefaultRetention></Rule>" if rule else ""
    body = f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{nested}</ObjectLockConfiguration>"
    assert parse_lock_configuration(body.encode()) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("", "MalformedXML"),
        ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>", "MalformedXML"),
        ("<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule/>", "MalformedXML"),
        ("<ObjectLockEnabled>Enabled</ObjectLockEnabled><Other/>", "MalformedXML"),
        (("GOVERNANCE", "<Days>1</Days><Years>1</Years>"), "MalformedXML"),
        (("GOVERNANCE", ""), "MalformedXML"),
        (("GOVERNANCE", "<Days>x</Days>"), "MalformedXML"),
        (("governance", "<Days>1</Days>"), "MalformedXML"),
        (("GOVERNANCE", "<Days>0</Days>"), "InvalidRetentionPeriod"),
        (("GOVERNANCE", "<Years>-1</Years>"), "InvalidRetentionPeriod"),
    ],
)
def test_configurations_that_are_none(content, wanted: str):
    if isinstance(content, tuple):
        mode, period = content
        content = (
            "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
            f"<Mode>{mode}</Mode>{period}</DefaultRetention></Rule>"
        )
    body = f"<ObjectLockConfiguration>{content}</ObjectLockConfiguration>".encode()
    assert code(parse_lock_configuration, body) == wanted


def test_a_bypass_is_asked_for_by_name():
    assert bypasses({"x-amz-bypass-governance-retention": "true"})
    assert not bypasses({"x-amz-bypass-governance-retention": "1"})
    assert not bypasses({})


@given(st.text(), st.text(), st.text())
def test_any_headers_are_a_lock_or_refused(mode: str, until: str, hold: str):
    try:
        read_lock(headers(mode, until, hold), NOW)
    except RequestError as error:
        assert error.code == "InvalidArgument"


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2027, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_date_comes_back(instant: datetime):
    lock = read_lock(headers("GOVERNANCE", retain_until(instant)), NOW)
    assert lock is not None
    assert lock.until is not None
    assert timedelta() <= instant - lock.until < timedelta(milliseconds=1)
