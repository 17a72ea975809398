"""The parser's limits, and the documents that clients send."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import escape as reference_escape

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import CompletedPart, Condition
from domicile_proxy.s3.documents import (
    Deletion,
    ObjectId,
    parse_completion,
    parse_deletion,
    parse_location,
    parse_tagging,
    parse_versioning,
)
from domicile_proxy.s3.xml import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, escape, parse, show, timestamp, url_encode

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
# What XML 1.0 can carry (section 2.2)
carried = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r\x7f\x85"),
)


def refusal(call, *args) -> str:
    with pytest.raises(RequestError) as refused:
        call(*args)
    return refused.value.code


@given(carried)
def test_text_comes_through_a_stock_parser(text: str):
    assert (fromstring(f"<a>{escape(text)}</a>").text or "") == text
    assert (parse(f"<a>{escape(text)}</a>".encode(), "a").text or "") == text


def test_what_xml_cannot_carry_is_a_reference_as_at_aws():
    assert escape("a\x00\x1f\ufffe") == "a&#x0;&#x1F;&#xFFFE;"
    assert escape('<&>"\r') == "&lt;&amp;&gt;&quot;&#xD;"


@given(st.text(st.characters()))
def test_what_is_only_shown_can_always_be_read(text: str):
    read = fromstring(f"<a>{show(text)}</a>".encode()).text or ""
    assert len(read) == len(text)
    assert {shown for shown, given in zip(read, text, strict=True) if shown != given} <= {"\ufffd"}


@given(carried)
def test_what_xml_can_carry_is_shown_as_it_is(text: str):
    assert show(text) == escape(text)


@given(st.text(st.characters(codec="utf-8")))
def test_url_encoding_needs_no_escaping(text: str):
    from urllib.parse import unquote, unquote_plus

    encoded = url_encode(text)
    assert escape(encoded) == encoded
    assert unquote(encoded) == unquote_plus(encoded) == text


def test_timestamps_are_whole_seconds():
    assert timestamp(datetime(2009, 10, 12, 17, 50, 30, 987654, tzinfo=UTC)) == "2009-10-12T17:50:30.000Z"


BOMB = b'<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete>&b;</Delete>'
EXTERNAL = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Delete/>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<Delete>",
        b"<Other/>",
        BOMB,
        EXTERNAL,
        b"<Delete>&undefined;</Delete>",
        b"<Delete>&#x1;</Delete>",
        b"<Delete>\0</Delete>",
        b"<Delete/><Delete/>",
        b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
        b'<?xml version="1.0" encoding="zlib"?><Delete/>',
        b"<Delete>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</Delete>",
        b"<Delete>" + b"<a/>" * MAX_ELEMENTS + b"</Delete>",
        b"<Delete>" + b" " * MAX_BYTES + b"</Delete>",
        b"\xff\xfe\xfd",
    ],
    ids=range(16),
)
def test_bad_documents(body: bytes):
    assert refusal(parse, body, "Delete") == "MalformedXML"


def test_other_encodings_and_namespaces_are_fine():
    assert parse('<?xml version="1.0" encoding="utf-16"?><Delete>ä</Delete>'.encode("utf-16"), "Delete").text == "ä"
    assert parse(b'<x:Delete xmlns:x="urn:any"/>', "Delete").tag == "Delete"


pieces = st.sampled_from(
    [
        "<Delete>",
        "</Delete>",
        "<Object>",
        "</Object>",
        "<Key>",
        "</Key>",
        "a",
        "&#1;",
        "&amp;",
        "<Quiet/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "\x00",
        "<CompleteMultipartUpload>",
        "<Part>",
        "<PartNumber>1</PartNumber>",
        "<ETag>x</ETag>",
        "</Part>",
        "</CompleteMultipartUpload>",
        "<?xml?>",
    ]
)


@pytest.mark.parametrize("read", [parse_location, parse_deletion, parse_completion])
@given(body=st.binary() | st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode()))
def test_any_body_is_read_or_refused(read, body: bytes):
    try:
        read(body)
    except RequestError as error:
        assert error.code in {"MalformedXML", "NotImplemented", "InvalidArgument", "InvalidPartOrder"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ""),
        ("  \n", ""),
        (f"<CreateBucketConfiguration {NS}/>", ""),
        (f"<CreateBucketConfiguration {NS}><LocationConstraint/></CreateBucketConfiguration>", ""),
        (
            f"<CreateBucketConfiguration {NS}><LocationConstraint> fi,de </LocationConstraint></CreateBucketConfiguration>",
            "fi,de",
        ),
    ],
)
def test_location_constraints(body: str, expected: str):
    assert parse_location(body.encode()) == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>", "NotImplemented"),
        ("<Bucket/>", "NotImplemented"),
        ("<Zone/>", "MalformedXML"),
        ("<LocationConstraint>a</LocationConstraint><LocationConstraint>b</LocationConstraint>", "MalformedXML"),
        ("<LocationConstraint><a/></LocationConstraint>", "MalformedXML"),
    ],
)
def test_bad_locations(content: str, code: str):
    body = f"<CreateBucketConfiguration>{content}</CreateBucketConfiguration>"
    assert refusal(parse_location, body.encode()) == code


def test_a_deletion():
    body = (
        f"<Delete {NS}><Quiet>true</Quiet><Object><Key> a&amp;b\n</Key></Object>"
        "<Object><VersionId>null</VersionId><Key>c</Key></Object><Object><Key>d</Key><ETag>x</ETag></Object></Delete>"
    )
    assert parse_deletion(body.encode()) == Deletion(
        quiet=True, objects=(ObjectId(" a&b\n", None), ObjectId("c", "null"), ObjectId("d", None, Condition(if_match="x")))
    )


@given(st.lists(carried.filter(lambda key: key and "\r" not in key), min_size=1, max_size=20))
def test_keys_to_delete_come_through(keys: list[str]):
    body = "".join(f"<Object><Key>{reference_escape(key)}</Key></Object>" for key in keys)
    assert [one.key for one in parse_deletion(f"<Delete>{body}</Delete>".encode()).objects] == keys


def test_a_deletion_has_1_to_1000_keys():
    one = b"<Object><Key>a</Key></Object>"
    assert len(parse_deletion(b"<Delete>" + one * 1000 + b"</Delete>").objects) == 1000
    assert refusal(parse_deletion, b"<Delete>" + one * 1001 + b"</Delete>") == "MalformedXML"
    assert refusal(parse_deletion, b"<Delete/>") == "MalformedXML"


@pytest.mark.parametrize(
    "content",
    [
        "<Object/>",
        "<Object><Key/></Object>",
        "<Key>a</Key>",
        "<Object><Key>a</Key><Key>b</Key></Object>",
        "<Quiet>maybe</Quiet><Object><Key>a</Key></Object>",
    ],
)
def test_bad_deletions(content: str):
    assert refusal(parse_deletion, f"<Delete>{content}</Delete>".encode()) == "MalformedXML"


def completion(*parts: str) -> bytes:
    return f"<CompleteMultipartUpload {NS}>{''.join(f'<Part>{part}</Part>' for part in parts)}</CompleteMultipartUpload>".encode()


def test_a_completion():
    body = completion(
        "<PartNumber>1</PartNumber><ETag>&quot;aa&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>",
        "<ETag>bb</ETag><PartNumber> 10000 </PartNumber>",
    )
    assert parse_completion(body) == (
        CompletedPart(number=1, etag="aa", checksums={"crc32": "AAAAAA=="}),
        CompletedPart(number=10000, etag="bb"),
    )


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "MalformedXML"),
        (["<PartNumber>1</PartNumber>"], "MalformedXML"),
        (["<ETag>a</ETag>"], "MalformedXML"),
        (["<PartNumber>x</PartNumber><ETag>a</ETag>"], "MalformedXML"),
        (["<PartNumber>1</PartNumber><ETag>a</ETag><ChecksumROT13>a</ChecksumROT13>"], "MalformedXML"),
        (["<PartNumber>0</PartNumber><ETag>a</ETag>"], "InvalidArgument"),
        (["<PartNumber>10001</PartNumber><ETag>a</ETag>"], "InvalidArgument"),
        (["<PartNumber>2</PartNumber><ETag>a</ETag>", "<PartNumber>1</PartNumber><ETag>a</ETag>"], "InvalidPartOrder"),
    ],
)
def test_bad_completions(parts: list[str], code: str):
    assert refusal(parse_completion, completion(*parts)) == code


def test_versioning_documents():
    def document(content: str) -> bytes:
        return f"<VersioningConfiguration {NS}>{content}</VersioningConfiguration>".encode()

    assert parse_versioning(document("<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>")) == "enabled"
    assert parse_versioning(document("<Status>Suspended</Status>")) == "suspended"
    for content, code in (
        ("", "IllegalVersioningConfigurationException"),
        ("<Status>Off</Status>", "MalformedXML"),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", "NotImplemented"),
        ("<Status>Enabled</Status><Other/>", "MalformedXML"),
    ):
        with pytest.raises(RequestError) as refused:
            parse_versioning(document(content))
        assert refused.value.code == code


def test_tagging_documents():
    def document(tags: str) -> bytes:
        return f"<Tagging {NS}>{tags}</Tagging>".encode()

    body = "<TagSet><Tag><Key>b</Key><Value/></Tag><Tag><Value> 1 </Value><Key>a</Key></Tag></TagSet>"
    assert list(parse_tagging(document(body)).items()) == [("b", ""), ("a", " 1 ")]
    assert parse_tagging(document("<TagSet/>")) == {}
    twice = "<Tag><Key>a</Key><Value/></Tag>" * 2
    for content, code in (
        ("", "MalformedXML"),
        ("<TagSet/><TagSet/>", "MalformedXML"),
        ("<TagSet><Tag><Key>a</Key></Tag></TagSet>", "MalformedXML"),
        ("<TagSet><Other/></TagSet>", "MalformedXML"),
        (f"<TagSet>{twice}</TagSet>", "InvalidTag"),
    ):
        with pytest.raises(RequestError) as refused:
            parse_tagging(document(content))
        assert refused.value.code == code


def test_of_a_part_named_twice_the_last_counts():
    rows = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in ((1, "a"), (1, "b"), (2, "c")))
    parts = parse_completion(f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode())
    assert [(part.number, part.etag) for part in parts] == [(1, "b"), (2, "c")]
