"""Every document that a client may send, damaged in every way that keeps it XML, is read or refused; nothing else comes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.access.acl import GROUP_URIS
from domicile_common.bucket_settings import Acl, CorsRule, Grant, PublicAccessBlock
from domicile_common.errors import RequestError
from domicile_proxy.s3.access_documents import (
    XSI,
    parse_acl,
    parse_ownership_controls,
    parse_public_access_block,
    read_grants,
    render_acl,
    render_ownership_controls,
    render_public_access_block,
)
from domicile_proxy.s3.addressing import parse_source
from domicile_proxy.s3.cors import METHODS, parse_cors, render_cors
from domicile_proxy.s3.documents import parse_completion, parse_deletion, parse_location, parse_tagging, parse_versioning
from domicile_proxy.s3.errors import CODES
from domicile_proxy.s3.headers import read_facts, with_hoisted
from domicile_proxy.s3.lifecycle import parse_lifecycle, render_lifecycle
from domicile_proxy.s3.locks import parse_legal_hold, parse_lock_configuration, parse_retention
from domicile_proxy.s3.xml import HEAD

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRANT = f'<Grant><Grantee xmlns:xsi="{XSI}" xsi:type="{{}}">{{}}</Grantee><Permission>READ</Permission></Grant>'

# Parser → a document that it accepts.
SAMPLES: dict[Callable[[bytes], Any], str] = {
    parse_location: "<CreateBucketConfiguration><LocationConstraint>fi</LocationConstraint></CreateBucketConfiguration>",
    parse_deletion: "<Delete><Quiet>true</Quiet><Object><Key>k</Key><VersionId>v</VersionId><ETag>e</ETag><Size>1</Size>"
    "<LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime></Object></Delete>",
    parse_completion: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>c</ChecksumCRC32></Part>"
    "<Part><PartNumber>2</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>",
    parse_versioning: "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
    parse_tagging: "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>",
    parse_legal_hold: "<LegalHold><Status>ON</Status></LegalHold>",
    parse_lock_configuration: "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
    "<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    parse_public_access_block: "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
    "<RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
    parse_ownership_controls: "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    parse_acl: "<AccessControlPolicy><Owner><ID>a</ID><DisplayName>b</DisplayName></Owner><AccessControlList>"
    + GRANT.format("CanonicalUser", "<ID>a</ID>")
    + GRANT.format("Group", f"<URI>{next(iter(GROUP_URIS))}</URI>")
    + GRANT.format("AmazonCustomerByEmail", "<EmailAddress>a@b</EmailAddress>")
    + "</AccessControlList></AccessControlPolicy>",
    parse_cors: "<CORSConfiguration><CORSRule><ID>r</ID><AllowedOrigin>https://*.a</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
    "<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>1</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    parse_lifecycle: "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><And><Prefix>p</Prefix><Tag><Key>a</Key>"
    "<Value>b</Value></Tag><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration>"
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>"
    "</NoncurrentVersionExpiration></Rule><Rule><ID>s</ID><Status>Disabled</Status><Prefix/><AbortIncompleteMultipartUpload>"
    "<DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
}  # fmt: skip


def retention(body: bytes) -> object:
    return parse_retention(body, NOW)


SAMPLES[retention] = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate></Retention>"
WORDS = sorted({element.tag for text in SAMPLES.values() for element in ET.fromstring(text).iter()})  # noqa: S314 -- our own
TEXTS = st.sampled_from(["", " ", "true", "0", "-1", "1", "99999999999999999999", "2026-01-01T00:00:00Z", "*", "a*b*c", "é", "\ud7ff\r"]) | st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20
)  # fmt: skip


def damaged(data: st.DataObject, text: str) -> bytes:
    """The document after a few changes: elements lost, doubled, renamed, moved, or with another text."""
    root = ET.fromstring(text)  # noqa: S314 -- our own
    for _ in range(data.draw(st.integers(0, 4), "changes")):
        elements = list(root.iter())
        element = elements[data.draw(st.integers(0, len(elements) - 1), "element")]
        match data.draw(st.sampled_from(["text", "tag", "lose", "double", "move", "attribute"]), "change"):
            case "text":
                element.text = data.draw(TEXTS)
            case "tag":
                element.tag = data.draw(st.sampled_from(WORDS))
            case "lose" if len(element):
                element.remove(element[data.draw(st.integers(0, len(element) - 1))])
            case "double" if len(element):
                element.append(element[data.draw(st.integers(0, len(element) - 1))])
            case "move":
                element.append(ET.Element(data.draw(st.sampled_from(WORDS))))
            case "attribute":
                element.attrib.clear()
    return ET.tostring(root)


def refusal(error: RequestError) -> None:
    assert CODES[error.code][0] < 500 or error.code == "NotImplemented"
    assert all(isinstance(text, str) for text in error.detail.values())


@pytest.mark.parametrize("read", SAMPLES, ids=lambda read: read.__name__)
@given(data=st.data())
def test_any_document_is_read_or_refused(read, data: st.DataObject):
    read(SAMPLES[read].encode())
    try:
        read(damaged(data, SAMPLES[read]))
    except RequestError as error:
        refusal(error)


# --- what is given back is what was set ---

NAMES = st.from_regex(r"[A-Za-z0-9-]{1,10}", fullmatch=True)
ORIGINS = st.from_regex(r"[a-z:/.]{1,8}\*?[a-z.]{0,4}", fullmatch=True)
CORS = st.builds(
    CorsRule,
    st.lists(ORIGINS, min_size=1, max_size=3).map(tuple),
    st.lists(st.sampled_from(sorted(METHODS)), min_size=1, max_size=3).map(tuple),
    st.lists(NAMES | st.just("*"), max_size=3).map(tuple),
    st.lists(NAMES, max_size=3).map(tuple),
    st.none() | st.integers(0, 999_999_999),
    NAMES,
)


@given(st.lists(CORS, min_size=1, max_size=3).map(tuple))
def test_cors_rules_come_back(rules):
    assert parse_cors(render_cors(rules)) == rules


@given(st.data())
def test_lifecycle_rules_come_back(data: st.DataObject):
    try:
        rules = parse_lifecycle(damaged(data, SAMPLES[parse_lifecycle]))
    except RequestError:
        return
    assert parse_lifecycle(render_lifecycle(rules)) == rules


@pytest.mark.parametrize("action", ["", "<Expiration><Days>1</Days></Expiration>"])
def test_transitions_are_refused_as_such(action: str):
    transition = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
    rule = f"<Rule><Status>Enabled</Status><Filter/>{action}{transition}</Rule>"
    with pytest.raises(RequestError, match="NotImplemented"):
        parse_lifecycle(f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>".encode())


def test_tags_of_a_filter_keep_their_spaces():
    tag = "<Tag><Key>a </Key><Value> b</Value></Tag>"
    rule = f"<Rule><Status>Enabled</Status><Filter>{tag}</Filter><Expiration><Days>1</Days></Expiration></Rule>"
    (read,) = parse_lifecycle(f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>".encode())
    assert read.filter.tags == {"a ": " b"}


@pytest.mark.parametrize("date", ["soon", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:00:00-10:00"])
def test_a_lifecycle_date_that_is_none(date: str):
    rule = f"<Rule><Status>Enabled</Status><Filter/><Expiration><Date>{date}</Date></Expiration></Rule>"
    with pytest.raises(RequestError) as refused:
        parse_lifecycle(f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>".encode())
    assert refused.value.code == "MalformedXML"


@given(st.builds(PublicAccessBlock, st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_public_access_blocks_come_back(block):
    assert parse_public_access_block(render_public_access_block(block)) == block


@pytest.mark.parametrize("ownership", ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"])
def test_ownership_controls_come_back(ownership):
    assert parse_ownership_controls(render_ownership_controls(ownership)) == ownership


def test_lists_come_back_with_groups_first():
    acl = Acl("a", "A", (Grant("FULL_CONTROL", "a", "A"), Grant("READ", group="AllUsers")))
    asked = parse_acl(render_acl(acl))
    assert asked.owner_id == "a"
    assert [(grant.permission, grant.kind) for grant in asked.grants] == [("READ", "uri"), ("FULL_CONTROL", "id")]
    assert render_acl(acl).startswith(HEAD.encode())


# --- headers that hold a language of their own ---

PIECES = st.sampled_from(
    ['id="', "id=", '"', ",", " ", "uri=", "emailAddress=", "a" * 64, next(iter(GROUP_URIS)), "é", "%", "&", "="]
)
HEADER = st.lists(PIECES, max_size=8).map("".join) | st.text(st.characters(max_codepoint=255), max_size=40)


@given(HEADER)
def test_any_grants_are_read_or_refused(value: str):
    try:
        grants = read_grants({"x-amz-grant-read": value})
    except RequestError as error:
        refusal(error)
    else:
        assert all(grant.permission == "READ" and grant.kind in {"id", "uri", "email"} for grant in grants)


@given(HEADER)
def test_any_source_of_a_copy_is_read_or_refused(value: str):
    try:
        source = parse_source(value)
    except RequestError as error:
        refusal(error)
    else:
        assert source.bucket
        assert source.key


FACTS = st.sampled_from(
    ["x-amz-tagging", "x-amz-storage-class", "content-encoding", "x-amz-website-redirect-location", "x-amz-meta-a", "expires"]
)


@given(st.dictionaries(FACTS, HEADER, max_size=4))
def test_any_headers_of_an_object_are_read_or_refused(headers: dict[str, str]):
    try:
        facts = read_facts(headers)
    except RequestError as error:
        refusal(error)
    else:
        assert len(facts.tags) <= 10


@given(st.dictionaries(st.text(max_size=12).map(lambda text: f"X-Amz-Meta-{text}"), st.text(max_size=12), max_size=3))
def test_whatever_is_taken_from_a_query_is_a_header(params: dict[str, str]):
    try:
        headers = with_hoisted({}, params)
    except RequestError as error:
        refusal(error)
    else:
        for name, value in headers.items():
            assert name.isascii()
            assert not set(name) & set(" \t\r\n:\0")
            assert not set(value.encode("latin-1")) & {0, 10, 13, 127}
