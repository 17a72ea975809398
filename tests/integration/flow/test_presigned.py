"""Presigned requests: whoever holds such a URL may do that one thing, until then, and nothing else."""

from __future__ import annotations

import hashlib
import http.client
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from domicile_common.testing.raw_s3 import Answer, Prepared, RawS3, Signer

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
WEEK = 7 * 24 * 3600


@pytest.fixture
def raw(domicile) -> RawS3:
    return domicile.raw()


@pytest.fixture
def v4(domicile):
    """A boto3 client that presigns with version 4."""
    return domicile.client(signature_version="s3v4")


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> Answer:
    """As a program sends it that knows nothing but the URL."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_urls_of_a_stock_sdk(domicile, bucket, version):
    """``s3``: version 2, which boto3 and aws-cli use in us-east-1 when they are told nothing."""
    s3 = domicile.client(signature_version=version)

    def url(operation: str, **more: str | int) -> str:
        return str(s3.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": "a/ä +%", **more}, ExpiresIn=60))

    assert fetch(url("put_object", ContentType="text/x"), "PUT", b"refused").status == 403
    assert fetch(url("put_object"), "PUT", b"bytes").status == 200
    assert fetch(url("get_object")).body == b"bytes"
    assert fetch(url("head_object"), "HEAD").headers["content-length"] == "5"
    listed = fetch(s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "Prefix": "a/"}))
    assert (listed.code, listed.texts("KeyCount")) == ("", ["1"])
    assert fetch(url("delete_object"), "DELETE").status == 204
    assert fetch(url("get_object")).code == "NoSuchKey"


def test_parts_of_an_upload(v4, bucket):
    upload = v4.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = [random.Random(number).randbytes(size) for number, size in ((1, 5 * MIB), (2, 1000))]
    for number, part in enumerate(parts, 1):
        params = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": number}
        answer = fetch(v4.generate_presigned_url("upload_part", Params=params), "PUT", part)
        assert answer.headers["etag"] == f'"{hashlib.md5(part, usedforsecurity=False).hexdigest()}"'
    listed = v4.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    rows = "".join(f"<Part><PartNumber>{it['PartNumber']}</PartNumber><ETag>{it['ETag']}</ETag></Part>" for it in listed)
    url = v4.generate_presigned_url("complete_multipart_upload", Params={"Bucket": bucket, "Key": "k", "UploadId": upload})
    assert fetch(url, "POST", f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()).status == 200
    assert v4.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(parts)


OVERRIDES = {
    "cache-control": "no-store",
    "content-disposition": 'attachment; filename="a b.txt"',
    "content-encoding": "identity",
    "content-language": "fi",
    "content-type": "text/x; charset=utf-8",
    "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
}


def test_headers_of_the_answer_are_overridden(v4, bucket):
    v4.put_object(Bucket=bucket, Key="k", Body=b"1", ContentType="text/y")
    params = {f"Response{name.title().replace('-', '')}": value for name, value in OVERRIDES.items()}
    for operation, method in (("get_object", "GET"), ("head_object", "HEAD")):
        answer = fetch(v4.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": "k", **params}), method)
        assert {name: answer.headers.get(name) for name in OVERRIDES} == OVERRIDES
    assert v4.get_object(Bucket=bucket, Key="k")["ContentType"] == "text/y"


@pytest.mark.parametrize("value", ["a%0d%0aset-cookie:%20b=c", "%00", "%e2%82%ac"])
def test_no_override_breaks_the_answer(raw, bucket, value):
    raw.send("PUT", f"/{bucket}/k", b"1")
    answer = raw.presigned("GET", f"/{bucket}/k?response-content-type={value}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_headers_in_the_query_are_headers(raw, bucket):
    query = "X-Amz-Meta-A=%C3%A9&x-amz-tagging=a%3Db&x-amz-acl=public-read&X-Amz-Storage-Class=STANDARD_IA"
    assert raw.presigned("PUT", f"/{bucket}/k?{query}", b"1").status == 200
    got = raw.unsigned("GET", f"/{bucket}/k")
    assert (got.body, got.headers["x-amz-meta-a"].encode("latin-1")) == (b"1", "é".encode())
    assert (got.headers["x-amz-storage-class"], got.headers["x-amz-tagging-count"]) == ("STANDARD_IA", "1")
    assert raw.presigned("PUT", f"/{bucket}/k?x-amz-acl=nothing", b"1").code == "InvalidArgument"


@pytest.mark.parametrize(
    "query",
    ["x-amz-meta-a=b%0d%0aset-cookie:%20c=d", "x-amz-meta-a%0d%0aset-cookie%3a=b", "x-amz-meta-a%20b=c", "x-amz-meta-%C3%A9=c"],
)
def test_what_no_header_can_carry_is_refused(raw, bucket, query):
    """Stored with an object, it would break every answer about it."""
    assert raw.presigned("PUT", f"/{bucket}/k?{query}", b"1").code == "InvalidArgument"
    assert raw.send("GET", f"/{bucket}/k").code == "NoSuchKey"


def presign(raw: RawS3, method: str, target: str, *, expires: int = 60, ago: float = 0, **headers: str) -> Prepared:
    signer = replace(raw.signer, when=datetime.now(UTC) - timedelta(seconds=ago))
    signed = {"host": raw.address, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Prepared(method, signer.presigned(method, target, signed, expires), signed, b"")


def test_how_long_they_are_good(raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")

    def code(expires: int, ago: float = 0) -> str:
        return raw.exchange(presign(raw, "GET", f"/{bucket}/k", expires=expires, ago=ago)).code

    assert [code(60), code(60, 30), code(WEEK, WEEK - 60), code(1000, -600)] == [""] * 4
    assert [code(60, 61), code(0, 1), code(WEEK, WEEK + 1), code(WEEK, -16 * 60)] == ["AccessDenied"] * 4
    assert [code(WEEK + 1), code(-1)] == ["AuthorizationQueryParametersError"] * 2
    stranger = RawS3(f"http://{raw.address}", replace(raw.signer, access_key="NOBODYSKEY"))
    expired = stranger.exchange(presign(stranger, "GET", f"/{bucket}/k", ago=61))
    assert expired.texts("Message") == ["Request has expired"]  # before anything else is looked at


def test_they_are_good_for_nothing_else(raw, bucket):
    for key in ("k", "other"):
        raw.send("PUT", f"/{bucket}/{key}", b"1")
    get = presign(raw, "GET", f"/{bucket}/k")
    put = presign(raw, "PUT", f"/{bucket}/k")
    target = get.target
    other = f"{raw.address.partition(':')[0]}:1"
    wrong: dict[str, tuple[Prepared, str]] = {
        "method": (replace(get, method="DELETE"), "SignatureDoesNotMatch"),
        "head": (replace(get, method="HEAD"), ""),
        "key": (replace(get, target=target.replace("/k?", "/other?")), "SignatureDoesNotMatch"),
        "one parameter more": (replace(get, target=f"{target}&versionId=null"), "SignatureDoesNotMatch"),
        "an override": (replace(get, target=f"{target}&response-content-type=text/html"), "SignatureDoesNotMatch"),
        "expiry": (replace(get, target=target.replace("X-Amz-Expires=60", "X-Amz-Expires=61")), "SignatureDoesNotMatch"),
        "host": (replace(get, headers={"host": other}), "SignatureDoesNotMatch"),
        "signature": (replace(get, target=target[:-1] + ("0" if target[-1] != "0" else "1")), "SignatureDoesNotMatch"),
        "no signature": (replace(get, target=target.partition("&X-Amz-Signature")[0]), "AuthorizationQueryParametersError"),
        "an unsigned header": (replace(put, headers={**put.headers, "x-amz-acl": "public-read", "content-length": "0"}), "AccessDenied"),
        "an unsigned copy": (replace(put, headers={**put.headers, "x-amz-copy-source": f"/{bucket}/other", "content-length": "0"}), "AccessDenied"),
        "a signature twice": (replace(get, target=f"{target}&X-Amz-Signature=0"), "AuthorizationQueryParametersError"),
        "a session": (replace(get, target=f"{target}&X-Amz-Security-Token=t"), "InvalidToken"),
        "and a header": (replace(get, headers={**get.headers, "authorization": "AWS4-HMAC-SHA256 x"}), "InvalidArgument"),
        "another algorithm": (replace(get, target=target.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), "AuthorizationQueryParametersError"),
        "both versions": (replace(get, target=f"{target}&AWSAccessKeyId={raw.signer.access_key}"), "SignatureDoesNotMatch"),
    }  # fmt: skip
    answers = {name: raw.exchange(request) for name, (request, _) in wrong.items()}
    assert {name: answer.code for name, answer in answers.items()} == {name: code for name, (_, code) in wrong.items()}
    assert answers["head"].status == 403
    assert raw.send("GET", f"/{bucket}").texts("Key") == ["k", "other"]


def test_what_is_signed_of_the_body_is_verified(raw, bucket):
    digest = {"x-amz-content-sha256": hashlib.sha256(b"these bytes").hexdigest()}
    assert raw.presigned("PUT", f"/{bucket}/k", b"other bytes", digest).code == "XAmzContentSHA256Mismatch"
    assert raw.send("GET", f"/{bucket}/k").code == "NoSuchKey"
    assert raw.presigned("PUT", f"/{bucket}/k", b"these bytes", digest).status == 200


def test_the_rights_of_the_signer_count(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    issued = domicile.admin("POST", "/credentials", {"tenant_id": "one", "access": "read"})
    reader = Signer(issued["credential"]["access_key"], issued["secret_key"])
    assert raw.presigned("GET", f"/{bucket}/k", signer=reader).body == b"1"
    assert raw.presigned("PUT", f"/{bucket}/k", b"2", signer=reader).code == "AccessDenied"
    assert raw.presigned("GET", f"/{bucket}/k", signer=domicile.raw("two").signer).code == "NoSuchBucket"
