from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.backends.port import BlobInfo
from domicile_common.model import Digest, Facts
from domicile_common.testing.memory import backend
from domicile_replicator.natural import Unservable, check_key, found_object, natural_headers

MD5 = "0123456789abcdef" * 2
HEADERS = {"last-modified": "Mon, 03 Feb 2020 04:05:06 GMT", "content-type": "text/x"}
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=9)


def found(etag: str = MD5, tags: dict[str, str] | None = None, quirks: str = "seaweedfs", **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return found_object("k", BlobInfo(3, etag, HEADERS | named), tags or {}, backend("fi", quirks=quirks))


def test_a_plain_object_is_known_by_its_md5():
    it = found(x_amz_meta_a="1", x_amz_meta_domicile="a stamp of another installation", server="x", tags={"t": "1"})
    assert (it.key, it.digest, it.modified_at) == ("k", Digest(3, MD5), datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert it.facts == Facts(headers={"content-type": "text/x"}, metadata={"a": "1"}, tags={"t": "1"})


@pytest.mark.parametrize(
    "etag, quirks, headers",
    [
        (f"{MD5}-3", "seaweedfs", {}),
        ("0x8D", "seaweedfs", {}),
        (MD5.upper(), "seaweedfs", {}),
        (MD5, "generic", {}),
        (MD5, "aws", {"x_amz_server_side_encryption": "aws:kms"}),
    ],
)
def test_any_other_entity_tag_proves_nothing_and_stays(etag, quirks, headers):
    digest = found(etag, quirks=quirks, **headers).digest
    assert (digest.md5, digest.etag, digest.stored_etag) == ("", etag, "")


@pytest.mark.parametrize("headers", [{"x_amz_storage_class": "GLACIER"}, {"last_modified": "yesterday"}, {"last_modified": ""}])
def test_what_cannot_be_served_says_why(headers):
    with pytest.raises(Unservable):
        found(**headers)


def test_without_an_entity_tag_nothing_could_guard_it():
    with pytest.raises(Unservable):
        found("")


@pytest.mark.parametrize(
    "shown, kept", [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip", "gzip"), ("gzip, br", "gzip, br")]
)
def test_how_a_body_travelled_once_is_no_property_of_it(shown, kept):
    assert found(content_encoding=shown).facts.headers.get("content-encoding") == kept


@pytest.mark.parametrize("key", ["a\0b", "x" * 1025, "ü" * 513])
def test_keys_that_cannot_be_kept(key):
    with pytest.raises(Unservable):
        check_key(key)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=200))
def test_all_others_can(key):
    check_key(key)


STORED = st.dictionaries(
    st.sampled_from(["cache-control", "content-disposition", "content-language", "expires", "website-redirect-location"]), TEXT
)


@given(
    headers=STORED,
    metadata=st.dictionaries(NAMES.filter(lambda name: name != "domicile"), TEXT),
    tags=st.dictionaries(TEXT, TEXT),
)
def test_what_leaves_can_come_back(headers, metadata, tags):
    sent = natural_headers(Facts({"content-type": "text/x"} | headers, metadata, tags))
    assert dict(parse_qsl(sent.pop("x-amz-tagging", ""))) == tags
    back = found_object("k", BlobInfo(3, MD5, HEADERS | sent), tags, backend("fi")).facts
    assert back == Facts({"content-type": "text/x"} | headers, metadata, tags)
