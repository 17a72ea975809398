"""Verification against botocore's signer, against tampering and against nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.sigv4.canonical import encode_query
from domicile_common.sigv4.claim import Claim
from domicile_common.sigv4.keys import KeyRing, timestamp
from domicile_common.sigv4.sign import Signer
from domicile_common.sigv4.verify import parse, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
RING = KeyRing()
Headers = list[tuple[bytes, bytes]]

keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
# X-Amz-… are the signer's own.
queries = st.dictionaries(keys.filter(lambda name: not name.startswith("X-Amz-")), keys, max_size=3)
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@pytest.fixture(scope="module", autouse=True)
def _frozen_botocore():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: NOW)
        yield


def wire(request: AWSRequest) -> tuple[str, bytes, bytes, Headers]:
    url = urlsplit(request.url)
    headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    return request.method, url.path.encode(), url.query.encode(), [(b"host", url.netloc.encode()), *headers]


def check(method: str, path: bytes, query: bytes, headers: Headers, *, now: datetime = NOW, secret: str = SECRET) -> Claim:
    claim = parse(method, path, query, headers)
    assert claim is not None
    if claim.access_key != KEY:
        raise RequestError("InvalidAccessKeyId")
    return verify(claim, secret, now, RING).claim


def code_of(method: str, path: bytes, query: bytes, headers: Headers, *, now: datetime = NOW, secret: str = SECRET) -> str:
    with pytest.raises(RequestError) as caught:
        check(method, path, query, headers, now=now, secret=secret)
    return caught.value.code


def signed(method: str = "GET", path: str = "/b/k", query: str = "", headers: Mapping[str, str] | None = None) -> Headers:
    given = {"host": "s3.example", **(headers or {})}
    added = Signer(KEY, SECRET, "fi").sign(method, path, query, given, payload="UNSIGNED-PAYLOAD", now=NOW)
    return [(name.encode(), value.encode("latin-1")) for name, value in {**given, **added}.items()]


@given(
    key=keys,
    query=queries,
    metadata=st.lists(header_values, max_size=3),
    body=st.binary(max_size=9),
)
def test_what_botocore_signs_in_the_header_is_believed(key: str, query: dict[str, str], metadata: list[str], body: bytes) -> None:
    url = f"https://s3.example/bucket/{percent_encode(key, safe='/~')}?{encode_query(query.items())}"
    request = AWSRequest("PUT", url, HTTPHeaders(), data=body)
    for value in metadata:
        request.headers.add_header("x-amz-meta-repeated", value)
    auth.S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-north-1").add_auth(request)
    claim = check(*wire(request))
    assert (claim.access_key, claim.region, claim.signed_at) == (KEY, "eu-north-1", NOW)


@given(key=keys, query=queries)
def test_what_botocore_presigns_is_believed(key: str, query: dict[str, str]) -> None:
    url = f"https://s3.example/bucket/{percent_encode(key, safe='/~')}?{encode_query(query.items())}"
    request = AWSRequest("GET", url, HTTPHeaders())
    auth.S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", "eu-north-1", expires=60).add_auth(request)
    claim = check(*wire(request))
    assert (claim.expires_at, claim.payload) == (NOW + timedelta(seconds=60), "UNSIGNED-PAYLOAD")


@given(key=keys, query=queries, value=header_values)
def test_signs_as_botocore_does(key: str, query: dict[str, str], value: str) -> None:
    path, asked = "/bucket/" + percent_encode(key, safe="/~"), encode_query(query.items())
    request = AWSRequest("GET", f"https://s3.example{path}?{asked}", HTTPHeaders())
    request.headers["x-amz-meta-a"] = value
    auth.S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-north-1").add_auth(request)

    added = Signer(KEY, SECRET, "eu-north-1").sign(
        "GET",
        path,
        asked,
        {"host": "s3.example", "x-amz-meta-a": value},
        payload=request.headers["X-Amz-Content-SHA256"],
        now=NOW,
    )

    assert added["authorization"] == request.headers["Authorization"]
    assert added["x-amz-date"] == request.headers["X-Amz-Date"]


@given(key=keys, query=queries)
def test_believes_what_it_presigned(key: str, query: dict[str, str]) -> None:
    path = "/" + percent_encode(key, safe="/~")
    asked = Signer(KEY, SECRET, "fi").presign("PUT", path, encode_query(query.items()), {"host": "h"}, expires=5, now=NOW)
    assert check("PUT", path.encode(), asked.encode(), [(b"host", b"h")]).expires_at == NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    "sent", ["/b/a+b@c:d~(e)'f", "/b/a%2Bb", "/b/a%2fb", "/b/a%2Fb", "/b//../.", "/b/%7e", "/b/a%20b", "/b/%zz"]
)
def test_a_path_signed_as_sent_is_believed(sent: str) -> None:
    check("GET", sent.encode(), b"", signed(path=sent))


def test_a_path_left_unencoded_but_signed_encoded_is_believed() -> None:
    check("GET", b"/b/a+b@c", b"", signed(path="/b/a%2Bb%40c"))


def test_a_space_sent_as_plus_in_the_query_is_believed() -> None:
    check("GET", b"/b", b"prefix=a+b", signed(path="/b", query="prefix=a%20b"))
    assert code_of("GET", b"/b", b"prefix=a+b", signed(path="/b", query="prefix=a%2Bb")) == "SignatureDoesNotMatch"


def test_anonymous_requests_claim_nothing() -> None:
    assert parse("GET", b"/b/k", b"versions&prefix=X-Amz-Signature", [(b"host", b"h")]) is None


def test_the_date_header_may_stand_in_for_x_amz_date() -> None:
    for date in ("Tue, 03 Feb 2026 04:05:06 GMT", "20260203T040506Z"):
        headers = {"host": "s3.example", "date": date}
        signer = Signer(KEY, SECRET, "fi")
        names = "date;host;x-amz-content-sha256"
        signature, _ = signer._signature(
            "GET",
            "/",
            "",
            {**headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
            payload="UNSIGNED-PAYLOAD",
            timestamp="20260203T040506Z",
        )
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={KEY}/20260203/fi/s3/aws4_request, SignedHeaders={names}, Signature={signature}"
        )
        wired = {**headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "authorization": authorization}
        assert check("GET", b"/", b"", [(n.encode(), v.encode()) for n, v in wired.items()]).signed_at == NOW


@pytest.mark.parametrize(
    "method, path, query",
    [("PUT", b"/b/k", b""), ("GET", b"/b/K", b""), ("GET", b"/b/k", b"acl"), ("GET", b"/b/k/", b""), ("GET", b"/b//k", b"")],
)
def test_another_request_with_the_same_signature_is_refused(method: str, path: bytes, query: bytes) -> None:
    check("GET", b"/b/k", b"", signed())
    assert code_of(method, path, query, signed()) == "SignatureDoesNotMatch"


def test_another_secret_is_refused() -> None:
    assert code_of("GET", b"/b/k", b"", signed(), secret="other") == "SignatureDoesNotMatch"


def test_whoever_signs_something_else_is_told_what_it_should_have_been() -> None:
    with pytest.raises(RequestError) as caught:
        check("GET", b"/b/a+b", b"acl", signed(path="/b/other", query="acl="))
    request, text = caught.value.detail["CanonicalRequest"], caught.value.detail["StringToSign"]
    assert request.startswith("GET\n/b/a%2Bb\nacl=\nhost:s3.example\n")
    assert text.splitlines() == [
        "AWS4-HMAC-SHA256",
        "20260203T040506Z",
        "20260203/fi/s3/aws4_request",
        sha256(request.encode()).hexdigest(),
    ]


@given(st.data())
def test_any_changed_byte_of_a_signed_header_is_refused(data: st.DataObject) -> None:
    headers = signed(headers={"x-amz-meta-a": "value", "range": "bytes=0-9"})
    index = data.draw(st.integers(0, len(headers) - 1))
    name, value = headers[index]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.integers(0x21, 0x7E).filter(lambda byte: byte != value[at]))
    headers[index] = (name, value[:at] + bytes([other]) + value[at + 1 :])
    code_of("GET", b"/b/k", b"", headers)


@given(st.data())
def test_any_changed_byte_of_a_presigned_url_is_refused(data: st.DataObject) -> None:
    asked = Signer(KEY, SECRET, "fi").presign("GET", "/b/k", "partNumber=1", {"host": "h"}, expires=5, now=NOW).encode()
    at = data.draw(st.integers(0, len(asked) - 1))
    other = data.draw(st.integers(0x21, 0x7E).filter(lambda byte: byte != asked[at]))
    try:
        claim = parse("GET", b"/b/k", asked[:at] + bytes([other]) + asked[at + 1 :], [(b"host", b"h")])
        if claim is not None:
            verify(claim, SECRET, NOW, RING)
    except RequestError:
        return
    # The name of a parameter became another one's, or an escape's hex digit changed its case: the latter means the same.
    assert claim is None or asked[at : at + 1].swapcase() == bytes([other])


@pytest.mark.parametrize("minutes, good", [(15, True), (-15, True), (16, False), (-16, False)])
def test_the_clock_may_be_wrong_by_fifteen_minutes(minutes: int, good: bool) -> None:
    now = NOW + timedelta(minutes=minutes)
    if good:
        check("GET", b"/b/k", b"", signed(), now=now)
    else:
        assert code_of("GET", b"/b/k", b"", signed(), now=now) == "RequestTimeTooSkewed"


def presigned(expires: int = 60, **changes: str) -> bytes:
    asked = Signer(KEY, SECRET, "fi").presign("GET", "/b/k", "", {"host": "h"}, expires=expires, now=NOW)
    pairs = dict(item.split("=") for item in asked.split("&"))
    for name, value in changes.items():
        pairs["X-Amz-" + name.replace("_", "-")] = value
    return "&".join(f"{name}={value}" for name, value in pairs.items() if value).encode()


def test_a_presigned_url_expires() -> None:
    host = [(b"host", b"h")]
    check("GET", b"/b/k", presigned(), host, now=NOW + timedelta(seconds=60))
    check("GET", b"/b/k", presigned(expires=604800), host, now=NOW + timedelta(days=6))
    assert code_of("GET", b"/b/k", presigned(), host, now=NOW + timedelta(seconds=61)) == "AccessDenied"
    assert code_of("GET", b"/b/k", presigned(), host, now=NOW - timedelta(minutes=16)) == "AccessDenied"


@pytest.mark.parametrize(
    "changes",
    [
        {"Expires": "604801"},
        {"Expires": "-1"},
        {"Expires": "soon"},
        {"Expires": "1_0"},
        {"Expires": ""},
        {"Algorithm": "AWS4-ECDSA-P256-SHA256"},
        {"Credential": "AKIA"},
        {"Credential": f"{KEY}%2F20260203%2Ffi%2Fec2%2Faws4_request"},
        {"Credential": f"{KEY}%2F20260204%2Ffi%2Fs3%2Faws4_request"},
        {"Date": "20260203"},
        {"Date": "20261303T040506Z"},
        {"Date": "99991231T235959Z", "Credential": f"{KEY}%2F99991231%2Ffi%2Fs3%2Faws4_request"},
        {"SignedHeaders": "host:x"},
        {"Signature": ""},
    ],
)
def test_malformed_presigned_urls(changes: dict[str, str]) -> None:
    assert code_of("GET", b"/b/k", presigned(**changes), [(b"host", b"h")]) == "AuthorizationQueryParametersError"


def test_a_presigned_url_may_not_name_a_parameter_twice() -> None:
    query = presigned() + b"&X-Amz-Expires=5"
    assert code_of("GET", b"/b/k", query, [(b"host", b"h")]) == "AuthorizationQueryParametersError"


def test_a_presigned_url_may_sign_the_payload() -> None:
    digest = "0" * 64
    asked = Signer(KEY, SECRET, "fi").presign("PUT", "/k", f"X-Amz-Content-Sha256={digest}", {"host": "h"}, expires=5, now=NOW)
    claim = parse("PUT", b"/k", asked.encode(), [(b"host", b"h")])
    assert claim is not None
    assert claim.payload == digest


def test_a_location_of_several_countries_may_be_the_region() -> None:
    credential = f"Credential={KEY}/20260203/FI,DE/s3/aws4_request".encode()
    rest = b"SignedHeaders=host;x-amz-content-sha256;x-amz-date"
    for value in (credential + b", " + rest + b", Signature=00", b"Signature=00," + rest + b"," + credential):
        claim = parse("GET", b"/b/k", b"", edited(b"authorization", b"AWS4-HMAC-SHA256 " + value))
        assert claim is not None
        assert (claim.region, claim.signature) == ("FI,DE", "00")


def edited(name: bytes, value: bytes | None) -> Headers:
    return [(n, v) for n, v in signed() if n != name] + ([] if value is None else [(name, value)])


CREDENTIAL = f"Credential={KEY}/20260203/fi/s3/aws4_request".encode()


@pytest.mark.parametrize(
    "headers, code",
    [
        (edited(b"authorization", b"AWS AKIA:abc="), "InvalidRequest"),
        (edited(b"authorization", b"Bearer abc"), "InvalidArgument"),
        (edited(b"authorization", b""), "InvalidArgument"),
        (edited(b"authorization", b"AWS4-HMAC-SHA256 "), "InvalidArgument"),
        (edited(b"authorization", b"AWS4-HMAC-SHA256 " + CREDENTIAL), "AuthorizationHeaderMalformed"),
        (edited(b"authorization", b"AWS4-HMAC-SHA256 " + CREDENTIAL * 2), "AuthorizationHeaderMalformed"),
        (
            edited(b"authorization", b"AWS4-HMAC-SHA256 Credential=AK/20260203/fi/s3, SignedHeaders=host, Signature=00"),
            "AuthorizationHeaderMalformed",
        ),
        (
            edited(
                b"authorization", b"AWS4-HMAC-SHA256 Credential=AK/20260204/fi/s3/aws4_request, SignedHeaders=host, Signature=00"
            ),
            "AuthorizationHeaderMalformed",
        ),
        (
            edited(
                b"authorization", b"AWS4-HMAC-SHA256 Credential=AK/20260203/fi/s3/aws5_request, SignedHeaders=host, Signature=00"
            ),
            "AuthorizationHeaderMalformed",
        ),
        (edited(b"authorization", b"AWS4-HMAC-SHA256 " + CREDENTIAL + b", SignedHeaders=host, Signature=00"), "AccessDenied"),
        (
            edited(b"authorization", b"AWS4-HMAC-SHA256 " + CREDENTIAL + b", SignedHeaders=x-amz-date, Signature=00"),
            "AccessDenied",
        ),
        (
            edited(b"authorization", b"AWS4-HMAC-SHA256 " + CREDENTIAL + b", SignedHeaders=;, Signature=00"),
            "AuthorizationHeaderMalformed",
        ),
        (edited(b"x-amz-date", None), "AccessDenied"),
        (edited(b"x-amz-date", b"Tue, 03 Feb 2026 04:05:06 GMT"), "AccessDenied"),
        (edited(b"x-amz-content-sha256", None), "InvalidRequest"),
        (edited(b"x-amz-content-sha256", b"abc"), "InvalidArgument"),
        ([*signed(), (b"x-amz-acl", b"public-read")], "AccessDenied"),
        ([*signed(), (b"x-amz-security-token", b"t")], "AccessDenied"),
        (signed(headers={"x-amz-security-token": "t"}), "InvalidToken"),
        ([*signed(), (b"authorization", b"AWS4-HMAC-SHA256 x")], "AuthorizationHeaderMalformed"),
    ],
)
def test_malformed_headers(headers: Headers, code: str) -> None:
    assert code_of("GET", b"/b/k", b"", headers) == code


def test_the_unsigned_headers_are_named() -> None:
    with pytest.raises(RequestError) as caught:
        parse("GET", b"/b/k", b"", [*signed(), (b"x-amz-tagging", b"a=b"), (b"x-amz-acl", b"private")])
    assert caught.value.detail == {"HeadersNotSigned": "x-amz-acl, x-amz-tagging"}


def test_two_mechanisms_at_once_are_refused() -> None:
    assert code_of("GET", b"/b/k", presigned(), signed()) == "InvalidArgument"


def test_order_and_spacing_of_the_components_are_free() -> None:
    headers = dict(signed())
    credential, names, signature = headers[b"authorization"].removeprefix(b"AWS4-HMAC-SHA256 ").split(b", ")
    headers[b"authorization"] = b"AWS4-HMAC-SHA256  " + b" ,".join((signature, credential, names))
    check("GET", b"/b/k", b"", list(headers.items()))


def test_neither_secret_nor_key_shows() -> None:
    claim = parse("GET", b"/b/k", b"", signed())
    assert claim is not None
    verified = verify(claim, SECRET, NOW, RING)
    assert verified.key.hex() not in repr(verified)
    assert SECRET not in repr(verified) + repr(Signer(KEY, SECRET, "fi"))
    with pytest.raises(RequestError) as caught:
        verify(claim, "other", NOW, RING)
    shown = f"{caught.value} {caught.value.detail}"
    assert claim.signature not in shown


def test_timestamps() -> None:
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)) == "20260102T030405Z"


fragments = st.lists(
    st.sampled_from(
        [
            *(b"X-Amz-" + name for name in (b"Algorithm", b"Credential", b"Signature", b"Date", b"SignedHeaders", b"Expires")),
            *(b"AWS4-HMAC-SHA256", b"Credential", b"SignedHeaders", b"Signature", b"20260203", b"T040506Z", b"host", b"s3"),
            *(
                b"aws4_request",
                b"UNSIGNED-PAYLOAD",
                b"=",
                b"&",
                b",",
                b" ",
                b"/",
                b";",
                b"%",
                b"%2F",
                b"\xff",
                b"\n",
                b"9" * 20,
                b"",
            ),
            b"Feb, Tue 03 2026 04:05:06 GMT",
        ]
    )
    | st.binary(max_size=3),
    max_size=12,
).map(b"".join)
names = st.sampled_from(
    [b"authorization", b"x-amz-date", b"date", b"host", b"x-amz-content-sha256", b"x-amz-acl", b"x-amz-security-token"]
)


@given(fragments, fragments, st.lists(st.tuples(names, fragments)))
def test_nonsense_is_a_request_error_or_nothing(path: bytes, query: bytes, headers: Headers) -> None:
    try:
        claim = parse("GET", path, query, headers)
        if claim is not None:
            verify(claim, SECRET, NOW, RING)
    except RequestError:
        pass


@given(st.data())
def test_nonsense_in_one_place_is_a_request_error(data: st.DataObject) -> None:
    headers = signed(headers={"range": "bytes=0-9"})
    index = data.draw(st.integers(0, len(headers) - 1))
    headers[index] = (headers[index][0], data.draw(fragments))
    if headers != signed(headers={"range": "bytes=0-9"}):
        try:
            claim = parse("GET", b"/b/k", b"", headers)
            assert claim is None or verify(claim, SECRET, NOW, RING) is None
        except RequestError:
            pass
