"""A provider's bucket that was filled without Domicile comes under management, where it is."""

from __future__ import annotations

import io
import secrets

import boto3.s3.transfer
import botocore.exceptions
import pytest

from domicile_common.stamps import read_sidecar, sidecar_key
from domicile_common.testing.noise import noise
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
ODD_KEYS = (
    "plain",
    "with space",
    "a+b",
    "ü/ñ/日本",
    "deep/er/and/deeper",
    "100%",
    "a&b=c;d",
    "tilde~x",
    "paren(1)'!*",
    "UPPER/lower",
)


@pytest.fixture
def old(domicile) -> str:
    """A bucket at the provider of ``fi``, with nothing in it."""
    name = f"{domicile.prefix}-old-{secrets.token_hex(4)}"
    domicile.at("fi").create_bucket(Bucket=name)
    return name


def fill(domicile, old: str, count: int) -> dict[str, bytes]:
    """Plain objects under many prefixes, and those with odd keys."""
    bodies = {f"n/{number % 7}/{number:04}": noise(number) for number in range(count)}
    bodies |= {key: key.encode() for key in ODD_KEYS}
    for key, body in bodies.items():
        domicile.at("fi").put_object(Bucket=old, Key=key, Body=body)
    return bodies


def adopt(domicile, bucket: str, old: str, **parameters) -> dict[str, int]:
    """What the task has counted in the end."""
    task_id = domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=old, **parameters)
    return {**domicile.finished_task(task_id)["progress"], "task_id": task_id}


def listing(s3, bucket: str) -> dict[str, tuple[int, str, object]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = [entry for page in pages for entry in page.get("Contents", [])]
    return {entry["Key"]: (entry["Size"], entry["ETag"], entry["LastModified"].replace(microsecond=0)) for entry in found}


def test_a_bucket_is_readable_at_once_and_replicated_by_policy(domicile, s3, old):
    bodies = fill(domicile, old, 300)
    bucket = f"b-{secrets.token_hex(6)}"  # made by the adoption
    before = domicile.everything("fi", old)
    counted = adopt(domicile, bucket, old)
    assert (counted["listed"], counted["indexed"]) == (len(bodies), len(bodies))
    assert counted["indexed_bytes"] == counted["listed_bytes"] == sum(map(len, bodies.values()))
    assert listing(s3, bucket) == listing(domicile.at("fi"), old)
    for key in (*ODD_KEYS, "n/0/0000", "n/1/0015", "n/5/0299"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == bodies[key]
    domicile.idle(120)
    assert domicile.everything("fi", old) == before  # not a byte of it has moved, and nothing came to it
    assert domicile.sql(
        f"SELECT count(*) FROM replicas JOIN buckets USING (bucket_id) WHERE name = '{bucket}' AND state = 'verified'"
    ) == [(2 * len(bodies),)]
    for key in ODD_KEYS:
        copies = domicile.replicas(bucket, key)
        assert {name: copy["state"] for name, copy in copies.items()} == {"fi": "verified", "de": "verified"}
        assert (copies["fi"]["namespace"], copies["fi"]["blob_key"]) == (old, key)
        assert copies["de"]["namespace"] == domicile.namespace("de", bucket)
        assert domicile.read(copies["de"]) == bodies[key]
    shown = domicile.admin("GET", f"/tasks/{counted['task_id']}")["progress"]
    assert (shown["copies_owed"], shown["copies_verified"]) == (0, len(bodies))


def test_headers_metadata_and_tags_are_as_they_were(domicile, s3, bucket, old):
    kept = {
        "ContentType": "text/x-y",
        "CacheControl": "max-age=9",
        "ContentDisposition": "attachment",
        "ContentLanguage": "fi",
        "ContentEncoding": "gzip",
        "Metadata": {"mtime": "1.5", "note": "a b"},
    }
    domicile.at("fi").put_object(Bucket=old, Key="k", Body=b"123", Tagging="a=1&b=x%20y", **kept)
    domicile.at("fi").put_object(Bucket=old, Key="bare", Body=b"")
    adopt(domicile, bucket, old)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in kept} == kept
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "x y"}
    assert head["LastModified"] == domicile.at("fi").head_object(Bucket=old, Key="k")["LastModified"]
    assert s3.get_object(Bucket=bucket, Key="bare")["Body"].read() == b""


def test_an_upload_in_parts_keeps_its_entity_tag_and_proves_its_bytes(domicile, s3, bucket, old):
    body = noise(11 * MIB + 5)
    transfer = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    source = domicile.at("fi")
    source.upload_fileobj(io.BytesIO(body), old, "parts", Config=transfer)
    etag = source.head_object(Bucket=old, Key="parts")["ETag"]
    assert etag.endswith('-3"')
    adopt(domicile, bucket, old)
    got = s3.get_object(Bucket=bucket, Key="parts")
    assert (got["ETag"], got["Body"].read()) == (etag, body)
    copies = domicile.verified(bucket, "parts", seconds=60)
    assert {name: copy["state"] for name, copy in copies.items()} == {"fi": "verified", "de": "verified"}
    assert domicile.read(copies["de"]) == body
    assert domicile.at("de").head_object(Bucket=copies["de"]["namespace"], Key=copies["de"]["blob_key"])["ETag"] == etag
    assert s3.head_object(Bucket=bucket, Key="parts", PartNumber=2)["ContentLength"] == 5 * MIB
    assert s3.head_object(Bucket=bucket, Key="parts")["ETag"] == etag


