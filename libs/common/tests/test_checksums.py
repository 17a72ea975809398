from __future__ import annotations

import hashlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common import checksums
from domicile_common.errors import RequestError

md5 = partial(hashlib.md5, usedforsecurity=False)

# The check values of the CRC catalogue (of "123456789") and of the xxHash specification (of nothing).
KNOWN = {
    "crc32": (b"123456789", "cbf43926"),
    "crc32c": (b"123456789", "e3069283"),
    "crc64nvme": (b"123456789", "ae8b14860a799888"),
    "sha1": (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    "sha256": (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    "sha512": (b"abc", hashlib.sha512(b"abc").hexdigest()),
    "md5": (b"abc", "900150983cd24fb0d6963f7d28e17f72"),
    "xxhash64": (b"", "ef46db3751d8e999"),
    "xxhash3": (b"", "2d06800538d394c2"),
    "xxhash128": (b"", "99aa06d3014798d86001c324468d497f"),
}


def checksum(name: str, data: bytes) -> str:
    hasher = checksums.BodyHasher((name,))
    hasher.update(data)
    return checksums.encode(hasher.digest(name))


def test_every_algorithm_has_a_known_value() -> None:
    assert KNOWN.keys() == checksums.ALGORITHMS.keys()


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name: str) -> None:
    data, expected = KNOWN[name]
    hasher = checksums.ALGORITHMS[name].new()
    hasher.update(data)
    assert hasher.digest().hex() == expected
    assert len(hasher.digest()) == checksums.ALGORITHMS[name].size


def test_the_checksum_of_the_trailer_example() -> None:
    """Of 65 KiB of the letter a, see the trailer example of the Amazon S3 API reference."""
    assert checksum("crc32c", b"a" * 66560) == "sOO8/Q=="


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_pieces_give_what_the_whole_gives(pieces: list[bytes]) -> None:
    hasher = checksums.BodyHasher(checksums.ALGORITHMS)
    for piece in pieces:
        hasher.update(piece)
    whole = b"".join(pieces)
    for name in checksums.ALGORITHMS:
        assert checksums.encode(hasher.digest(name)) == checksum(name, whole)
    assert hasher.digest("md5") == md5(whole).digest()


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme"])
@given(parts=st.lists(st.binary(max_size=300), max_size=6))
def test_checksums_of_parts_give_that_of_the_object(name: str, parts: list[bytes]) -> None:
    joined = checksums.full_object(name, [(checksum(name, part), len(part)) for part in parts])
    assert joined == checksum(name, b"".join(parts))


def test_parts_beyond_four_gib_are_joined() -> None:
    """The CRC of 5 GiB of zeros after a byte equals that of doubling it up: joining is associative."""
    chunk = b"\0" * (1 << 20)
    one = checksum("crc64nvme", chunk)
    five_gib = checksums.full_object("crc64nvme", [(one, 1 << 20)] * 5120)
    head = checksum("crc64nvme", b"x")
    assert checksums.full_object("crc64nvme", [(head, 1), (five_gib, 5 << 30)]) == checksums.full_object(
        "crc64nvme", [(head, 1), *([(one, 1 << 20)] * 5120)]
    )


def test_only_crcs_can_be_joined() -> None:
    with pytest.raises(RequestError, match="InvalidRequest: The FULL_OBJECT checksum type cannot be used with the sha256"):
        checksums.full_object("sha256", [])


def test_composite_checksums_are_over_the_binary_checksums_of_the_parts() -> None:
    parts = [b"a" * 100, b"b"]
    expected = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert checksums.composite("sha256", [checksum("sha256", part) for part in parts]) == checksums.encode(expected) + "-2"


def test_the_md5_of_multipart_etags() -> None:
    parts = [md5(part) for part in (b"a", b"b")]
    expected = md5(parts[0].digest() + parts[1].digest()).hexdigest()
    assert checksums.multipart_md5(part.hexdigest() for part in parts) == expected


@given(st.binary(min_size=16, max_size=16))
def test_content_md5_round_trips(digest: bytes) -> None:
    assert checksums.parse_content_md5(checksums.encode(digest)) == digest


@pytest.mark.parametrize(
    "text", ["", "AAAA", "!", "1B2M2Y8AsgTpgAmY7PhCfg", "1B2M2Y8AsgTpgAmY7PhCfh==", "1B2M2Y8AsgTpgAmY7PhCfg== ", "\xe9"]
)
def test_malformed_content_md5(text: str) -> None:
    with pytest.raises(RequestError, match="InvalidDigest"):
        checksums.parse_content_md5(text)


@given(st.sampled_from(sorted(checksums.ALGORITHMS)), st.text(max_size=100))
def test_a_checksum_is_parsed_exactly_or_refused(name: str, text: str) -> None:
    try:
        digest = checksums.parse_checksum(name, text)
    except RequestError as error:
        assert (error.code, error.message) == ("InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.")
    else:
        assert checksums.encode(digest) == text
