"""Published examples, asserted at every intermediate step.

Sources: the examples of "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference, and AWS's Signature Version 4
test suite, of whose service-independent cases the canonical request's hash is asserted (its signatures are for another service).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import pytest

from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.streaming import ChunkChain
from domicile_common.sigv4.verify import parse, verify

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2013, 5, 24, tzinfo=UTC)
TIMESTAMP = "20130524T000000Z"
SCOPE = "20130524/us-east-1/s3/aws4_request"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Example(NamedTuple):
    method: str
    path: bytes
    query: bytes
    headers: dict[str, str]
    canonical_request: str
    hashed: str
    signature: str


EXAMPLES = {
    "GET Object": Example(
        "GET",
        b"/test.txt",
        b"",
        {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9", "x-amz-content-sha256": EMPTY, "x-amz-date": TIMESTAMP},
        "GET\n"
        "/test.txt\n"
        "\n"
        "host:examplebucket.s3.amazonaws.com\n"
        "range:bytes=0-9\n"
        f"x-amz-content-sha256:{EMPTY}\n"
        "x-amz-date:20130524T000000Z\n"
        "\n"
        "host;range;x-amz-content-sha256;x-amz-date\n"
        f"{EMPTY}",
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "PUT Object": Example(
        "PUT",
        b"/test$file.text",
        b"",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "host": "examplebucket.s3.amazonaws.com",
            "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "x-amz-date": TIMESTAMP,
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        "PUT\n"
        "/test%24file.text\n"
        "\n"
        "date:Fri, 24 May 2013 00:00:00 GMT\n"
        "host:examplebucket.s3.amazonaws.com\n"
        "x-amz-content-sha256:44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n"
        "x-amz-date:20130524T000000Z\n"
        "x-amz-storage-class:REDUCED_REDUNDANCY\n"
        "\n"
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class\n"
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "GET Bucket Lifecycle": Example(
        "GET",
        b"/",
        b"lifecycle",
        {"host": "examplebucket.s3.amazonaws.com", "x-amz-content-sha256": EMPTY, "x-amz-date": TIMESTAMP},
        "GET\n"
        "/\n"
        "lifecycle=\n"
        "host:examplebucket.s3.amazonaws.com\n"
        f"x-amz-content-sha256:{EMPTY}\n"
        "x-amz-date:20130524T000000Z\n"
        "\n"
        "host;x-amz-content-sha256;x-amz-date\n"
        f"{EMPTY}",
        "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "GET Bucket (List Objects)": Example(
        "GET",
        b"/",
        b"max-keys=2&prefix=J",
        {"host": "examplebucket.s3.amazonaws.com", "x-amz-content-sha256": EMPTY, "x-amz-date": TIMESTAMP},
        "GET\n"
        "/\n"
        "max-keys=2&prefix=J\n"
        "host:examplebucket.s3.amazonaws.com\n"
        f"x-amz-content-sha256:{EMPTY}\n"
        "x-amz-date:20130524T000000Z\n"
        "\n"
        "host;x-amz-content-sha256;x-amz-date\n"
        f"{EMPTY}",
        "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    "PUT Object in chunks": Example(
        "PUT",
        b"/examplebucket/chunkObject.txt",
        b"",
        {
            "content-encoding": "aws-chunked",
            "content-length": "66824",
            "host": "s3.amazonaws.com",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "x-amz-date": TIMESTAMP,
            "x-amz-decoded-content-length": "66560",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        "PUT\n"
        "/examplebucket/chunkObject.txt\n"
        "\n"
        "content-encoding:aws-chunked\n"
        "content-length:66824\n"
        "host:s3.amazonaws.com\n"
        "x-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n"
        "x-amz-date:20130524T000000Z\n"
        "x-amz-decoded-content-length:66560\n"
        "x-amz-storage-class:REDUCED_REDUNDANCY\n"
        "\n"
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class\n"
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "cee3fed04b70f867d036f722359b0b1f2f0e5dc0efadbc082b76c4c60e316455",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    ),
    "PUT Object in chunks with trailers": Example(
        "PUT",
        b"/examplebucket/chunkObject.txt",
        b"",
        {
            "content-encoding": "aws-chunked",
            "host": "s3.amazonaws.com",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "x-amz-date": TIMESTAMP,
            "x-amz-decoded-content-length": "66560",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-trailer": "x-amz-checksum-crc32c",
        },
        "PUT\n"
        "/examplebucket/chunkObject.txt\n"
        "\n"
        "content-encoding:aws-chunked\n"
        "host:s3.amazonaws.com\n"
        "x-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\n"
        "x-amz-date:20130524T000000Z\n"
        "x-amz-decoded-content-length:66560\n"
        "x-amz-storage-class:REDUCED_REDUNDANCY\n"
        "x-amz-trailer:x-amz-checksum-crc32c\n"
        "\n"
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer\n"
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "44d48b8c2f70eae815a0198cc73d7a546a73a93359c070abbaa5e6c7de112559",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_s3_example_in_the_authorization_header(example: Example) -> None:
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{SCOPE},"
        f"SignedHeaders={';'.join(example.headers)},Signature={example.signature}"
    )
    headers = [(name.encode(), value.encode()) for name, value in {**example.headers, "authorization": authorization}.items()]

    claim = parse(example.method, example.path, example.query, headers)

    assert claim is not None
    assert (claim.access_key, claim.scope, claim.presigned) == ("AKIAIOSFODNN7EXAMPLE", SCOPE, False)
    assert claim.canonical_requests[0].decode() == example.canonical_request
    text = keys.string_to_sign(claim.timestamp, claim.scope, claim.canonical_requests[0])
    assert text == f"AWS4-HMAC-SHA256\n{TIMESTAMP}\n{SCOPE}\n{example.hashed}"
    assert keys.signature(keys.signing_key(SECRET, "20130524", "us-east-1"), text) == example.signature
    assert verify(claim, SECRET, NOW, keys.KeyRing()).claim is claim


def test_s3_example_in_the_query() -> None:
    asked = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    )
    signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

    claim = parse(
        "GET", b"/test.txt", f"{asked}&X-Amz-Signature={signature}".encode(), [(b"host", b"examplebucket.s3.amazonaws.com")]
    )

    assert claim is not None
    assert (claim.presigned, claim.payload) == (True, "UNSIGNED-PAYLOAD")
    assert claim.expires_at == claim.signed_at + timedelta(days=1)
    assert claim.canonical_requests[0].decode() == (
        f"GET\n/test.txt\n{asked}\nhost:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD"
    )
    text = keys.string_to_sign(claim.timestamp, claim.scope, claim.canonical_requests[0])
    assert text == (f"AWS4-HMAC-SHA256\n{TIMESTAMP}\n{SCOPE}\n3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04")
    assert verify(claim, SECRET, NOW, keys.KeyRing()).claim is claim


def test_s3_example_of_chunk_signatures() -> None:
    chain = ChunkChain(
        keys.signing_key(SECRET, "20130524", "us-east-1"), TIMESTAMP, SCOPE, EXAMPLES["PUT Object in chunks"].signature
    )
    assert chain.chunk(sha256(b"a" * 65536).hexdigest()) == "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
    assert chain.chunk(sha256(b"a" * 1024).hexdigest()) == "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
    assert chain.chunk(EMPTY) == "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"


def test_s3_example_of_a_trailer_signature() -> None:
    seed = EXAMPLES["PUT Object in chunks with trailers"].signature
    chain = ChunkChain(keys.signing_key(SECRET, "20130524", "us-east-1"), TIMESTAMP, SCOPE, seed)
    assert chain.chunk(sha256(b"a" * 65536).hexdigest()) == "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
    assert chain.chunk(sha256(b"a" * 1024).hexdigest()) == "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
    assert chain.chunk(EMPTY) == "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
    trailers = sha256(b"x-amz-checksum-crc32c:sOO8/Q==\n").hexdigest()
    assert chain.trailer(trailers) == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


UNRESERVED = b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUITE: dict[str, tuple[str, bytes, bytes, list[tuple[bytes, bytes]], str]] = {
    "get-vanilla": ("GET", b"/", b"", [], "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"),
    "get-header-key-duplicate": (
        "GET",
        b"/",
        b"",
        [(b"my-header1", b"value2"), (b"my-header1", b"value2"), (b"my-header1", b"value1")],
        "dc7f04a3abfde8d472b0ab1a418b741b7c67174dad1551b4117b15527fbe966c",
    ),
    "get-header-value-order": (
        "GET",
        b"/",
        b"",
        [(b"my-header1", b"value4"), (b"my-header1", b"value1"), (b"my-header1", b"value3"), (b"my-header1", b"value2")],
        "31ce73cd3f3d9f66977ad3dd957dc47af14df92fcd8509f59b349e9137c58b86",
    ),
    "get-header-value-trim": (
        "GET",
        b"/",
        b"",
        [(b"my-header1", b" value1"), (b"my-header2", b' "a   b   c"')],
        "a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7",
    ),
    "get-unreserved": ("GET", b"/" + UNRESERVED, b"", [], "6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9"),
    "get-utf8": ("GET", "/ሴ".encode(), b"", [], "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102"),
    "get-space": ("GET", b"/example space/", b"", [], "63ee75631ed7234ae61b5f736dfc7754cdccfedbff4b5128a915706ee9390d86"),
    "get-vanilla-empty-query-key": (
        "GET",
        b"/",
        b"Param1=value1",
        [],
        "1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab",
    ),
    "get-vanilla-query-order-encoded": (
        "GET",
        b"/",
        b"Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        [],
        "868294f5c38bd141c4972a373a76654f1418a8e4fc18b2e7903ae45e8ae0ec71",
    ),
    "get-vanilla-query-order-key": (
        "GET",
        b"/",
        b"Param1=value2&Param1=Value1",
        [],
        "704b4cef673542d84cdff252633f065e8daeba5f168b77116f8b1bcaf3d38f89",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        b"/",
        b"Param2=value2&Param1=value1",
        [],
        "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
    ),
    "get-vanilla-query-order-value": (
        "GET",
        b"/",
        b"Param1=value2&Param1=value1",
        [],
        "c968629d70850097a2d8781c9bf7edcb988b04cac14cca9be4acc3595f884606",
    ),
    "get-vanilla-query-unreserved": (
        "GET",
        b"/",
        UNRESERVED + b"=" + UNRESERVED,
        [],
        "c30d4703d9f799439be92736156d47ccfb2d879ddf56f5befa6d1d6aab979177",
    ),
    "get-vanilla-utf8-query": (
        "GET",
        b"/",
        "ሴ=bar".encode(),
        [],
        "eb30c5bed55734080471a834cc727ae56beb50e5f39d1bff6d0d38cb192a7073",
    ),
    "post-header-value-case": (
        "POST",
        b"/",
        b"",
        [(b"my-header1", b"VALUE1")],
        "d51ced243e649e3de6ef63afbbdcbca03131a21a7103a1583706a64618606a93",
    ),
}


@pytest.mark.parametrize("case", SUITE.values(), ids=SUITE.keys())
def test_suite_of_aws(case: tuple[str, bytes, bytes, list[tuple[bytes, bytes]], str]) -> None:
    method, path, query, headers, expected = case
    folded = canonical.fold_headers(
        [(b"host", b"example.amazonaws.com"), *headers, (b"x-amz-date", b"20150830T123600Z")],
    )
    signed = canonical.signed_part(folded, tuple(sorted(folded)), EMPTY)
    request = canonical.canonical_request(method, canonical.path_forms(path)[0], canonical.query_forms(query)[0], signed)
    assert keys.string_to_sign("20150830T123600Z", "20150830/us-east-1/service/aws4_request", request) == (
        f"AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n{expected}"
    )
