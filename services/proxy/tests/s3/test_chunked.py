from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from itertools import pairwise

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.sigv4 import keys
from domicile_common.sigv4.canonical import EMPTY_SHA256
from domicile_common.sigv4.streaming import ChunkChain
from domicile_proxy.s3.chunked import MAX_LINE, MIN_CHUNK, ChunkedDecoder

KEY = keys.signing_key("secret", "20130524", "us-east-1")
CRC32 = "x-amz-checksum-crc32"
TRAILERS = ((CRC32, "AAAAAA=="),)


def chain() -> ChunkChain:
    return ChunkChain(KEY, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", "0" * 64)


def encode(chunks: Sequence[bytes], *, signed: bool, trailers: Sequence[tuple[str, str]] | None, line_end: str = "\r\n") -> bytes:
    """The wire form as a client makes it."""
    signatures = chain()
    wire = b""
    for chunk in (*chunks, b""):
        mark = f";chunk-signature={signatures.chunk(sha256(chunk).hexdigest())}" if signed else ""
        wire += f"{len(chunk):x}{mark}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    for name, value in trailers or ():
        wire += f"{name}:{value}{line_end}".encode()
    if signed and trailers is not None:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers)
        wire += f"x-amz-trailer-signature:{signatures.trailer(sha256(lines.encode()).hexdigest())}\r\n".encode()
    return wire + b"\r\n"


def decode(wire: Sequence[bytes], length: int, *, signed: bool, announced: Sequence[str] | None) -> tuple[bytes, dict[str, str]]:
    decoder = ChunkedDecoder(length, chain() if signed else None, announced)
    payload = b"".join(piece for data in wire for piece in decoder.feed(data))
    decoder.finish()
    return payload, decoder.trailers


FORMS = {
    "signed": {"signed": True, "trailers": None},
    "signed with trailers": {"signed": True, "trailers": TRAILERS},
    "signed with no trailers in the form that may have some": {"signed": True, "trailers": ()},
    "unsigned with trailers": {"signed": False, "trailers": TRAILERS},
    "unsigned without trailers": {"signed": False, "trailers": ()},
    "signed with trailers as in the reference": {"signed": True, "trailers": TRAILERS, "line_end": "\n\r\n"},
    "unsigned with trailers as in the reference": {"signed": False, "trailers": TRAILERS, "line_end": "\n\r\n"},
}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


def how(form: dict) -> dict:
    """What the decoder is told of a form."""
    trailers = form["trailers"]
    return {"signed": form["signed"], "announced": None if trailers is None else [name for name, _ in trailers]}


# Chunks of the least allowed size, but for the last one.
bodies = st.tuples(st.integers(0, 3), st.integers(0, 20)).map(
    lambda sizes: [bytes([65 + n]) * (MIN_CHUNK + n) for n in range(sizes[0])] + ([b"z" * sizes[1]] if sizes[1] else [])
)


@forms
@given(chunks=bodies, data=st.data())
def test_any_split_of_the_wire_gives_the_same(form: dict, chunks: list[bytes], data: st.DataObject) -> None:
    wire = encode(chunks, **form)
    cuts = sorted({0, len(wire), *data.draw(st.lists(st.integers(0, len(wire)), max_size=20))})
    pieces = [wire[a:b] for a, b in pairwise(cuts)]
    payload, trailers = decode(pieces, sum(map(len, chunks)), **how(form))
    assert payload == b"".join(chunks)
    assert trailers == dict(form["trailers"] or ())


@forms
def test_byte_by_byte(form: dict) -> None:
    wire = encode([b"hello"], **form)
    payload, _ = decode([wire[i : i + 1] for i in range(len(wire))], 5, **how(form))
    assert payload == b"hello"


@forms
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_any_flipped_byte_of_the_framing_is_refused(form: dict, mask: int) -> None:
    """Except where the flip changes the case of a trailer's name or of a chunk size, which means the same."""
    wire = encode([b"abc" * 4], **form)
    payload = wire.index(b"abc")
    for at in range(len(wire)):
        if payload <= at < payload + 12 and not form["signed"]:
            continue  # nothing but the checksum protects it: see BodyVerifier
        bad = wire[:at] + bytes([wire[at] ^ mask]) + wire[at + 1 :]
        try:
            same = decode([bad], 12, **how(form))
        except RequestError:
            continue
        if same == (b"abc" * 4, dict(form["trailers"] or ())):
            assert mask == 0x20
            assert wire[at : at + 1].isalpha()
        else:
            # The value of an unsigned trailer is checked by whoever computes what it should be.
            assert not form["signed"]
            assert same[1] != dict(TRAILERS)


@forms
def test_a_wire_that_ends_anywhere_before_its_end_is_refused(form: dict) -> None:
    wire = encode([b"hello"], **form)
    for end in range(len(wire)):
        with pytest.raises(RequestError, match="IncompleteBody"):
            decode([wire[:end]], 5, **how(form))


@forms
@pytest.mark.parametrize("length", [0, 4, 6])
def test_another_length_than_declared_is_refused(form: dict, length: int) -> None:
    with pytest.raises(RequestError, match="IncompleteBody"):
        decode([encode([b"hello"], **form)], length, **how(form))


@forms
@pytest.mark.parametrize("more", [b"x", b"\r\n", b"0\r\n\r\n"])
def test_bytes_after_the_end_are_refused(form: dict, more: bytes) -> None:
    with pytest.raises(RequestError, match="IncompleteBody"):
        decode([encode([b"hello"], **form) + more], 5, **how(form))


