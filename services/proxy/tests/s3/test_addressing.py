"""Paths, hosts and queries: decoded once, never tidied."""

from __future__ import annotations

from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_proxy.s3.addressing import Address, Source, check_key, parse_address, parse_source
from domicile_proxy.s3.query import parse_query, whole_number

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300).filter(lambda key: len(key.encode()) <= 1024)


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(RequestError) as refused:
        call(*args, **kwargs)
    return refused.value.code


@given(keys)
def test_a_key_comes_through_path_style_byte_for_byte(key: str):
    path = b"/bucket/" + quote_from_bytes(key.encode(), safe="/").encode()
    assert parse_address("localhost:9000", path) == Address("bucket", key)


@given(keys)
def test_a_key_comes_through_host_style_byte_for_byte(key: str):
    path = b"/" + quote_from_bytes(key.encode(), safe="").encode()
    assert parse_address("my.bucket.s3.example:9000", path, "s3.example") == Address("my.bucket", key)


@given(keys)
def test_unescaped_utf8_is_taken_as_it_is(key: str):
    raw = key.encode().replace(b"%", b"%25")
    assert parse_address("h", b"/bucket/" + raw).key == key


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (b"/bkt/a%2Fb", "a/b"),
        (b"/bkt/a%252Fb", "a%2Fb"),
        (b"/bkt//lead", "/lead"),
        (b"/bkt/a//b/", "a//b/"),
        (b"/bkt/./a/../b", "./a/../b"),
        (b"/bkt/..", ".."),
        (b"/bkt/a+b", "a+b"),
        (b"/bkt/a%20b%00", "a b\0"),
        (b"/bkt/%C3%A4", "ä"),
        (b"/bkt/", None),
        (b"/bkt", None),
    ],
)
def test_nothing_in_a_key_is_tidied(path: bytes, key: str | None):
    assert parse_address("localhost", path) == Address("bkt", key)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("s3.example", b"/", Address(None, None)),
        ("s3.example", b"/bkt/k", Address("bkt", "k")),
        ("S3.Example:443", b"/bkt/k", Address("bkt", "k")),
        ("bkt.s3.example", b"/", Address("bkt", None)),
        ("BKT.s3.example.", b"/k/", Address("bkt", "k/")),
        ("other.example", b"/bkt", Address("bkt", None)),
        ("evil-s3.example", b"/bkt", Address("bkt", None)),
        ("127.0.0.1:9000", b"/bkt", Address("bkt", None)),
        ("[::1]:9000", b"/bkt", Address("bkt", None)),
        ("", b"/bkt", Address("bkt", None)),
    ],
)
def test_a_base_domain_turns_host_names_into_buckets(host: str, path: bytes, expected: Address):
    assert parse_address(host, path, "s3.example") == expected


@pytest.mark.parametrize("path", [b"/bkt/%", b"/bkt/%zz", b"/bkt/%e4", b"/bkt/\xff", b"/%ff/k", b"/bkt/%ED%A0%80", b"/bkt/%+1"])
def test_what_is_no_utf8_or_no_escape_is_an_invalid_uri(path: bytes):
    assert refusal(parse_address, "h", path) == "InvalidURI"


def test_a_key_has_at_most_1024_bytes():
    assert check_key("ä" * 512) == "ä" * 512
    assert refusal(check_key, "ä" * 512 + "a") == "KeyTooLongError"
    assert refusal(check_key, "a" * 1025) == "KeyTooLongError"
    assert refusal(parse_address, "h", b"/bkt/" + b"%00" * 1025) == "KeyTooLongError"
    assert refusal(check_key, "") == "UserKeyMustBeSpecified"


@pytest.mark.parametrize("path", [b"/A_b/key", b"/ab", b"/192.168.5.4/k", b"/%2e%2e/k"])
def test_a_bucket_name_that_s3_refuses_is_refused_at_the_door(path: bytes):
    assert refusal(parse_address, "h", path) == "InvalidBucketName"


def test_an_empty_bucket_in_a_path_is_refused():
    assert refusal(parse_address, "h", b"//key") == "InvalidBucketName"


@given(st.text(), st.binary(), st.none() | st.text(min_size=1))
def test_any_address_is_parsed_or_refused(host: str, path: bytes, base: str | None):
    try:
        address = parse_address(host, path, base)
    except RequestError as error:
        assert error.code in {"InvalidURI", "InvalidBucketName", "KeyTooLongError"}
    else:
        assert address.bucket != ""
        assert address.key != ""


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("bucket/key", Source("bucket", "key", None)),
        ("/bucket/key", Source("bucket", "key", None)),
        ("bucket%2Fa%2Fb", Source("bucket", "a/b", None)),  # encodeURIComponent
        ("%2Fbucket%2Fkey", Source("bucket", "key", None)),
        ("bucket//a+b%20c", Source("bucket", "/a+b c", None)),
        ("bucket/k%3FversionId=1?versionId=null", Source("bucket", "k?versionId=1", "null")),
    ],
)
def test_sources_of_copies(value: str, source: Source):
    assert parse_source(value) == source
    assert str(source) == f"{source.bucket}/{source.key}" + ("?versionId=null" if source.version_id else "")


@pytest.mark.parametrize("value", ["", "/", "bucket", "bucket/", "/bucket", "//key", "bucket?versionId=1", "B/key", "bucket/%zz"])
def test_what_names_no_source(value: str):
    assert refusal(parse_source, value) == "InvalidArgument"


@given(st.text(st.characters(max_codepoint=255)))
def test_any_source_is_parsed_or_refused(value: str):
    try:
        source = parse_source(value)
    except RequestError as error:
        assert error.code in {"InvalidArgument", "KeyTooLongError"}
    else:
        assert source.bucket
        assert source.key


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_a_query_comes_through(params: dict[str, str]):
    expected = {name: value for name, value in params.items() if name or value}  # "&=&" says nothing… but "=v" does
    assert parse_query(urlencode(expected).encode()) == expected


def test_query_details():
    assert parse_query(b"") == {}
    assert parse_query(b"acl&&prefix=a+b%2Bc&x=1=2&prefix=later") == {"acl": "", "prefix": "a b+c", "x": "1=2"}
    assert refusal(parse_query, b"prefix=%ff") == "InvalidURI"
    assert refusal(parse_query, b"pre%fix=1") == "InvalidURI"


@given(st.binary())
def test_any_query_is_parsed_or_refused(raw: bytes):
    try:
        parse_query(raw)
    except RequestError as error:
        assert error.code == "InvalidURI"


def test_numbers_in_a_query():
    assert whole_number({}, "max-keys", 1000) == 1000
    assert whole_number({"max-keys": ""}, "max-keys", 1000) == 1000
    assert whole_number({"max-keys": "0"}, "max-keys", 1000) == 0
    for text in ("-1", "2147483648", "1e3", "1_0", " 1", "²", "٣", "9" * 5000, "x"):
        assert refusal(whole_number, {"max-keys": text}, "max-keys", 1000) == "InvalidArgument"


@given(st.text())
def test_any_number_is_an_integer_in_range_or_refused(text: str):
    try:
        assert 1 <= whole_number({"n": text}, "n", 5, least=1, most=9) <= 9
    except RequestError as error:
        assert error.code == "InvalidArgument"
