from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.backends import documents
from domicile_common.backends.documents import UploadPage
from domicile_common.backends.port import Page
from domicile_common.model import Part

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>"""
PARSERS = [documents.upload_id, documents.completed_etag, documents.page, documents.uploads]


@pytest.mark.parametrize(
    "document, code",
    [
        (b"<Error><Code>NoSuchKey</Code><Message>x</Message></Error>", "NoSuchKey"),
        (f"<?xml version='1.0'?>\n<Error {NS}><Code>SlowDown</Code></Error>".encode(), "SlowDown"),
        (b"  \n<?xml version='1.0'?><Error><Code>InternalError</Code></Error>", "InternalError"),
        (b"<Error><Code>not a code!</Code></Error>", ""),
        (b"<Other><Code>NoSuchKey</Code></Other>", ""),
        (b"<html><body>404 page not found", ""),
        (b"", ""),
        (BOMB + b"<Error><Code>&b;</Code></Error>", ""),
    ],
)
def test_error_codes(document, code):
    assert documents.error_code(document) == code


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: f"<Error><Code>{text}</Code></Error>".encode()))
def test_error_codes_never_fail_and_hold_nothing_strange(document):
    code = documents.error_code(document)
    assert code == "" or code.replace(".", "").isalnum()


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>fine</html>",
        b"\xff\xfe",
        b"<Error><Code>InternalError</Code><UploadId>a</UploadId><ETag>a</ETag></Error>",
        BOMB + b"<ListBucketResult>&b;</ListBucketResult>",
    ],
)
def test_anything_else_is_a_value_error(parse, document):
    with pytest.raises(ValueError):
        parse(document)


def test_upload_id():
    assert (
        documents.upload_id(
            f"<InitiateMultipartUploadResult {NS}><UploadId>a_b</UploadId></InitiateMultipartUploadResult>".encode()
        )
        == "a_b"
    )


def test_completed_etag_after_white_space():
    document = f"   \n<?xml version='1.0'?><CompleteMultipartUploadResult {NS}><ETag>&quot;ab-2&quot;</ETag></CompleteMultipartUploadResult>"
    assert documents.completed_etag(document.encode()) == "ab-2"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_keys_come_out_as_they_went_in(key):
    document = (
        f"<ListBucketResult {NS}><IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>"
        f"<EncodingType>url</EncodingType><Contents><Key>{escape(quote(key))}</Key><ETag>&quot;e&quot;</ETag><Size>0</Size></Contents></ListBucketResult>"
    )
    assert documents.page(document.encode()) == Page(entries=((key, 0, "e"),), next="t&1")


def test_a_provider_may_ignore_the_encoding():
    document = "<ListBucketResult><Contents><Key>a+b%20c</Key><Size>1</Size></Contents></ListBucketResult>"
    assert documents.page(document.encode()) == Page(entries=(("a+b%20c", 1, ""),), next="")


@pytest.mark.parametrize(
    "inside",
    [
        "<IsTruncated>true</IsTruncated>",
        "<Contents><Key>a</Key></Contents>",
        "<Contents><Key>a</Key><Size>x</Size></Contents>",
        "<Contents><Size>1</Size></Contents>",
    ],
)
def test_half_a_page_is_no_page(inside):
    with pytest.raises(ValueError):
        documents.page(f"<ListBucketResult>{inside}</ListBucketResult>".encode())


def test_uploads():
    upload = "<Upload><Key>a%2Fb+c</Key><UploadId>u1</UploadId></Upload>"
    page = "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb</NextKeyMarker><NextUploadIdMarker>u0</NextUploadIdMarker>"
    document = f"<ListMultipartUploadsResult {NS}>{page}{upload}</ListMultipartUploadsResult>"
    assert documents.uploads(document.encode()) == UploadPage([("a/b c", "u1")], {"key-marker": "a/b", "upload-id-marker": "u0"})
    assert documents.uploads(b"<ListMultipartUploadsResult/>") == UploadPage([], None)


def test_requests():
    assert (
        documents.complete_request([Part(1, 5, "ab"), Part(2, 5, "cd")])
        == (
            f'<CompleteMultipartUpload {NS}><Part><PartNumber>1</PartNumber><ETag>"ab"</ETag></Part>'
            '<Part><PartNumber>2</PartNumber><ETag>"cd"</ETag></Part></CompleteMultipartUpload>'
        ).encode()
    )
    assert (
        documents.location_request("eu-north-1")
        == (
            f"<CreateBucketConfiguration {NS}><LocationConstraint>eu-north-1</LocationConstraint></CreateBucketConfiguration>"
        ).encode()
    )


@pytest.mark.parametrize("text", ['"ab"', 'W/"ab"', "ab"])
def test_bare_etag(text):
    assert documents.bare_etag(text) == "ab"