def test_the_record_could_be_rebuilt_without_a_byte_in_the_providers_bucket(domicile, s3, bucket, old):
    domicile.at("fi").put_object(Bucket=old, Key="x/k", Body=b"123", Metadata={"m": "1"})
    adopt(domicile, bucket, old)
    domicile.idle()
    home = domicile.namespace("fi", bucket)
    (name,) = domicile.everything("fi", home)
    stamp = read_sidecar(domicile.read({"backend_id": "fi", "namespace": home, "blob_key": name}))
    assert name == sidecar_key(stamp.version_id)
    assert (stamp.tenant_id, stamp.bucket, stamp.key, stamp.facts.metadata) == ("one", bucket, "x/k", {"m": "1"})
    assert (stamp.blob.backend_id, stamp.blob.namespace, stamp.blob.blob_key) == ("fi", old, "x/k")


def test_a_second_run_picks_up_what_changed_and_reports_what_is_missing(domicile, s3, bucket, old):
    at = domicile.at("fi")
    for key in ("same", "changed", "gone", "overwritten", "deleted"):
        at.put_object(Bucket=old, Key=key, Body=key.encode())
    adopt(domicile, bucket, old)
    domicile.idle()
    s3.put_object(Bucket=bucket, Key="overwritten", Body=b"through Domicile")
    s3.delete_object(Bucket=bucket, Key="deleted")
    domicile.idle()
    assert sorted(domicile.everything("fi", old)) == ["changed", "gone", "same"]  # under management
    at.put_object(Bucket=old, Key="changed", Body=b"behind our back")
    at.put_object(Bucket=old, Key="new", Body=b"new")
    at.put_object(Bucket=old, Key="overwritten", Body=b"foreign")
    at.delete_object(Bucket=old, Key="gone")
    assert s3.get_object(Bucket=bucket, Key="changed")["Body"].read() == b"changed"  # from the other copy
    counted = adopt(domicile, bucket, old)
    assert (counted["listed"], counted["known"], counted["indexed"], counted["conflict"], counted["vanished"]) == (4, 1, 2, 1, 1)
    assert domicile.findings(counted["task_id"]) == {"overwritten": "conflict", "gone": "vanished"}
    expected = {
        "same": b"same",
        "changed": b"behind our back",
        "gone": b"gone",
        "overwritten": b"through Domicile",
        "new": b"new",
    }
    for _ in range(2):
        assert {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in listing(s3, bucket)} == expected
        domicile.idle()
    assert at.get_object(Bucket=old, Key="overwritten")["Body"].read() == b"foreign"


def test_foreign_bytes_in_the_place_are_never_served_nor_removed(domicile, s3, bucket, old):
    """The only copy was replaced behind our back: there is nothing to serve, and the removal leaves what is not ours."""
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"replica_count": 1})
    at = domicile.at("fi")
    at.put_object(Bucket=old, Key="k", Body=b"ours")
    adopt(domicile, bucket, old)
    at.put_object(Bucket=old, Key="k", Body=b"FAKE")
    raw = domicile.raw()
    assert raw.send("GET", f"/{bucket}/k").status == 503
    s3.delete_object(Bucket=bucket, Key="k")
    domicile.idle()
    assert at.get_object(Bucket=old, Key="k")["Body"].read() == b"FAKE"


def test_a_prefix_is_enough(domicile, s3, bucket, old):
    for key in ("in/1", "in/2", "out/1"):
        domicile.at("fi").put_object(Bucket=old, Key=key, Body=b"1")
    assert adopt(domicile, bucket, old, prefix="in/")["listed"] == 2
    assert sorted(listing(s3, bucket)) == ["in/1", "in/2"]


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"location": "de"}, "InvalidRequest"),
        ({"backend": "nowhere"}, "NoSuchBackend"),
        ({"tenant": "nobody"}, "NoSuchTenant"),
        ({"source": "?"}, "InvalidArgument"),
        ({"secret": "?"}, "InvalidArgument"),
    ],
)
def test_what_must_not_be_is_refused_and_leaves_nothing(domicile, s3, old, changes, code):
    wanted = {"tenant": "one", "bucket": "never-made", "backend": "fi", "source": old}
    with pytest.raises(SuiteError, match=code):
        domicile.begin_task("adopt", **wanted | changes)
    with pytest.raises(botocore.exceptions.ClientError, match="404"):
        s3.head_bucket(Bucket="never-made")


def test_a_physical_bucket_is_not_adopted_once_more(domicile, bucket):
    own = domicile.namespace("fi", bucket)
    with pytest.raises(SuiteError, match="Domicile itself"):
        domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=own)
