"""Versions, locks, tags and attributes from a client's side, with a stock SDK."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


def refused(call, **arguments) -> tuple[int, str, dict[str, str]]:
    """Status, code and headers of a refusal."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPHeaders"]


@pytest.fixture
def versioned(s3, bucket) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def vault(domicile, s3) -> str:
    name = f"vault-{domicile.new_bucket()}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def test_versions_are_kept_read_and_removed(domicile, s3, versioned):
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=body)["VersionId"] for body in (b"one", b"two")]
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == ids[1]
    for version_id, body in zip(ids, (b"one", b"two"), strict=True):
        assert s3.get_object(Bucket=versioned, Key="k", VersionId=version_id)["Body"].read() == body
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"]
    status, code, headers = refused(s3.get_object, Bucket=versioned, Key="k")
    assert (status, code) == (404, "NoSuchKey")
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker["VersionId"])
    status, code, headers = refused(s3.get_object, Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert (status, code, headers["allow"]) == (405, "MethodNotAllowed", "DELETE")
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    removed = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, marker["VersionId"])
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[1])
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"one"
    assert refused(s3.delete_bucket, Bucket=versioned)[1] == "BucketNotEmpty"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[0])
    s3.delete_bucket(Bucket=versioned)


def test_a_version_is_copied_to_every_backend(domicile, s3, versioned):
    for body in (b"one", b"two"):
        s3.put_object(Bucket=versioned, Key="k", Body=body)
    copies = domicile.verified(versioned, "k")
    assert sorted(copies) == ["de", "fi"]
    assert all(domicile.read(copy) == b"two" for copy in copies.values())


def test_null_versions_under_suspension(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"plain")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version_id = s3.put_object(Bucket=bucket, Key="k", Body=b"versioned")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"null again")
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    page = s3.list_object_versions(Bucket=bucket)
    assert [it["VersionId"] for it in page["DeleteMarkers"]] == ["null"]
    assert [it["VersionId"] for it in page["Versions"]] == [version_id]
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"versioned"


def test_versions_in_pages_and_all_at_once_removed(s3, versioned):
    for key in ("a/1", "a/1", "a/2", "b", "b", "ü"):
        s3.put_object(Bucket=versioned, Key=key, Body=b"")
    s3.delete_object(Bucket=versioned, Key="b")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": 2})
    seen = [(it["Key"], it["VersionId"]) for page in pages for it in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert len(set(seen)) == len(seen) == 7
    rolled = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [it["Prefix"] for it in rolled["CommonPrefixes"]] == ["a/"]
    assert [(it["Key"], it["IsLatest"]) for it in rolled["Versions"]] == [("b", False), ("b", False), ("ü", True)]
    s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": key, "VersionId": it} for key, it in seen]})
    s3.delete_bucket(Bucket=versioned)


def test_of_many_creators_exactly_one_wins_under_versioning_as_well(domicile, versioned):
    def create(number: int) -> bool:
        try:
            domicile.client().put_object(Bucket=versioned, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_deletions_with_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"0"')[1] == "PreconditionFailed"
    wrong = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"0"'}]})
    assert wrong["Errors"][0]["Code"] == "PreconditionFailed"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag)[:2] == (404, "NoSuchKey")


def test_a_locked_version_survives_whatever_a_client_tries(s3, vault):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    version_id = s3.put_object(Bucket=vault, Key="k", Body=b"kept", **lock)["VersionId"]
    head = s3.head_object(Bucket=vault, Key="k")
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
    named = {"Bucket": vault, "Key": "k", "VersionId": version_id}
    assert refused(s3.delete_object, **named, BypassGovernanceRetention=True)[:2] == (403, "AccessDenied")
    many = s3.delete_objects(
        Bucket=vault, BypassGovernanceRetention=True, Delete={"Objects": [{"Key": "k", "VersionId": version_id}]}
    )
    assert many["Errors"][0]["Code"] == "AccessDenied"
    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(hours=1)}
    assert refused(s3.put_object_retention, Bucket=vault, Key="k", Retention=sooner)[1] == "AccessDenied"
    suspended = {"Status": "Suspended"}
    assert refused(s3.put_bucket_versioning, Bucket=vault, VersioningConfiguration=suspended)[1] == "InvalidBucketState"
    assert refused(s3.delete_bucket, Bucket=vault)[1] == "BucketNotEmpty"
    s3.delete_object(Bucket=vault, Key="k")
    s3.put_object(Bucket=vault, Key="k", Body=b"newer")
    assert s3.get_object(**named)["Body"].read() == b"kept"


