"""Browsers' forms: what a signed policy lets through, how each is answered, and that a refused one leaves nothing behind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domicile_common.testing.forms import BOUNDARY, Field, conditions_of, encoded, form, signed_fields
from domicile_common.testing.noise import noise
from domicile_common.testing.raw_s3 import Answer, Prepared, RawS3, Signer, checksum

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


@pytest.fixture
def raw(domicile) -> RawS3:
    return domicile.raw()


def signed(
    raw: RawS3, bucket: str, fields: Mapping[str, str], *more: Any, signer: Signer | None = None, **how: Any
) -> dict[str, str]:
    """The fields with a policy that lets exactly them through, and ``more`` conditions."""
    return signed_fields(signer or raw.signer, [*conditions_of(bucket, fields), *more], fields, **how)


def post(raw: RawS3, bucket: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    return raw.unsigned("POST", f"/{bucket}", body, headers)


def stored(domicile, bucket: str, key: str = "k") -> bytes:
    return domicile.client().get_object(Bucket=bucket, Key=key)["Body"].read()


def nothing_remains(domicile, bucket: str) -> None:
    assert "Contents" not in domicile.client().list_objects_v2(Bucket=bucket)
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


# --- what comes through ---


@pytest.mark.parametrize("size", [0, 1000, 6 * MIB])
def test_an_upload(domicile, raw, bucket, size):
    fields = signed(raw, bucket, {"key": "k", "Content-Type": "text/x", "x-amz-meta-a": "é"})
    answer = post(raw, bucket, *form(fields, noise(size)))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["etag"] == f'"{hashlib.md5(noise(size), usedforsecurity=False).hexdigest()}"'
    assert answer.headers["location"] == f"http://{raw.address}/{bucket}/k"
    got = raw.send("GET", f"/{bucket}/k")
    assert (got.body, got.headers["content-type"]) == (noise(size), "text/x")
    assert got.headers["x-amz-meta-a"].encode("latin-1").decode() == "é"


def test_what_fields_stand_for(raw, bucket):
    tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1 2</Value></Tag></TagSet></Tagging>"
    asked = {
        "key": "k",
        "acl": "public-read",
        "tagging": tags,
        "Cache-Control": "no-store",
        "Content-Disposition": "attachment",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-meta-Camel": "case",
    }
    assert post(raw, bucket, *form(signed(raw, bucket, asked), b"1")).status == 204
    got = raw.unsigned("GET", f"/{bucket}/k")
    shown = {
        "cache-control": "no-store",
        "content-disposition": "attachment",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-meta-camel": "case",
        "content-type": "binary/octet-stream",  # what the form says of the file itself, no policy has allowed
    }
    assert (got.body, {name: got.headers.get(name) for name in shown}) == (b"1", shown)
    assert raw.send("GET", f"/{bucket}/k?tagging").texts("Key") == ["a b"]


def test_every_field_may_have_a_file_name_and_only_file_is_the_file(domicile, raw, bucket):
    fields = signed(raw, bucket, {"key": "k", "x-amz-meta-a": "b"})
    listed = [Field(name, value.encode(), f'filename="{name}.txt"', "text/plain") for name, value in fields.items()]
    body, headers = encoded([*listed, Field("file", b"the file", 'filename="f"')])
    assert post(raw, bucket, body, headers).status == 204
    assert stored(domicile, bucket) == b"the file"


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ('filename="plain.txt"', "plain.txt"),
        ('filename="C:\\\\dir\\\\w.txt"', "w.txt"),
        ('filename="../../etc/u.txt"', "u.txt"),
        ('filename="a \\"quoted\\".txt"', 'a "quoted".txt'),
        ("filename=bare.txt", "bare.txt"),
        ('filename="日本.txt"', "日本.txt"),
        ("", ""),
    ],
)
def test_the_name_of_the_file_as_part_of_the_key(domicile, raw, bucket, extra, name):
    fields = signed_fields(raw.signer, [{"bucket": bucket}, ["starts-with", "$key", "user/"]], {"key": "user/${filename}"})
    listed = [Field(field, value.encode()) for field, value in fields.items()]
    assert post(raw, bucket, *encoded([*listed, Field("file", b"1", extra)])).status == 204
    assert stored(domicile, bucket, f"user/{name}") == b"1"


def test_what_comes_behind_the_file_is_ignored(domicile, raw, bucket):
    fields = signed(raw, bucket, {"key": "k"})
    listed = [Field(name, value.encode()) for name, value in fields.items()]
    body, headers = encoded([*listed, Field("file", b"1"), Field("submit", b"Upload"), Field("key", b"other")])
    assert post(raw, bucket, body, headers).status == 204
    assert stored(domicile, bucket) == b"1"


def test_a_form_by_host_name(domicile, raw, bucket):
    body, headers = form(signed(raw, bucket, {"key": "k"}), b"1")
    answer = raw.unsigned("POST", "/", body, {**headers, "host": f"{bucket}.s3.test"})
    assert answer.status == 204
    assert stored(domicile, bucket) == b"1"


def test_an_older_signature(domicile, raw, bucket):
    document = {"expiration": "2100-01-01T00:00:00.000Z", "conditions": [{"bucket": bucket}, {"key": "k"}]}
    policy = base64.b64encode(json.dumps(document).encode())
    digest = hmac.new(raw.signer.secret_key.encode(), policy, hashlib.sha1).digest()
    fields = {
        "key": "k",
        "AWSAccessKeyId": raw.signer.access_key,
        "policy": policy.decode(),
        "signature": base64.b64encode(digest).decode(),
    }
    assert post(raw, bucket, *form(fields, b"1")).status == 204
    assert post(raw, bucket, *form({**fields, "signature": "x"}, b"2")).code == "SignatureDoesNotMatch"
    assert stored(domicile, bucket) == b"1"


def test_what_a_stock_sdk_signs(domicile, raw, bucket):
    made = domicile.client().generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 1, 10]], ExpiresIn=60)
    assert post(raw, bucket, *form(made["fields"], b"1")).status == 204
    assert stored(domicile, bucket) == b"1"


# --- how it is answered ---


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 204),
        ({"success_action_status": "200"}, 200),
        ({"success_action_status": "201"}, 201),
        ({"success_action_status": "404"}, 204),
    ],
)
def test_the_status_that_was_asked_for(raw, bucket, asked, status):
    answer = post(raw, bucket, *form(signed(raw, bucket, {"key": "a b", **asked}), b"1"))
    assert answer.status == status
    assert answer.headers["location"].endswith(f"/{bucket}/a%20b")
    if status == 201:
        assert [answer.texts(name) for name in ("Bucket", "Key", "ETag")] == [
            [bucket],
            ["a b"],
            [answer.headers["etag"].replace('"', "&quot;")],
        ]


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("https://shop.example/done", 303),
        ("https://shop.example/done?a=b", 303),
        ("javascript:alert(1)", 204),
        ("//shop.example", 204),
    ],
)
def test_a_redirect(raw, bucket, field, target, status):
    answer = post(raw, bucket, *form(signed(raw, bucket, {"key": "a&b", field: target}), b"1"))
    assert answer.status == status
    if status == 303:
        etag = answer.headers["etag"].strip('"')
        expected = f"{target}{'&' if '?' in target else '?'}bucket={bucket}&key=a%26b&etag=%22{etag}%22"
        assert answer.headers["location"] == expected


# --- policies ---

CONDITIONS: dict[str, tuple[list[Any], dict[str, str], str]] = {
    "equal": ([{"x-amz-meta-a": "b"}], {"x-amz-meta-a": "b"}, ""),
    "equal, in the longer form": ([["eq", "$x-amz-meta-a", "b"]], {"x-amz-meta-a": "b"}, ""),
    "names in any case": ([["EQ", "$X-Amz-Meta-A", "b"]], {"x-amz-META-a": "b"}, ""),
    "not equal": ([["eq", "$x-amz-meta-a", "b"]], {"x-amz-meta-a": "c"}, "AccessDenied"),
    "values in another case": ([{"x-amz-meta-a": "b"}], {"x-amz-meta-a": "B"}, "AccessDenied"),
    "the beginning": ([["starts-with", "$x-amz-meta-a", "b"]], {"x-amz-meta-a": "bc"}, ""),
    "another beginning": ([["starts-with", "$x-amz-meta-a", "b"]], {"x-amz-meta-a": "cb"}, "AccessDenied"),
    "anything": ([["starts-with", "$x-amz-meta-a", ""]], {"x-amz-meta-a": "whatever"}, ""),
    "a field that is missing": ([{"x-amz-meta-a": "b"}], {}, "AccessDenied"),
    "a field that no condition is about": ([], {"x-amz-meta-a": "b"}, "AccessDenied"),
    "an ignored field": ([], {"x-ignore-a": "b"}, ""),
    "two conditions for one field": ([["starts-with", "$x-amz-meta-a", "b"], {"x-amz-meta-a": "bc"}], {"x-amz-meta-a": "bd"}, "AccessDenied"),
    "length": ([["content-length-range", 1, 4]], {}, ""),
    "length, as text": ([["content-length-range", "1", "4"]], {}, ""),
    "too long": ([["content-length-range", 1, 3]], {}, "EntityTooLarge"),
    "too short": ([["content-length-range", 5, 9]], {}, "EntityTooSmall"),
    "a bucket that is another": ([{"bucket": "another"}], {}, "AccessDenied"),
    "an access control list": ([{"acl": "private"}], {"acl": "public-read"}, "AccessDenied"),
    "no operator": ([["ends-with", "$key", "k"]], {}, "InvalidPolicyDocument"),
    "no field": ([["eq", "key", "k"]], {}, "InvalidPolicyDocument"),
    "no text": ([{"x-amz-meta-a": 1}], {"x-amz-meta-a": "1"}, "InvalidPolicyDocument"),
    "half a range": ([["content-length-range", 1]], {}, "InvalidPolicyDocument"),
    "a negative range": ([["content-length-range", -1, 4]], {}, "InvalidPolicyDocument"),
    "a range of words": ([["content-length-range", "a", "b"]], {}, "InvalidPolicyDocument"),
    "a range that is true": ([["content-length-range", True, 4]], {}, "InvalidPolicyDocument"),
    "no condition": (["key"], {}, "InvalidPolicyDocument"),
    "two in one": ([{"x-amz-meta-a": "b", "x-amz-meta-c": "d"}], {"x-amz-meta-a": "b", "x-amz-meta-c": "d"}, "InvalidPolicyDocument"),
}  # fmt: skip


def test_conditions(domicile, raw, bucket):
    def answer(conditions: list[Any], fields: dict[str, str]) -> str:
        known = conditions_of(bucket, {"key": "k"})
        return post(raw, bucket, *form(signed_fields(raw.signer, [*known, *conditions], {"key": "k", **fields}), b"1234")).code

    answers = {name: answer(conditions, fields) for name, (conditions, fields, _) in CONDITIONS.items()}
    assert answers == {name: code for name, (*_, code) in CONDITIONS.items()}
    domicile.client().delete_object(Bucket=bucket, Key="k")
    nothing_remains(domicile, bucket)


def test_a_policy_must_say_which_bucket_and_which_key(raw, bucket):
    for conditions in ([{"bucket": bucket}], [{"key": "k"}], []):
        assert post(raw, bucket, *form(signed_fields(raw.signer, conditions, {"key": "k"}), b"1")).code == "AccessDenied"


def test_a_policy_is_good_for_its_own_bucket_only(domicile, raw, bucket):
    body, headers = form(signed(raw, bucket, {"key": "k"}), b"1")
    assert post(raw, domicile.new_bucket(), body, headers).code == "AccessDenied"


# --- what is refused ---

Change = Callable[[dict[str, str]], dict[str, str]]


def without(*names: str) -> Change:
    return lambda fields: {name: value for name, value in fields.items() if name not in names}


def changed(**values: str) -> Change:
    return lambda fields: fields | {name.replace("_", "-"): value for name, value in values.items()}


def document(**parts: Any) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


WRONG: dict[str, tuple[Change, str]] = {
    "another signature": (changed(x_amz_signature="0" * 64), "SignatureDoesNotMatch"),
    "a signature that is none": (changed(x_amz_signature="é"), "SignatureDoesNotMatch"),
    "another policy": (changed(policy=document(expiration="2100-01-01T00:00:00Z", conditions=[])), "SignatureDoesNotMatch"),
    "no policy": (without("policy"), "InvalidArgument"),
    "no date": (without("x-amz-date"), "InvalidArgument"),
    "a date that is none": (changed(x_amz_date="now"), "InvalidArgument"),
    "no credential": (without("x-amz-credential"), "InvalidArgument"),
    "a credential that is none": (changed(x_amz_credential="a/b"), "InvalidArgument"),
    "an unknown key": (changed(x_amz_credential="NOBODY/20260101/us-east-1/s3/aws4_request", x_amz_date="20260101T000000Z"), "InvalidAccessKeyId"),
    "no algorithm": (without("x-amz-algorithm"), "InvalidArgument"),
    "another algorithm": (changed(x_amz_algorithm="AWS4-ECDSA-P256-SHA256"), "InvalidArgument"),
    "no signature at all": (without("policy", "x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm"), "AccessDenied"),
}  # fmt: skip


@pytest.mark.parametrize("size", [1000, 6 * MIB], ids=["short", "long"])
def test_who_is_not_let_in(domicile, raw, bucket, size):
    fields = signed(raw, bucket, {"key": "k"})
    answers = {name: post(raw, bucket, *form(change(fields), noise(size))).code for name, (change, _) in WRONG.items()}
    assert answers == {name: code for name, (_, code) in WRONG.items()}
    expired = signed(raw, bucket, {"key": "k"}, expires=timedelta(seconds=-1))
    assert post(raw, bucket, *form(expired, noise(size))).code == "AccessDenied"
    nothing_remains(domicile, bucket)


def test_the_rights_of_the_signer_count(domicile, raw, bucket):
    issued = domicile.admin("POST", "/credentials", {"tenant_id": "one", "access": "read"})
    reader = Signer(issued["credential"]["access_key"], issued["secret_key"])
    assert post(raw, bucket, *form(signed(raw, bucket, {"key": "k"}, signer=reader), b"1")).code == "AccessDenied"
    stranger = domicile.raw("two").signer
    assert post(raw, bucket, *form(signed(raw, bucket, {"key": "k"}, signer=stranger), b"1")).code == "NoSuchBucket"
    domicile.admin("PATCH", f"/credentials/{reader.access_key}", {"state": "disabled"})
    nothing_remains(domicile, bucket)


def test_without_a_key_where_everybody_may_write(domicile, raw, bucket):
    body, headers = form({"key": "k", "success_action_status": "200"}, b"1")
    assert post(raw, bucket, body, headers).code == "AccessDenied"
    domicile.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(raw, bucket, body, headers).status == 200
    assert stored(domicile, bucket) == b"1"


POLICIES: dict[str, str] = {
    "no base64": "%%%",
    "no JSON": base64.b64encode(b"{").decode(),
    "deep": base64.b64encode(b"[" * 5000).decode(),
    "a list": base64.b64encode(b"[]").decode(),
    "no expiration": document(conditions=[]),
    "no date": document(expiration="soon", conditions=[]),
    "no such date": document(expiration="2026-02-30T00:00:00Z", conditions=[]),
    "no conditions": document(expiration="2100-01-01T00:00:00Z"),
    "conditions of another kind": document(expiration="2100-01-01T00:00:00Z", conditions={}),
    "empty": "",
}


def test_policies_that_are_none(domicile, raw, bucket):
    def answer(policy: str) -> str:
        fields = signed(raw, bucket, {"key": "k"}) | {"policy": policy}
        fields["x-amz-signature"] = raw.signer.sign(fields["x-amz-date"], policy)
        return post(raw, bucket, *form(fields, b"1")).code

    assert {name: answer(policy) for name, policy in POLICIES.items()} == dict.fromkeys(POLICIES, "InvalidPolicyDocument")
    nothing_remains(domicile, bucket)


OBJECTS: dict[str, tuple[dict[str, str], str]] = {
    "no key": ({"key": ""}, "InvalidArgument"),
    "a key too long": ({"key": "x" * 1025}, "KeyTooLongError"),
    "a list that is none": ({"key": "k", "acl": "public-ready"}, "InvalidArgument"),
    "tags that are none": ({"key": "k", "tagging": "<Tagging"}, "MalformedXML"),
    "a storage class that is none": ({"key": "k", "x-amz-storage-class": "FAST"}, "InvalidStorageClass"),
    "encryption": ({"key": "k", "x-amz-server-side-encryption": "AES256"}, "NotImplemented"),
    "too much metadata": ({"key": "k", "x-amz-meta-a": "x" * 2048}, "MetadataTooLarge"),
    "a line break": ({"key": "k", "x-amz-meta-a": "b\r\nset-cookie: c=d"}, "InvalidArgument"),
    "a control character": ({"key": "k", "x-amz-meta-a": "\x01"}, "InvalidArgument"),
    "a name that is none": ({"key": "k", "x-amz-meta-a: b": "c"}, "InvalidArgument"),
    "another checksum": ({"key": "k", "x-amz-checksum-crc32": checksum("crc32", b"other bytes")}, "BadDigest"),
    "a checksum that is none": ({"key": "k", "x-amz-checksum-crc32": "!"}, "InvalidRequest"),
    "another MD5": ({"key": "k", "content-md5": "XrY7u+Ae7tCTyyK7j1rNww=="}, "BadDigest"),
    "a session token": ({"key": "k", "x-amz-security-token": "t"}, "InvalidToken"),
}


@pytest.mark.parametrize("size", [1000, 6 * MIB], ids=["short", "long"])
def test_objects_that_cannot_be(domicile, raw, bucket, size):
    answers = {name: post(raw, bucket, *form(signed(raw, bucket, fields), noise(size))) for name, (fields, _) in OBJECTS.items()}
    assert {name: answer.code for name, answer in answers.items()} == {name: code for name, (_, code) in OBJECTS.items()}
    nothing_remains(domicile, bucket)


FILE = b'Content-Disposition: form-data; name="file"\r\n\r\n1\r\n'
DELIMITER = f"--{BOUNDARY}".encode()
END = DELIMITER + b"--\r\n"
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "MalformedPOSTRequest"),
    "only the end": (END, "IncorrectNumberOfFilesInPostRequest"),
    "no file": (DELIMITER + b'\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n' + END, "IncorrectNumberOfFilesInPostRequest"),
    "another boundary": (b"--other\r\n" + FILE + b"--other--\r\n", "MalformedPOSTRequest"),
    "no headers": (DELIMITER + b"\r\n\r\n\r\n1\r\n" + END, "MalformedPOSTRequest"),
    "no name": (DELIMITER + b"\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + END, "MalformedPOSTRequest"),
    "no text": (DELIMITER + b'\r\nContent-Disposition: form-data; name="key"\r\n\r\n\xff\r\n' + DELIMITER + b"\r\n" + FILE + END, "MalformedPOSTRequest"),
    "fields that are too long": (DELIMITER + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 30_000, "MaxPostPreDataLengthExceededError"),
    "headers that are too long": (DELIMITER + b"\r\nX: " + b"x" * 30_000, "MaxPostPreDataLengthExceededError"),
    "a field twice": (DELIMITER + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' + DELIMITER + b'\r\nContent-Disposition: form-data; name="A"\r\n\r\n1\r\n' + DELIMITER + b"\r\n" + FILE + END, "InvalidArgument"),
}  # fmt: skip


def test_bodies_that_are_no_forms(domicile, raw, bucket):
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    answers = {name: post(raw, bucket, body, kind).code for name, (body, _) in BODIES.items()}
    assert answers == {name: code for name, (_, code) in BODIES.items()}
    body, _ = form(signed(raw, bucket, {"key": "k"}), b"1")
    for other in (
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
    ):
        assert post(raw, bucket, body, {"content-type": other}).code == "PreconditionFailed"
    nothing_remains(domicile, bucket)


def test_a_large_form_whose_file_is_not_last(domicile, raw, bucket):
    listed = [Field(name, value.encode()) for name, value in signed(raw, bucket, {"key": "k"}).items()]
    body, headers = encoded([*listed, Field("file", noise(6 * MIB)), Field("submit", b"Upload")])
    assert post(raw, bucket, body, headers).code == "MalformedPOSTRequest"
    nothing_remains(domicile, bucket)


def test_a_form_that_ends_too_early(domicile, raw, bucket):
    for size in (1000, 6 * MIB):
        body, headers = form(signed(raw, bucket, {"key": "k"}), noise(size))
        assert post(raw, bucket, body[:-10], headers).code == "MalformedPOSTRequest"
        host, port = raw.address.split(":")
        request = Prepared("POST", f"/{bucket}", {"host": raw.address, **headers, "content-length": str(len(body))}, body)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(request.head() + body[:-10])
    nothing_remains(domicile, bucket)


def test_who_signed_is_known_before_the_file_is_read(raw, bucket):
    """Whoever is not let in gets the answer without having sent a byte of the file."""
    body, headers = form(signed(raw, bucket, {"key": "k"}) | {"x-amz-signature": "0" * 64}, noise(1000))
    begun = body[: body.index(b'name="file"') + 100]
    request = Prepared("POST", f"/{bucket}", {"host": raw.address, **headers, "content-length": str(len(body))}, body)
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.head() + begun)
        answer = b""
        while not answer.endswith(b"</Error>"):
            answer += connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"SignatureDoesNotMatch" in answer


def test_a_body_without_a_length(raw, bucket):
    body, headers = form(signed(raw, bucket, {"key": "k"}), b"1")
    request = Prepared(
        "POST",
        f"/{bucket}",
        {"host": raw.address, **headers, "transfer-encoding": "chunked"},
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    )
    assert raw.exchange(replace(request)).code == "MissingContentLength"
