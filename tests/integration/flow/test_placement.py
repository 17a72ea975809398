"""How many copies an object asks for, and what its owner is told of where they are."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from domicile_common.testing.forms import conditions_of, form, signed_fields
from domicile_common.testing.installation import until
from domicile_common.testing.raw_s3 import Answer, Signer

pytestmark = pytest.mark.servers

ASKED = {"x-domicile-placement": "true"}
ONE_COPY = ("REDUCED_REDUNDANCY", "ONEZONE_IA")
AS_THE_BUCKET = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR")


@pytest.fixture
def raw(domicile):
    return domicile.raw()


def copies(answer: Answer) -> list[dict[str, str]]:
    """Those of a GetObjectPlacement."""
    found = re.findall(rb"<Copy>(.*?)</Copy>", answer.body)
    return [{name.decode(): text.decode() for name, text in re.findall(rb"<(\w+)>([^<]*)</\1>", copy)} for copy in found]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- how many copies ---


@pytest.mark.parametrize(("storage_class", "count"), [*((name, 1) for name in ONE_COPY), *((name, 2) for name in AS_THE_BUCKET)])
def test_a_storage_class_says_how_many_copies(domicile, raw, bucket, storage_class, count):
    chosen = {"x-amz-storage-class": storage_class}
    assert raw.send("PUT", f"/{bucket}/put", b"1", chosen).status == 200
    [upload] = raw.send("POST", f"/{bucket}/parts?uploads", headers=chosen).texts("UploadId")
    etag = raw.send("PUT", f"/{bucket}/parts?uploadId={upload}&partNumber=1", b"1").headers["etag"]
    done = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    assert raw.send("POST", f"/{bucket}/parts?uploadId={upload}", done.encode()).status == 200
    assert raw.send("PUT", f"/{bucket}/copy", headers={**chosen, "x-amz-copy-source": f"/{bucket}/put"}).status == 200
    fields = {"key": "form", **chosen}
    assert (
        raw.unsigned("POST", f"/{bucket}", *form(signed_fields(raw.signer, conditions_of(bucket, fields), fields), b"1")).status
        == 204
    )
    shown = "" if storage_class == "STANDARD" else storage_class
    for key in ("put", "parts", "copy", "form"):
        assert len(domicile.verified(bucket, key)) == count
        head = raw.send("HEAD", f"/{bucket}/{key}")
        assert head.headers.get("x-amz-storage-class", "") == shown
        assert head.headers.get("x-domicile-replica-count", "") == ("1" if count == 1 else "")
    assert raw.send("GET", f"/{bucket}").texts("StorageClass") == [storage_class] * 4


@pytest.mark.parametrize("name", ["GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "standard", "FAST"])
def test_other_storage_classes_are_refused(raw, bucket, name):
    chosen = {"x-amz-storage-class": name}
    for answer in (
        raw.send("PUT", f"/{bucket}/k", b"1", chosen),
        raw.send("POST", f"/{bucket}/k?uploads", headers=chosen),
        raw.send("PUT", f"/{bucket}/k", headers={**chosen, "x-amz-copy-source": f"/{bucket}/k"}),
    ):
        assert answer.code in {"InvalidStorageClass", "NoSuchKey"}
    assert raw.send("GET", f"/{bucket}?versions").texts("Key") == []


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ({"x-amz-tagging": "replica-count=1"}, 1),
        ({"x-amz-tagging": "replica-count=2"}, 2),
        ({"x-amz-tagging": "replica-count=2", "x-amz-storage-class": "ONEZONE_IA"}, 2),
    ],
)
def test_a_tag_says_how_many_copies(domicile, raw, bucket, headers, count):
    assert raw.send("PUT", f"/{bucket}/k", b"1", headers).status == 200
    assert len(domicile.verified(bucket, "k")) == count
    for method in ("GET", "HEAD"):
        assert raw.send(method, f"/{bucket}/k").headers["x-domicile-replica-count"] == str(count)
    assert raw.send("GET", f"/{bucket}/k?tagging").texts("Key") == ["replica-count"]


def test_a_class_can_be_changed_by_a_copy(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1", {"x-amz-storage-class": "ONEZONE_IA"})
    assert len(domicile.verified(bucket, "k")) == 1
    assert raw.send("PUT", f"/{bucket}/k", headers={"x-amz-copy-source": f"/{bucket}/k"}).status == 200
    assert len(domicile.verified(bucket, "k")) == 2
    assert "x-amz-storage-class" not in raw.send("HEAD", f"/{bucket}/k").headers


# --- where they are ---


def test_an_owner_is_told_where_each_copy_is(domicile, raw, bucket):
    begun = datetime.now(UTC) - timedelta(seconds=1)
    raw.send("PUT", f"/{bucket}/k", b"1")
    first = copies(raw.send("GET", f"/{bucket}/k?placement"))
    assert [(copy["Backend"], copy["Country"]) for copy in first] == [("de", "DE"), ("fi", "FI")]
    assert "verified" in [copy["State"] for copy in first]
    domicile.verified(bucket, "k")
    answer = raw.send("GET", f"/{bucket}/k?placement")
    assert answer.headers["content-type"] == "application/xml"
    for copy in copies(answer):
        assert copy["State"] == "verified"
        assert begun.replace(microsecond=0) <= instant(copy["Since"]) <= instant(copy["LastVerified"]) <= datetime.now(UTC)
        assert copy["Provider"]
    [reason] = answer.texts("Reason")
    assert "fi (FI)" in reason


def test_a_head_tells_when_it_is_asked(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    domicile.verified(bucket, "k")
    assert "x-domicile-placement" not in raw.send("HEAD", f"/{bucket}/k").headers
    stamp = '"[0-9-]+T[0-9:]+.000Z"'
    for method in ("HEAD", "GET"):
        told = raw.send(method, f"/{bucket}/k", headers=ASKED).headers["x-domicile-placement"]
        items = told.split(", ")
        assert len(items) == 2
        for item, place in zip(items, ('"de";country=DE', '"fi";country=FI'), strict=True):
            assert re.fullmatch(f"{place};state=verified;since={stamp};verified={stamp}", item)


def test_of_each_version(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    one = raw.send("PUT", f"/{bucket}/k", b"1", {"x-amz-storage-class": "ONEZONE_IA"}).headers["x-amz-version-id"]
    two = raw.send("PUT", f"/{bucket}/k", b"2").headers["x-amz-version-id"]
    for version, count in ((one, 1), (two, 2)):
        answer = raw.send("GET", f"/{bucket}/k?placement&versionId={version}")
        assert (answer.texts("VersionId"), len(copies(answer))) == ([version], count)
    assert len(copies(raw.send("GET", f"/{bucket}/k?placement"))) == 2
    raw.send("DELETE", f"/{bucket}/k")
    assert raw.send("GET", f"/{bucket}/k?placement").code == "NoSuchKey"
    assert raw.send("GET", f"/{bucket}/nothing?placement").code == "NoSuchKey"


LOSE = """
    UPDATE replicas
       SET state = 'lost', verified_at = changed_at, next_attempt_at = now() + interval '1 hour'
     WHERE backend_id = 'de' AND bucket_id = (SELECT bucket_id FROM buckets WHERE name = 'NAME')
