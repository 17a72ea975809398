"""Keys are bytes: each one comes back as it was given, and none is taken for another."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from domicile_common.testing.raw_s3 import object_target

pytestmark = pytest.mark.servers

LOOK_ALIKES = [
    "a", "/a", "//a", "a/", "a//", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "a/b", "a//b", "a%2Fb", "a%252Fb", "A", "%", "%41",
    "a b", "a+b", "a%20b", "a%2Bb", "a ", " a", "a\tb", "a\nb", "a\rb", "a&b", "a=b", "a?b", "a#b", "a;b", "a:b", "a@b", "a!b", "a*b", "a'b",
    'a"b', "a<b>", "a\\b", "a|b", "a~b", "a~2Fb", "a^b", "a`b", "a{b}", "a[b]", "a,b", "a$b", "a(b)", "~", ".", "..", "/", "//", "/..",
    ".domicile/a", ".domicile/stamps/a.json", "é", "e\u0301", "日本語", "🙂", "\u202e", "\u00a0", "a/0123456789abcdef0123456789abcdef",
    "a\x01b", "a\x7fb", "a\x00b", "\ufffd",
]  # fmt: skip
LONG = [
    "x" * 1024,
    "ü" * 512,
    "/".join(["0123456789"] * 93),
    "d/" * 512,
    "%" * 1024,
]


def test_each_of_many_look_alikes_is_its_own_object(domicile, bucket):
    raw = domicile.raw()
    for key in LOOK_ALIKES:
        answer = raw.send("PUT", object_target(bucket, key), f"body of {key!r}".encode())
        assert (key, answer.status) == (key, 200)
    for key in LOOK_ALIKES:
        answer = raw.send("GET", object_target(bucket, key))
        assert (key, answer.status, answer.body.decode()) == (key, 200, f"body of {key!r}")
        assert raw.send("HEAD", object_target(bucket, key)).status == 200
    listed = raw.send("GET", f"/{bucket}?list-type=2&encoding-type=url").texts("Key")
    assert [unquote(key.replace("+", " ")) for key in listed] == sorted(LOOK_ALIKES, key=str.encode)
    domicile.idle()  # every one of them has its second copy by now
    for key in LOOK_ALIKES[::7]:
        copies = domicile.verified(bucket, key)
        assert [domicile.read(copy).decode() for copy in copies.values()] == [f"body of {key!r}"] * 2
    for key in LOOK_ALIKES:
        assert raw.send("DELETE", object_target(bucket, key)).status == 204
        assert raw.send("GET", object_target(bucket, key)).code == "NoSuchKey"
    assert raw.send("GET", f"/{bucket}?list-type=2").texts("Key") == []
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


@pytest.mark.parametrize("key", LONG, ids=range(len(LONG)))
def test_the_longest_keys(domicile, bucket, key):
    assert len(key.encode()) in {1022, 1024}
    raw = domicile.raw()
    assert raw.send("PUT", object_target(bucket, key), b"long").status == 200
    assert raw.send("GET", object_target(bucket, key)).body == b"long"
    listed = raw.send("GET", f"/{bucket}?encoding-type=url").texts("Key")
    assert [unquote(each) for each in listed] == [key]
    assert [domicile.read(copy) for copy in domicile.verified(bucket, key).values()] == [b"long"] * 2


def test_a_stock_client_finds_them_all(domicile, s3, bucket):
    """Without characters that XML cannot carry, which boto3's listing never asks for otherwise."""
    keys = [key for key in LOOK_ALIKES if key.isprintable() and key not in {".", ".."} and not key.startswith(("./", "../"))]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == sorted(keys, key=str.encode)
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


@pytest.mark.parametrize("key", ["a\0b", "a\x01b", "a\uffffb"])
def test_a_stock_client_uploads_in_parts_what_xml_cannot_carry(domicile, s3, bucket, key):
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key=key, UploadId="0" * 32)
    upload = {"Bucket": bucket, "Key": key, "UploadId": s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"part")
    parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in s3.list_parts(**upload)["Parts"]]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"part"


def test_the_path_may_be_encoded_in_any_way(domicile, bucket):
    """Which bytes a client leaves unencoded is its own choice."""
    raw = domicile.raw()
    raw.send("PUT", f"/{bucket}/%61/~b@c:d,e", b"1")
    for form in ("a/%7Eb%40c%3Ad%2Ce", "a/~b@c:d,e", "%61/%7eb@c%3ad,e"):
        assert raw.send("GET", f"/{bucket}/{form}").body == b"1", form


def test_a_key_that_is_no_text_is_refused(domicile, bucket):
    raw = domicile.raw()
    assert raw.send("PUT", object_target(bucket, b"a\xff"), b"1").status == 400
    assert raw.send("GET", f"/{bucket}").texts("Key") == []
