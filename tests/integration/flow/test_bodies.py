"""Every way in which clients send a body, and that the same bytes are stored whichever it was."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from domicile_common.testing.noise import noise
from domicile_common.testing.raw_s3 import (
    SIGNED_CHUNKS,
    SIGNED_TRAILER,
    UNSIGNED,
    UNSIGNED_TRAILER,
    Chunks,
    Prepared,
    checksum,
    object_target,
    without_length,
)

pytestmark = pytest.mark.servers

ALGORITHMS = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"]
SIZES = [0, 1, 65_536, 200_003]


@pytest.fixture
def raw(domicile):
    return domicile.raw()


@pytest.fixture
def stored(domicile, bucket):
    """The bytes of ``k`` as a stock client reads them."""

    def read() -> bytes:
        return domicile.client().get_object(Bucket=bucket, Key="k")["Body"].read()

    return read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("payload", [None, UNSIGNED], ids=["signed", "unsigned"])
def test_a_plain_body(raw, bucket, stored, payload, size):
    assert raw.send("PUT", f"/{bucket}/k", noise(size), payload=payload).status == 200
    assert stored() == noise(size)


@pytest.mark.parametrize("size", SIZES)
def test_signed_chunks(raw, bucket, stored, size):
    answer = raw.send("PUT", f"/{bucket}/k", noise(size), payload=SIGNED_CHUNKS, chunks=Chunks(size=16 * 1024))
    assert (answer.status, answer.code) == (200, "")
    assert stored() == noise(size)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("payload", [SIGNED_TRAILER, UNSIGNED_TRAILER], ids=["signed", "unsigned"])
def test_chunks_with_a_checksum_in_the_trailer(raw, bucket, stored, payload, algorithm):
    for size in (0, 200_003):
        name, value = f"x-amz-checksum-{algorithm}", checksum(algorithm, noise(size))
        chunks = Chunks(trailer=(name, value))
        answer = raw.send("PUT", f"/{bucket}/k", noise(size), {"x-amz-sdk-checksum-algorithm": algorithm.upper()}, payload=payload, chunks=chunks)  # fmt: skip
        assert (answer.status, answer.headers.get(name)) == (200, value)
        assert stored() == noise(size)
        head = raw.send("HEAD", f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
        assert head.headers[name] == value
        assert "content-encoding" not in head.headers


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_in_the_head(raw, bucket, stored, algorithm):
    name, value = f"x-amz-checksum-{algorithm}", checksum(algorithm, b"some bytes")
    answer = raw.send("PUT", f"/{bucket}/k", b"some bytes", {name: value})
    assert (answer.status, answer.headers.get(name)) == (200, value)
    assert stored() == b"some bytes"


@pytest.mark.parametrize("size", SIZES)
def test_a_presigned_put_and_get(raw, bucket, size):
    target = object_target(bucket, "a b/ü")
    assert raw.presigned("PUT", target, noise(size)).status == 200
    answer = raw.presigned("GET", target)
    assert (answer.status, answer.body) == (200, noise(size))


def test_a_checksum_in_a_presigned_query_is_verified(raw, bucket, stored):
    target = f"/{bucket}/k?x-amz-checksum-sha256={quote(checksum('sha256', b'some bytes'), safe='')}"
    assert raw.presigned("PUT", target, b"other bytes").code == "BadDigest"
    assert raw.presigned("PUT", target, b"some bytes").status == 200
    assert stored() == b"some bytes"


def test_presigned_urls_of_a_stock_client(domicile, raw, bucket):
    s3 = domicile.client(signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a+b c", "ContentType": "text/x"})
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a+b c", "ResponseContentType": "text/y"})
    _, _, put_target = put.partition(raw.address)
    _, _, get_target = get.partition(raw.address)
    assert raw.unsigned("PUT", put_target, b"bytes", {"content-type": "text/x"}).status == 200
    answer = raw.unsigned("GET", get_target)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"bytes", "text/y")


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("wanted", ["when_supported", "when_required"])
def test_a_stock_client_with_each_of_its_settings(domicile, bucket, stored, signed, wanted):
    s3 = domicile.client(request_checksum_calculation=wanted, s3={"addressing_style": "path", "payload_signing_enabled": signed})
    s3.put_object(Bucket=bucket, Key="k", Body=noise(200_003))
    assert stored() == noise(200_003)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_that_does_not_tell_its_length(raw, bucket, stored, size):
    """S3 takes none; here it may be short enough to be read whole first."""
    answer = raw.exchange(without_length(raw.prepare("PUT", f"/{bucket}/k", noise(size))))
    assert (answer.status, answer.code) == (200, "")
    assert stored() == noise(size)
    target, headers = f"/{bucket}/k", {"host": raw.address}
    presigned = Prepared("PUT", raw.signer.presigned("PUT", target, headers, 60), headers, noise(size)[::-1])
    assert raw.exchange(without_length(presigned)).status == 200
    assert stored() == noise(size)[::-1]


@pytest.mark.parametrize("size", SIZES)
def test_a_form(domicile, raw, bucket, stored, size):
    domicile.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    fields = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    form = fields + noise(size) + b"\r\n--x--\r\n"
    assert raw.unsigned("POST", f"/{bucket}", form, {"content-type": "multipart/form-data; boundary=x"}).status == 204
    assert stored() == noise(size)


def test_a_stock_client_that_streams(domicile, bucket, stored, tmp_path):
    """What has a length but cannot be read twice, as a file that is being read."""
    (tmp_path / "file").write_bytes(noise(300_000))
    with (tmp_path / "file").open("rb") as file:
        domicile.client().put_object(Bucket=bucket, Key="k", Body=file, ChecksumAlgorithm="SHA256")
    assert stored() == noise(300_000)
