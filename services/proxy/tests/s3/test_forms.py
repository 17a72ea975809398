"""Browsers' forms as they arrive, and the policies in them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.testing.forms import BOUNDARY, Field, encoded
from domicile_proxy.s3.errors import CODES
from domicile_proxy.s3.forms import (
    MAXIMUM_FIELDS,
    FormReader,
    check_length,
    check_policy,
    object_headers,
    parse_policy,
    read_boundary,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELIMITER = f"--{BOUNDARY}".encode()


def read(chunks: list[bytes]) -> tuple[dict[str, str], bytes, FormReader]:
    reader = FormReader(BOUNDARY.encode())
    content = b"".join(reader.feed(chunk) for chunk in chunks)
    reader.finish()
    return reader.fields, content, reader


def split(data: st.DataObject, body: bytes) -> list[bytes]:
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


VALUES = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: BOUNDARY not in text)
FIELDS = st.dictionaries(st.from_regex("[a-z-]{1,10}", fullmatch=True).filter(lambda name: name != "file"), VALUES, max_size=4)
CONTENT = st.binary(max_size=300) | st.lists(st.sampled_from([b"\r\n", b"--", DELIMITER, b"x"]), max_size=6).map(b"".join)


@given(st.data(), FIELDS, CONTENT.filter(lambda content: b"\r\n" + DELIMITER not in b"\r\n" + content + b"\r\n"))
def test_however_a_form_arrives_it_says_the_same(data: st.DataObject, fields: dict[str, str], content: bytes):
    listed = [Field(name, value.encode()) for name, value in fields.items()]
    body, headers = encoded([*listed, Field("file", content, 'filename="a"', "text/x"), Field("submit", b"late")])
    assert read_boundary(headers["content-type"]) == BOUNDARY.encode()
    found, file, reader = read(split(data, body))
    assert (found, file, reader.file_name) == (fields, content, "a")
    assert reader.before == body.index(b"text/x\r\n\r\n") + len(b"text/x\r\n\r\n")


@given(st.data(), CONTENT.filter(lambda content: b"\r\n" + DELIMITER not in b"\r\n" + content + b"\r\n"))
def test_the_length_of_the_last_field_is_known_beforehand(data: st.DataObject, content: bytes):
    body, _ = encoded([Field("key", b"k"), Field("file", content)])
    _, file, reader = read(split(data, body))
    assert len(file) == len(body) - reader.before - reader.closing()


PIECES = st.sampled_from(
    [b"\r\n", b"--", DELIMITER, b"\r\n" + DELIMITER, b'Content-Disposition: form-data; name="', b"file", b'"', b"; filename=", b"\r\n\r\n", b"\xff", b"a"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=20), max_size=25))
def test_any_body_is_read_or_refused(chunks: list[bytes]):
    try:
        read(chunks)
    except RequestError as error:
        assert CODES[error.code][0] == 400


@given(st.integers(64, 5000))
def test_fields_without_end_are_not_kept(size: int):
    reader = FormReader(BOUNDARY.encode())
    taken = 0
    try:
        while taken <= 2 * MAXIMUM_FIELDS:
            reader.feed(b"x" * size if taken else DELIMITER + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n')
            taken += size
    except RequestError as error:
        assert error.code == "MaxPostPreDataLengthExceededError"
    assert taken <= MAXIMUM_FIELDS + size


@given(
    st.text(st.characters(max_codepoint=255), max_size=100) | st.sampled_from(["multipart/form-data; boundary=", ";", '"', "a=b"])
)
def test_any_content_type_has_a_boundary_or_is_refused(value: str):
    try:
        assert 0 < len(read_boundary(value)) <= 70
    except RequestError as error:
        assert error.code == "PreconditionFailed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2100-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(["expiration", "conditions"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
CONDITIONS = st.lists(
    JSON
    | st.tuples(
        st.sampled_from(["eq", "starts-with", "EQ", "in"]), st.sampled_from(["$key", "$acl", "key"]), st.text(max_size=3)
    ).map(list)
    | st.tuples(st.just("content-length-range"), JSON, JSON).map(list),
    max_size=4,
)
POLICIES = st.fixed_dictionaries({"expiration": st.just("2100-01-01T00:00:00.000Z") | JSON, "conditions": CONDITIONS | JSON})


@given(
    (POLICIES | JSON).map(json.dumps) | st.text(),
    st.dictionaries(st.sampled_from(["key", "acl", "other"]), st.text(max_size=3)),
    st.integers(0, 10),
)
def test_any_policy_lets_through_or_refuses(text: str, fields: dict[str, str], length: int):
    encoded_text = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    try:
        policy = parse_policy(encoded_text)
        check_policy(policy, fields, "bucket", NOW)
        check_length(policy, length)
    except RequestError as error:
        assert error.code in {"InvalidPolicyDocument", "AccessDenied", "EntityTooSmall", "EntityTooLarge"}
    else:
        assert {"bucket", *fields} <= {condition.field for condition in policy.conditions}


@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_refused(text: str):
    try:
        parse_policy(text)
    except RequestError as error:
        assert error.code == "InvalidPolicyDocument"


@given(st.dictionaries(st.text(max_size=10).map(lambda name: f"x-amz-meta-{name}".lower()), st.text(max_size=10), max_size=3))
def test_any_fields_are_headers_or_refused(fields: dict[str, str]):
    try:
        headers = object_headers(fields)
    except RequestError as error:
        assert error.code == "InvalidArgument"
    else:
        assert {name: value.encode("latin-1").decode() for name, value in headers.items()} == fields