def test_the_reference_example() -> None:
    """The bodies of the Amazon S3 API reference's chunked upload, with the signatures printed there."""
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    key = keys.signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1")
    wire = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + b"a" * 65536 + b"\r\n"
        b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + b"a" * 1024 + b"\r\n"
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert len(wire) == 66824
    decoder = ChunkedDecoder(66560, ChunkChain(key, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed), None)
    assert b"".join(decoder.feed(wire)) == b"a" * 66560
    decoder.finish()


def test_the_reference_example_with_trailers() -> None:
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    key = keys.signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1")
    wire = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + b"a" * 65536 + b"\r\n"
        b"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + b"a" * 1024 + b"\r\n"
        b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    signatures = ChunkChain(key, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed)
    decoder = ChunkedDecoder(66560, signatures, ("x-amz-checksum-crc32c",))
    assert b"".join(decoder.feed(wire)) == b"a" * 66560
    decoder.finish()
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


@given(st.binary(max_size=3 * MIN_CHUNK), st.booleans())
def test_what_botocore_encodes(body: bytes, checked: bool) -> None:
    encoder = AwsChunkedWrapper(BytesIO(body), Crc32Checksum if checked else None, CRC32, chunk_size=MIN_CHUNK)
    payload, trailers = decode([encoder.read()], len(body), signed=False, announced=[CRC32] if checked else [])
    assert payload == body
    assert list(trailers) == ([CRC32] if checked else [])


def test_chunks_cannot_be_swapped_or_repeated() -> None:
    first, second = (f"{MIN_CHUNK:x};chunk-signature=".encode(), b"A" * MIN_CHUNK), (b"", b"B" * MIN_CHUNK)
    wire = encode([first[1], second[1]], signed=True, trailers=None)
    size = len(first[0]) + 64 + 2 + MIN_CHUNK + 2
    one, two, end = wire[:size], wire[size : 2 * size], wire[2 * size :]
    assert decode([one, two, end], 2 * MIN_CHUNK, signed=True, announced=None)[0] == first[1] + second[1]
    for other in ([two, one, end], [one, one, end]):
        with pytest.raises(RequestError, match="SignatureDoesNotMatch"):
            decode(other, 2 * MIN_CHUNK, signed=True, announced=None)


def test_only_the_last_chunk_may_be_small() -> None:
    with pytest.raises(RequestError) as caught:
        decode([encode([b"abc", b"d"], signed=False, trailers=())], 4, signed=False, announced=())
    assert caught.value.code == "InvalidChunkSizeError"
    assert caught.value.detail == {"Chunk": "2", "BadChunkSize": "3"}


def test_payload_is_handed_out_before_its_chunk_is_complete() -> None:
    decoder = ChunkedDecoder(1 << 30, None, ())
    assert decoder.feed(b"40000000\r\nabc") == [b"abc"]
    data = b"x" * 65536
    (piece,) = decoder.feed(data)
    assert piece is data  # not copied


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\n",
        b"1;a=b\r\n",
        b"f" * 17,
        b"1" * MAX_LINE,
        b"6\r\n",
    ],
)
def test_malformed_chunk_headers(wire: bytes) -> None:
    with pytest.raises(RequestError, match="IncompleteBody"):
        decode([wire], 5, signed=False, announced=())


def test_signed_and_unsigned_chunks_do_not_mix() -> None:
    with pytest.raises(RequestError, match="IncompleteBody"):
        decode([encode([b"hello"], signed=False, trailers=None)], 5, signed=True, announced=None)
    with pytest.raises(RequestError, match="IncompleteBody"):
        decode([encode([b"hello"], signed=True, trailers=())], 5, signed=False, announced=())


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    "trailers, announced",
    [
        (TRAILERS, ()),
        ((), (CRC32,)),
        ((*TRAILERS, *TRAILERS), (CRC32,)),
        ((*TRAILERS, ("x-amz-meta-a", "b")), (CRC32,)),
        ((("x-amz-checksum-sha1", "AAAAAA=="),), (CRC32,)),
        (((CRC32, ""),), (CRC32,)),
        (((CRC32, "a b"),), (CRC32,)),
        (((CRC32 + " ", "AAAAAA=="),), (CRC32,)),
    ],
)
def test_trailers_are_those_announced(signed: bool, trailers: Sequence[tuple[str, str]], announced: Sequence[str]) -> None:
    with pytest.raises(RequestError, match="MalformedTrailerError"):
        decode([encode([b"hello"], signed=signed, trailers=trailers)], 5, signed=signed, announced=announced)


def test_a_trailer_without_end_is_refused_early() -> None:
    decoder = ChunkedDecoder(0, None, (CRC32,))
    decoder.feed(b"0\r\n")
    with pytest.raises(RequestError):
        decoder.feed(b"x" * MAX_LINE)


def test_signed_trailers_need_their_signature() -> None:
    wire = f"0;chunk-signature={chain().chunk(EMPTY_SHA256)}\r\n{CRC32}:AAAAAA==\r\n\r\n".encode()
    with pytest.raises(RequestError, match="MalformedTrailerError"):
        decode([wire], 0, signed=True, announced=(CRC32,))


fragments = st.lists(
    st.sampled_from(
        [b"0", b"5", b"2000", b"\r\n", b"\n", b";chunk-signature=", b"0" * 64, b":", CRC32.encode(), b"AAAAAA==", b"hello"]
    )
    | st.binary(max_size=4),
    max_size=12,
).map(b"".join)


@given(st.lists(fragments, max_size=4), st.booleans(), st.sampled_from([None, (), (CRC32,)]))
def test_nonsense_is_a_request_error(wire: list[bytes], signed: bool, announced: Sequence[str] | None) -> None:
    decoder = ChunkedDecoder(5, chain() if signed else None, announced)
    try:
        payload = b"".join(piece for data in wire for piece in decoder.feed(data))
        decoder.finish()
    except RequestError:
        return
    assert len(payload) == 5
