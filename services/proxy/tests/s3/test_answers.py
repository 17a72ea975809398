"""Golden answers: elements, names and order as in the S3 API reference, and read back by a stock client's parser."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.metadata_client.models import BucketEntry, ObjectEntry, PartEntry, Upload, UploadEntry, VersionEntry
from domicile_common.model import Facts, Part, Tenant
from domicile_proxy.s3 import answers
from domicile_proxy.s3.answers import Failed, Listing, People, Removed

OWNER = Tenant(tenant_id="t", name="mtd@example", canonical_id="75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a")
INITIATOR = Tenant(tenant_id="i", name="somebody", canonical_id="1" * 64)
PERSON = f"<ID>{OWNER.canonical_id}</ID><DisplayName>mtd@example</DisplayName>"
NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
WHEN = datetime(2009, 10, 12, 17, 50, 30, 5000, tzinfo=UTC)
STAMP = "2009-10-12T17:50:30.000Z"
ETAG = "fba9dede5f27731c9771645a39863328"

MODEL = get_session().get_service_model("s3")


def understood(operation: str, body: bytes) -> Any:
    """The answer as boto3 would hand it over."""
    response = {"body": body, "headers": {}, "status_code": 200}
    return create_parser("rest-xml").parse(response, MODEL.operation_model(operation).output_shape)


def same(body: bytes, *content: str) -> None:
    assert body.decode() == '<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(content)


def entry(key: str, **more: Any) -> ObjectEntry:
    return ObjectEntry(key=key, size=434234, etag=ETAG, last_modified=WHEN, storage_class="STANDARD", **more)


def listing(**more: Any) -> Listing:
    return Listing(**{"bucket": "bucket", "prefix": "", "delimiter": "", "limit": 1000, "url": False} | more)


def test_list_buckets():
    rows = [BucketEntry(name="quotes", created_at=WHEN, location="fi"), BucketEntry(name="samples", created_at=WHEN, location="")]
    same(
        answers.list_buckets(OWNER, rows, prefix="", token="", region=""),
        f"<ListAllMyBucketsResult {NS}><Owner>{PERSON}</Owner><Buckets><Bucket><Name>quotes</Name><CreationDate>{STAMP}</CreationDate></Bucket>"
        f"<Bucket><Name>samples</Name><CreationDate>{STAMP}</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>",
    )
    page = understood("ListBuckets", answers.list_buckets(OWNER, rows, prefix="q", token="more", region="us-east-1"))
    assert (page["Prefix"], page["ContinuationToken"]) == ("q", "more")
    assert [bucket["BucketRegion"] for bucket in page["Buckets"]] == ["us-east-1"] * 2


def test_location():
    same(answers.location("fi,de"), f"<LocationConstraint {NS}>fi,de</LocationConstraint>")
    same(answers.location(""), f"<LocationConstraint {NS}/>")


def test_list_objects():
    body = answers.list_objects(listing(), [entry("my-image.jpg")], [], owner=OWNER, marker="", next_marker="")
    same(
        body,
        f"<ListBucketResult {NS}><Name>bucket</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><Marker></Marker><IsTruncated>false</IsTruncated>"
        f"<Contents><Key>my-image.jpg</Key><LastModified>{STAMP}</LastModified><ETag>&quot;{ETAG}&quot;</ETag><Size>434234</Size>"
        f"<Owner>{PERSON}</Owner><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>",
    )


def test_list_objects_gives_a_next_marker_only_with_a_delimiter():
    truncated = {"owner": OWNER, "marker": "a", "next_marker": "b/"}
    plain = understood("ListObjects", answers.list_objects(listing(), [entry("b")], [], **truncated))
    folded = understood("ListObjects", answers.list_objects(listing(delimiter="/", prefix="p"), [], ["b/"], **truncated))
    assert plain["IsTruncated"]
    assert folded["IsTruncated"]
    assert "NextMarker" not in plain
    assert (folded["NextMarker"], folded["Marker"], folded["Delimiter"], folded["Prefix"]) == ("b/", "a", "/", "p")
    assert folded["CommonPrefixes"] == [{"Prefix": "b/"}]


def test_list_objects_v2():
    body = answers.list_objects_v2(
        listing(prefix="photos/", delimiter="/", limit=2),
        (entry("photos/a", checksum_algorithms=("crc32",), checksum_type="FULL_OBJECT"),),
        ("photos/2006/",),
        owner=None,
        start_after="photos/",
        token="now",
        next_token="then",
    )
    same(
        body,
        f"<ListBucketResult {NS}><Name>bucket</Name><Prefix>photos/</Prefix><Delimiter>/</Delimiter><MaxKeys>2</MaxKeys><KeyCount>2</KeyCount>"
        "<StartAfter>photos/</StartAfter><ContinuationToken>now</ContinuationToken><NextContinuationToken>then</NextContinuationToken>"
        f"<IsTruncated>true</IsTruncated><Contents><Key>photos/a</Key><LastModified>{STAMP}</LastModified><ETag>&quot;{ETAG}&quot;</ETag>"
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>434234</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>photos/2006/</Prefix></CommonPrefixes></ListBucketResult>",
    )


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_key_can_be_listed_with_url_encoding(key: str):
    from botocore.handlers import decode_list_object_v2

    body = answers.list_objects_v2(
        listing(url=True, prefix=key, delimiter=key), (entry(key),), (key,), owner=OWNER, start_after=key, token="", next_token=""
    )
    page = understood("ListObjectsV2", body)
    decode_list_object_v2(page, {"encoding_type_auto_set": True})
    assert {
        page["Contents"][0]["Key"],
        page["CommonPrefixes"][0]["Prefix"],
        page["Prefix"],
        page["Delimiter"],
        page["StartAfter"],
    } == {key}


def test_list_versions():
    versions = [
        VersionEntry(entry("a"), "1" * 32, is_null=True, is_latest=True),
        VersionEntry(entry("c"), "2" * 32, is_null=False, is_latest=False, is_delete_marker=True),
    ]
    body = answers.list_versions(
        listing(delimiter="/"), versions, ["b/"], owner=OWNER, marker=("", ""), next_marker=("c", "2" * 32)
    )
    page = understood("ListObjectVersions", body)
    assert page["DeleteMarkers"] == [
        {
            "Key": "c",
            "VersionId": "2" * 32,
            "IsLatest": False,
            "LastModified": WHEN.replace(microsecond=0),
            "Owner": {"ID": OWNER.canonical_id, "DisplayName": OWNER.name},
        }
    ]
    assert page["Versions"][0] == {
        "Key": "a",
        "VersionId": "null",
        "IsLatest": True,
        "LastModified": WHEN.replace(microsecond=0),
        "ETag": f'"{ETAG}"',
        "Size": 434234,
        "StorageClass": "STANDARD",
        "Owner": {"ID": OWNER.canonical_id, "DisplayName": OWNER.name},
    }
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"], page["IsTruncated"]) == ("c", "2" * 32, True)
    end = answers.list_versions(listing(), [], [], owner=OWNER, marker=("b/", ""), next_marker=None)
    last = understood("ListObjectVersions", end)
    assert not last["IsTruncated"]
    assert "NextKeyMarker" not in last


def test_delete_result():
    body = answers.delete_result(
        [Removed("a&b", None, None), Removed("c", "null", None), Removed("d", None, "mark")],
        [Failed("e", "v", "AccessDenied", "Access Denied")],
    )
    same(
        body,
        f"<DeleteResult {NS}><Deleted><Key>a&amp;b</Key></Deleted><Deleted><Key>c</Key><VersionId>null</VersionId></Deleted>"
        "<Deleted><Key>d</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>mark</DeleteMarkerVersionId></Deleted>"
        "<Error><Key>e</Key><VersionId>v</VersionId><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>",
    )
    same(answers.delete_result([], []), f"<DeleteResult {NS}/>")


def test_copy_results():
    same(
        answers.copy_object_result(ETAG, WHEN, {"crc64nvme": "x"}, "FULL_OBJECT"),
        f"<CopyObjectResult {NS}><ETag>&quot;{ETAG}&quot;</ETag><LastModified>{STAMP}</LastModified><ChecksumCRC64NVME>x</ChecksumCRC64NVME>"
        "<ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>",
    )
    same(
        answers.copy_part_result(ETAG, WHEN, {}),
        f"<CopyPartResult {NS}><ETag>&quot;{ETAG}&quot;</ETag><LastModified>{STAMP}</LastModified></CopyPartResult>",
    )


def test_tagging():
    same(
        answers.tagging({"tag1": "val1", "<": ""}),
        f"<Tagging {NS}><TagSet><Tag><Key>&lt;</Key><Value></Value></Tag><Tag><Key>tag1</Key><Value>val1</Value></Tag></TagSet></Tagging>",
    )
    same(answers.tagging({}), f"<Tagging {NS}><TagSet></TagSet></Tagging>")


def test_initiate_and_complete():
    same(
        answers.initiated(
            "example-bucket",
            "example-object",
            "EXAMPLEJZ6e0YupT2h66iePQCc9IEbYbDUy4RTpMeoSMLPRp8Z5o1u8feSRonpvnWsKKG35tI2LB9VDPiCgTy",
        ),
        f"<InitiateMultipartUploadResult {NS}><Bucket>example-bucket</Bucket><Key>example-object</Key>"
        "<UploadId>EXAMPLEJZ6e0YupT2h66iePQCc9IEbYbDUy4RTpMeoSMLPRp8Z5o1u8feSRonpvnWsKKG35tI2LB9VDPiCgTy</UploadId>"
        "</InitiateMultipartUploadResult>",
    )
    same(
        answers.completed(
            "Example-Bucket",
            "Example-Object",
            location="http://Example-Bucket.s3.example/Example-Object",
            etag="3858f62230ac3c915f300c664312c11f-9",
            checksums={"crc32": "x-9"},
            checksum_type="COMPOSITE",
        ),
        f"<CompleteMultipartUploadResult {NS}><Location>http://Example-Bucket.s3.example/Example-Object</Location><Bucket>Example-Bucket</Bucket>"
        "<Key>Example-Object</Key><ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag><ChecksumCRC32>x-9</ChecksumCRC32>"
        "<ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>",
    )


UPLOAD = Upload(
    bucket_id="b",
    key="example-object",
    upload_id="u",
    initiated_at=WHEN,
    facts=Facts(),
    blobs=(),
    uploads={},
    checksum_algorithm="crc32c",
    checksum_type="COMPOSITE",
)


def test_list_parts():
    parts = (
        PartEntry(
            part=Part(number=2, size=10485760, etag="7778aef83f66abc1fa1e8477f296d394"),
            last_modified=WHEN,
            checksums={"crc32c": "x"},
        ),
    )
    body = answers.list_parts("example-bucket", UPLOAD, parts, people=People(INITIATOR, OWNER), marker=1, limit=2, truncated=True)
    same(
        body,
        f"<ListPartsResult {NS}><Bucket>example-bucket</Bucket><Key>example-object</Key><UploadId>u</UploadId>"
        "<PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>"
        f"<Part><PartNumber>2</PartNumber><LastModified>{STAMP}</LastModified><ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag>"
        "<Size>10485760</Size><ChecksumCRC32C>x</ChecksumCRC32C></Part>"
        f"<Initiator><ID>{INITIATOR.canonical_id}</ID><DisplayName>somebody</DisplayName></Initiator><Owner>{PERSON}</Owner><StorageClass>STANDARD</StorageClass>"
        "<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType></ListPartsResult>",
    )


@pytest.mark.parametrize("following", [None, ("my-movie", "xyz")])
def test_list_uploads(following: tuple[str, str] | None):
    entry = UploadEntry(key="my-divisor", upload_id="XMg", initiated_at=WHEN, storage_class="STANDARD")
    uploads = [(entry, People(INITIATOR, OWNER))]
    body = answers.list_uploads(listing(delimiter="/", limit=3), uploads, ["photos/"], marker=("a", "b"), next_marker=following)
    page = understood("ListMultipartUploads", body)
    assert page["Uploads"][0]["Initiator"] == {"ID": INITIATOR.canonical_id, "DisplayName": INITIATOR.name}
    assert page["Uploads"][0]["Owner"] == {"ID": OWNER.canonical_id, "DisplayName": OWNER.name}
    assert (page["Uploads"][0]["Key"], page["Uploads"][0]["UploadId"]) == ("my-divisor", "XMg")
    assert page["CommonPrefixes"] == [{"Prefix": "photos/"}]
    assert (page["Bucket"], page["KeyMarker"], page["UploadIdMarker"], page["MaxUploads"], page["Delimiter"]) == (
        "bucket",
        "a",
        "b",
        3,
        "/",
    )
    assert page["IsTruncated"] == bool(following)
    assert (page.get("NextKeyMarker"), page.get("NextUploadIdMarker")) == (following or (None, None))
