"""What bad input gets: the error code that AWS would give, nothing stored, nothing left behind at a backend, and no 5xx."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domicile_common.testing.noise import noise
from domicile_common.testing.raw_s3 import (
    SIGNED_CHUNKS,
    SIGNED_TRAILER,
    UNSIGNED,
    UNSIGNED_TRAILER,
    Answer,
    Chunks,
    Prepared,
    RawS3,
    Signer,
    checksum,
    without_length,
)
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.servers

OTHER_SHA256 = hashlib.sha256(b"other bytes").hexdigest()
ALGORITHMS = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"]


def ago(raw: RawS3, **time: float) -> Signer:
    return replace(raw.signer, when=datetime.now(UTC) - timedelta(**time))


def changed(request: Prepared, **headers: str) -> Prepared:
    """With headers that were not signed so."""
    return replace(request, headers={**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})


def bad_trailer(algorithm: str) -> Chunks:
    return Chunks(trailer=(f"x-amz-checksum-{algorithm}", checksum(algorithm, b"other bytes")))


Put = Callable[[RawS3, str, bytes], Answer]
"""Sends a body to a target in some bad way."""

# Who asks, and when.
STRANGERS: dict[str, tuple[str, Put]] = {
    "no signature": ("AccessDenied", lambda raw, to, body: raw.unsigned("PUT", to, body)),
    "unknown key": ("InvalidAccessKeyId", lambda raw, to, body: raw.send("PUT", to, body, signer=Signer("NOBODY", raw.signer.secret_key))),
    "wrong secret": ("SignatureDoesNotMatch", lambda raw, to, body: raw.send("PUT", to, body, signer=replace(raw.signer, secret_key="wrong"))),
    "wrong secret, presigned": ("SignatureDoesNotMatch", lambda raw, to, body: raw.presigned("PUT", to, body, signer=replace(raw.signer, secret_key="wrong"))),
    "another key than signed": ("SignatureDoesNotMatch", lambda raw, to, body: raw.exchange(replace(raw.prepare("PUT", to, body), target=to + "x"))),
    "another header than signed": ("SignatureDoesNotMatch", lambda raw, to, body: raw.exchange(changed(raw.prepare("PUT", to, body, {"x-amz-meta-a": "1"}), x_amz_meta_a="2"))),
    "an unsigned header": ("AccessDenied", lambda raw, to, body: raw.exchange(changed(raw.prepare("PUT", to, body), x_amz_meta_a="1"))),
    "signed too long ago": ("RequestTimeTooSkewed", lambda raw, to, body: raw.send("PUT", to, body, signer=ago(raw, minutes=16))),
    "signed in the future": ("RequestTimeTooSkewed", lambda raw, to, body: raw.send("PUT", to, body, signer=ago(raw, minutes=-16))),
    "expired": ("AccessDenied", lambda raw, to, body: raw.presigned("PUT", to, body, expires=10, signer=ago(raw, seconds=12))),
    "a date that is none": ("AccessDenied", lambda raw, to, body: raw.exchange(changed(raw.prepare("PUT", to, body), x_amz_date="yesterday"))),
    "no authorization at all": ("InvalidArgument", lambda raw, to, body: raw.exchange(changed(raw.prepare("PUT", to, body), authorization="Bearer of news"))),
    "half an authorization": ("AuthorizationHeaderMalformed", lambda raw, to, body: raw.exchange(changed(raw.prepare("PUT", to, body), authorization="AWS4-HMAC-SHA256 Credential=a"))),
}  # fmt: skip

# A body that is not what it was said to be.
BODIES: dict[str, tuple[str, Put]] = {
    "hash": ("XAmzContentSHA256Mismatch", lambda raw, to, body: raw.send("PUT", to, body, payload=OTHER_SHA256)),
    "hash that is none": ("InvalidArgument", lambda raw, to, body: raw.send("PUT", to, body, payload="0123")),
    "MD5": ("BadDigest", lambda raw, to, body: raw.send("PUT", to, body, {"content-md5": "XrY7u+Ae7tCTyyK7j1rNww=="})),
    "MD5 that is none": ("InvalidDigest", lambda raw, to, body: raw.send("PUT", to, body, {"content-md5": "no MD5"})),
    **{
        f"{algorithm}": ("BadDigest", lambda raw, to, body, algorithm=algorithm: raw.send("PUT", to, body, {f"x-amz-checksum-{algorithm}": checksum(algorithm, b"other bytes")}))
        for algorithm in ALGORITHMS
    },
    **{
        f"{algorithm} in the trailer": ("BadDigest", lambda raw, to, body, algorithm=algorithm: raw.send("PUT", to, body, payload=UNSIGNED_TRAILER, chunks=bad_trailer(algorithm)))
        for algorithm in ALGORITHMS
    },
    "checksum in a signed trailer": ("BadDigest", lambda raw, to, body: raw.send("PUT", to, body, payload=SIGNED_TRAILER, chunks=bad_trailer("crc32"))),
    "checksum that is none": ("InvalidRequest", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-checksum-crc32": "!!"})),
    "two checksums": ("InvalidRequest", lambda raw, to, body: raw.send("PUT", to, body, {f"x-amz-checksum-{name}": checksum(name, body) for name in ("crc32", "sha1")})),
    "first chunk's signature": ("SignatureDoesNotMatch", lambda raw, to, body: raw.send("PUT", to, body, payload=SIGNED_CHUNKS, chunks=Chunks(damage=0))),
    "last chunk's signature": ("SignatureDoesNotMatch", lambda raw, to, body: raw.send("PUT", to, body, payload=SIGNED_CHUNKS, chunks=Chunks(size=300_000, damage=1))),
    "trailer's signature": ("SignatureDoesNotMatch", lambda raw, to, body: raw.send("PUT", to, body, payload=SIGNED_TRAILER, chunks=Chunks(trailer=("x-amz-checksum-crc32", checksum("crc32", body)), damage=-1))),
    "fewer bytes than declared": ("IncompleteBody", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-decoded-content-length": str(len(body) + 1)}, payload=SIGNED_CHUNKS, chunks=Chunks())),
    "more bytes than declared": ("IncompleteBody", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-decoded-content-length": str(len(body) - 1)}, payload=SIGNED_CHUNKS, chunks=Chunks())),
    "no trailer": ("MalformedTrailerError", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-trailer": "x-amz-checksum-crc32"}, payload=UNSIGNED_TRAILER, chunks=Chunks())),
    "framing": ("IncompleteBody", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-decoded-content-length": str(len(body))}, payload=UNSIGNED_TRAILER)),
    "no length, and other bytes": ("XAmzContentSHA256Mismatch", lambda raw, to, body: raw.exchange(without_length(raw.prepare("PUT", to, body, payload=OTHER_SHA256)))),
    "no length, and too long for that": ("MissingContentLength", lambda raw, to, _: raw.exchange(without_length(raw.prepare("PUT", to, bytes(5 * 1024 * 1024 + 1))))),
    "no length of what was framed": ("MissingContentLength", lambda raw, to, body: raw.exchange(without_length(raw.prepare("PUT", to, body, payload=UNSIGNED_TRAILER)))),
}  # fmt: skip

# An object that cannot be.
OBJECTS: dict[str, tuple[str, Put]] = {
    "key too long": ("KeyTooLongError", lambda raw, to, body: raw.send("PUT", f"{to}/{'x' * 1024}", body)),
    "metadata too large": ("MetadataTooLarge", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-meta-a": "x" * 2048})),
    "storage class": ("InvalidStorageClass", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-storage-class": "FAST"})),
    "more copies than countries": ("InvalidRequest", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-tagging": "replica-count=3"})),
    "no number of copies": ("InvalidTag", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-tagging": "replica-count=many"})),
    "encryption": ("NotImplemented", lambda raw, to, body: raw.send("PUT", to, body, {"x-amz-server-side-encryption": "AES256"})),
    "condition on what is not there": ("NoSuchKey", lambda raw, to, body: raw.send("PUT", to, body, {"if-match": '"0123"'})),
    "no such bucket": ("NoSuchBucket", lambda raw, _, body: raw.send("PUT", "/no-such-bucket-anywhere/k", body)),
}  # fmt: skip


def nothing_remains(domicile, bucket: str) -> None:
    raw = domicile.raw()
    assert raw.send("GET", f"/{bucket}?list-type=2").texts("Key") == []
    assert raw.send("GET", f"/{bucket}?uploads").texts("UploadId") == []
    with pytest.raises(SuiteError, match="NoSuchKey"):
        domicile.replicas(bucket, "k")
    domicile.idle()
    assert domicile.leftovers(bucket) == {}
    assert raw.send("DELETE", f"/{bucket}").status == 204


def refused(raw: RawS3, to: str, body: bytes, cases: dict[str, tuple[str, Put]]) -> None:
    answers = {name: send(raw, to, body) for name, (_, send) in cases.items()}
    assert {name: answer.code for name, answer in answers.items()} == {name: code for name, (code, _) in cases.items()}
    assert {
        name: answer.status for name, answer in answers.items() if answer.status >= 500 and answer.code != "NotImplemented"
    } == {}


# Short ones are read whole before anything is opened at a backend, long ones are not.
@pytest.mark.parametrize("size", [1000, 300_000], ids=["short", "long"])
@pytest.mark.parametrize("cases", [STRANGERS, BODIES, OBJECTS], ids=["strangers", "bodies", "objects"])
def test_a_bad_put(domicile, bucket, cases, size):
    refused(domicile.raw(), f"/{bucket}/k", noise(size), cases)
    nothing_remains(domicile, bucket)


@pytest.mark.parametrize("size", [1000, 300_000], ids=["short", "long"])
def test_a_bad_part(domicile, bucket, size):
    raw = domicile.raw()
    [upload] = raw.send("POST", f"/{bucket}/k?uploads").texts("UploadId")
    refused(raw, f"/{bucket}/k?partNumber=1&uploadId={upload}", noise(size), BODIES)
    assert raw.send("GET", f"/{bucket}/k?uploadId={upload}").texts("PartNumber") == []
    for number in ("0", "10001", "x"):
        assert raw.send("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", b"1").code == "InvalidArgument"
    assert raw.send("DELETE", f"/{bucket}/k?uploadId={upload}").status == 204
    nothing_remains(domicile, bucket)


def completion(*parts: tuple[int, str]) -> bytes:
    inner = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def test_a_bad_completion(domicile, bucket):
    raw = domicile.raw()
    [upload] = raw.send("POST", f"/{bucket}/k?uploads").texts("UploadId")
    target = f"/{bucket}/k?uploadId={upload}"
    one, two = (raw.send("PUT", f"{target}&partNumber={number}", noise(number)).headers["etag"] for number in (1, 2))
    cases = {
        "InvalidPart": completion((1, one), (3, two)),
        "InvalidPartOrder": completion((2, two), (1, one)),
        "EntityTooSmall": completion((1, one), (2, two)),
        "MalformedXML": b"<CompleteMultipartUpload>",
    }
    answers = {code: raw.send("POST", target, body).code for code, body in cases.items()}
    assert answers == {code: code for code in cases}
    assert raw.send("POST", target, completion((1, two))).code == "InvalidPart"
    assert raw.send("POST", target, completion()).code == "MalformedXML"
    for other in ("0" * 32, "nonsense"):
        assert raw.send("POST", f"/{bucket}/k?uploadId={other}", completion((1, one))).code == "NoSuchUpload"
    assert raw.send("POST", f"/{bucket}/other?uploadId={upload}", completion((1, one))).code == "NoSuchUpload"
    assert domicile.raw("two").send("POST", target, completion((1, one))).code == "NoSuchBucket"
    assert raw.send("DELETE", target).status == 204
    nothing_remains(domicile, bucket)


BOMB = b"""<!DOCTYPE d [<!ENTITY a "aaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>"""
FILE = b"""<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>"""


@pytest.mark.parametrize(
    "document",
    [b"", b"<", b"<Delete>", b"<Delete></Delete>", b"<Other/>", b"{}", b"\xff\xfe", BOMB, FILE, b"<Delete>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</Delete>",
     b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"],
    ids=range(11),
)  # fmt: skip
def test_a_bad_document(domicile, s3, bucket, document):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    answer = domicile.raw().send("POST", f"/{bucket}?delete", document, {"x-amz-checksum-crc32": checksum("crc32", document)})
    assert (answer.status, answer.code) == (400, "MalformedXML")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


@pytest.mark.parametrize(
    ("name", "document", "code"),
    [
        ("good-name", "<CreateBucketConfiguration>", "MalformedXML"),
        ("good-name", "<Something/>", "MalformedXML"),
        ("good-name", "<CreateBucketConfiguration><LocationConstraint>xx</LocationConstraint></CreateBucketConfiguration>", "InvalidLocationConstraint"),
        ("good-name", "<CreateBucketConfiguration><LocationConstraint>fi,xx</LocationConstraint></CreateBucketConfiguration>", "InvalidLocationConstraint"),
        ("good-name", "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>", "InvalidLocationConstraint"),
        # Outside what the operator allows.
        ("good-name", "<CreateBucketConfiguration><LocationConstraint>US</LocationConstraint></CreateBucketConfiguration>", "InvalidLocationConstraint"),
        # Two copies in two countries, of which there is one.
        ("good-name", "<CreateBucketConfiguration><LocationConstraint>FI</LocationConstraint></CreateBucketConfiguration>", "InvalidLocationConstraint"),
        ("UPPER", "", "InvalidBucketName"),
        ("a", "", "InvalidBucketName"),
        ("a..b", "", "InvalidBucketName"),
        ("127.0.0.1", "", "InvalidBucketName"),
        ("x" * 64, "", "InvalidBucketName"),
    ],
)  # fmt: skip
def test_a_bucket_that_cannot_be(domicile, s3, name, document, code):
    before = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    answer = domicile.raw().send("PUT", f"/{name}", document.encode())
    assert (answer.status, answer.code) == (400, code)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == before


@pytest.mark.parametrize("length", ["0", None])
def test_a_document_that_was_taken_away(domicile, s3, length):
    """Without it, the bucket would be made somewhere else than was signed for."""
    raw, name = domicile.raw(), "robbed-bucket"
    location = b"<CreateBucketConfiguration><LocationConstraint>FI,DE</LocationConstraint></CreateBucketConfiguration>"
    request = raw.prepare("PUT", f"/{name}", location)
    headers = {header: value for header, value in request.headers.items() if header != "content-length"}
    answer = raw.exchange(replace(request, body=b"", headers=headers | ({"content-length": length} if length else {})))
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_refusal_by_policy_names_the_rule(domicile):
    location = b"<CreateBucketConfiguration><LocationConstraint>FI</LocationConstraint></CreateBucketConfiguration>"
    answer = domicile.raw().send("PUT", "/good-name", location)
    assert answer.texts("Rule") == ["replica_count"]


ONE_KEY = b"<Delete><Object><Key>k</Key></Object></Delete>"


def test_another_tenant_s_bucket_is_none(domicile, bucket):
    """Each answer is the one that a bucket which is nobody's gets."""
    domicile.client().put_object(Bucket=bucket, Key="k", Body=b"1")
    raw, two = domicile.raw(), domicile.raw("two")

    def asked(name: str) -> dict[str, tuple[int, str, list[str], list[str]]]:
        answers = {
            "put": two.send("PUT", f"/{name}/other", noise(1000)),
            "long put": two.send("PUT", f"/{name}/other", noise(300_000)),
            "get": two.send("GET", f"/{name}/k"),
            "get what is not there": two.send("GET", f"/{name}/nothing"),
            "head": two.send("HEAD", f"/{name}/k"),
            "list": two.send("GET", f"/{name}"),
            "delete": two.send("DELETE", f"/{name}/k"),
            "delete bucket": two.send("DELETE", f"/{name}"),
            "delete many": two.send("POST", f"/{name}?delete", ONE_KEY, {"x-amz-checksum-crc32": checksum("crc32", ONE_KEY)}),
            "head bucket": two.send("HEAD", f"/{name}"),
            "upload": two.send("POST", f"/{name}/k?uploads"),
            "location": two.send("GET", f"/{name}?location"),
            "copy": two.send("PUT", f"/{name}/other", headers={"x-amz-copy-source": f"/{name}/k"}),
        }
        return {what: (it.status, it.code, sorted(it.headers), it.texts("Message")) for what, it in answers.items()}

    refusals = asked(bucket)
    assert refusals == asked("no-such-bucket-anywhere")
    assert {status for status, *_ in refusals.values()} == {404}
    assert {code for what, (_, code, *_) in refusals.items() if "head" not in what} == {"NoSuchBucket"}
    mine = domicile.new_bucket("two")
    assert two.send("PUT", f"/{mine}/k", headers={"x-amz-copy-source": f"/{bucket}/k"}).code == "NoSuchBucket"
    assert raw.send("GET", f"/{bucket}/k").body == b"1"
    assert raw.send("DELETE", f"/{bucket}/k").status == 204
    nothing_remains(domicile, bucket)


@pytest.mark.parametrize("framing", [None, UNSIGNED_TRAILER])
@pytest.mark.parametrize("size", [1000, 300_000], ids=["short", "long"])
def test_a_client_that_goes_away_in_the_middle(domicile, bucket, size, framing):
    raw = domicile.raw()
    chunks = Chunks(trailer=("x-amz-checksum-crc32", checksum("crc32", noise(size)))) if framing else None
    request = raw.prepare("PUT", f"/{bucket}/k", noise(size), payload=framing or UNSIGNED, chunks=chunks)
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request.head() + request.body[:-10])
    nothing_remains(domicile, bucket)