"""


def test_a_copy_that_is_owed_is_shown_as_such(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    domicile.verified(bucket, "k")
    domicile.sql(LOSE.replace("NAME", bucket), "SELECT 1")
    [lost, kept] = copies(raw.send("GET", f"/{bucket}/k?placement"))
    assert (lost["State"], kept["State"]) == ("lost", "verified")
    assert "LastVerified" in lost
    domicile.sql("UPDATE replicas SET next_attempt_at = now() WHERE state = 'lost'", "SELECT 1")
    assert sorted(domicile.verified(bucket, "k")) == sorted([lost["Backend"], kept["Backend"]])


def test_nobody_else_is_told(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1", {"x-amz-tagging": "replica-count=2"})
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    assert (
        raw.send("PUT", f"/{bucket}?policy", json.dumps({"Version": "2012-10-17", "Statement": statement}).encode()).status == 204
    )
    two = domicile.raw("two")
    until(lambda: two.send("GET", f"/{bucket}/k").status == 200, what="the policy holds")
    for ask in (two.send, two.unsigned):
        assert ask("GET", f"/{bucket}/k?placement").code == "AccessDenied"
        assert ask("HEAD", f"/{bucket}/k", headers=ASKED).status == 403
        answer = ask("GET", f"/{bucket}/k")
        assert (answer.status, [name for name in answer.headers if name.startswith("x-domicile-")]) == (200, [])


def test_whoever_may_not_read_an_object_is_not_told_of_it(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    issued = domicile.admin("POST", "/credentials", {"tenant_id": "one", "access": "read"})
    reader = Signer(issued["credential"]["access_key"], issued["secret_key"])
    assert len(copies(raw.send("GET", f"/{bucket}/k?placement", signer=reader))) == 2
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": f"arn:aws:iam::one:user/{reader.access_key}"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    assert raw.send("PUT", f"/{bucket}?policy", json.dumps({"Statement": statement}).encode()).status == 204
    assert raw.send("GET", f"/{bucket}/k?placement", signer=reader).code == "AccessDenied"
    assert len(copies(raw.send("GET", f"/{bucket}/k?placement"))) == 2


def test_nothing_is_asked_for_in_vain(raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    assert raw.send("GET", f"/{bucket}/k", headers={"x-domicile-placement": "yes"}).code == "InvalidArgument"
    assert raw.send("PUT", f"/{bucket}/k", b"1", ASKED).code == "NotImplemented"
    assert raw.send("GET", f"/{bucket}/k", headers={"x-domicile-country": "FI"}).code == "NotImplemented"