def test_default_retention_governance_and_legal_hold(s3, vault):
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=vault, ObjectLockConfiguration=rule)
    assert s3.get_object_lock_configuration(Bucket=vault)["ObjectLockConfiguration"] == rule
    version_id = s3.put_object(Bucket=vault, Key="k", Body=b"1")["VersionId"]
    retention = s3.get_object_retention(Bucket=vault, Key="k")["Retention"]
    assert retention["Mode"] == "GOVERNANCE"
    assert timedelta(hours=23) < retention["RetainUntilDate"] - datetime.now(UTC) < timedelta(hours=25)
    s3.put_object_legal_hold(Bucket=vault, Key="k", LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket=vault, Key="k")["LegalHold"] == {"Status": "ON"}
    named = {"Bucket": vault, "Key": "k", "VersionId": version_id}
    assert refused(s3.delete_object, **named, BypassGovernanceRetention=True)[1] == "AccessDenied"
    s3.put_object_legal_hold(Bucket=vault, Key="k", LegalHold={"Status": "OFF"})
    assert refused(s3.delete_object, **named)[1] == "AccessDenied"
    s3.delete_object(**named, BypassGovernanceRetention=True)


def test_tags_of_objects_versions_and_buckets(s3, versioned):
    old = s3.put_object(Bucket=versioned, Key="k", Body=b"1", Tagging="a=1")["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"2")
    tags = [{"Key": "x", "Value": "y z"}]
    assert s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=old, Tagging={"TagSet": tags})["VersionId"] == old
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=old)["TagSet"] == tags
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=old)["TagCount"] == 1
    s3.delete_object_tagging(Bucket=versioned, Key="k", VersionId=old)
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=old)["TagSet"] == []
    other = {"TagSet": [{"Key": "replica-count", "Value": "1"}]}
    assert refused(s3.put_object_tagging, Bucket=versioned, Key="k", Tagging=other)[1] == "NotImplemented"
    assert refused(s3.get_bucket_tagging, Bucket=versioned)[1] == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket=versioned, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=versioned)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=versioned)
    assert refused(s3.get_bucket_tagging, Bucket=versioned)[1] == "NoSuchTagSet"


def test_a_part_copied_from_ranges_and_its_attributes(s3, versioned):
    body = random.Random(7).randbytes(7 * MIB)
    source = {
        "Bucket": versioned,
        "Key": "a source",
        "VersionId": s3.put_object(Bucket=versioned, Key="a source", Body=body)["VersionId"],
    }
    s3.put_object(Bucket=versioned, Key="a source", Body=b"newer")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k", ChecksumAlgorithm="CRC32C")
    place = {"Bucket": versioned, "Key": "k", "UploadId": upload["UploadId"]}
    parts = []
    for number, (first, last) in enumerate([(0, 5 * MIB - 1), (5 * MIB, 7 * MIB - 1)], 1):
        copied = s3.upload_part_copy(**place, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={first}-{last}")
        assert copied["CopySourceVersionId"] == source["VersionId"]
        result = copied["CopyPartResult"]
        assert result["ETag"] == f'"{hashlib.md5(body[first : last + 1], usedforsecurity=False).hexdigest()}"'
        parts.append({"PartNumber": number, "ETag": result["ETag"], "ChecksumCRC32C": result["ChecksumCRC32C"]})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == body
    second = s3.get_object(Bucket=versioned, Key="k", PartNumber=2)
    assert (second["ChecksumCRC32C"], second["PartsCount"]) == (parts[1]["ChecksumCRC32C"], 2)
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    told = s3.get_object_attributes(Bucket=versioned, Key="k", ObjectAttributes=names)
    assert (told["ObjectSize"], told["StorageClass"], told["Checksum"]["ChecksumType"]) == (7 * MIB, "STANDARD", "COMPOSITE")
    shown = [(it["PartNumber"], it["Size"], it["ChecksumCRC32C"]) for it in told["ObjectParts"]["Parts"]]
    assert shown == [(1, 5 * MIB, parts[0]["ChecksumCRC32C"]), (2, 2 * MIB, parts[1]["ChecksumCRC32C"])]


def test_a_copy_of_a_version_with_tags_and_class_of_its_own(s3, versioned):
    old = s3.put_object(Bucket=versioned, Key="k", Body=b"old", Tagging="a=1", Metadata={"m": "1"})["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"new")
    copied = s3.copy_object(
        Bucket=versioned,
        Key="copy",
        CopySource={"Bucket": versioned, "Key": "k", "VersionId": old},
        TaggingDirective="REPLACE",
        Tagging="b=2",
        StorageClass="STANDARD_IA",
    )
    assert (copied["CopySourceVersionId"], "VersionId" in copied) == (old, True)
    got = s3.get_object(Bucket=versioned, Key="copy")
    assert (got["Body"].read(), got["Metadata"], got["StorageClass"]) == (b"old", {"m": "1"}, "STANDARD_IA")
    assert s3.get_object_tagging(Bucket=versioned, Key="copy")["TagSet"] == [{"Key": "b", "Value": "2"}]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    source = {"Bucket": versioned, "Key": "k", "VersionId": marker}
    assert refused(s3.copy_object, Bucket=versioned, Key="copy", CopySource=source)[:2] == (400, "InvalidRequest")
