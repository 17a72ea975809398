"""Presigned URLs of version 2: the published example, botocore's signer, and what a holder may not make of such a URL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.sigv4.keys import KeyRing
from domicile_common.sigv4.verify import parse, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2007, 3, 28, 12, tzinfo=UTC)
EXPIRES = 1175139620  # of the example: 2007-03-29
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n&"), min_size=1, max_size=20)


def check(
    method: str, path: str, query: str, headers: dict[str, str] | None = None, *, bucket: str | None = None, now: datetime = NOW
):
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    claim = parse(method, path.encode(), query.encode(), fields, bucket)
    assert claim is not None
    assert claim.access_key == KEY
    return verify(claim, SECRET, now, KeyRing()).claim


def code_of(method: str, path: str, query: str, headers: dict[str, str] | None = None, **more) -> str:
    with pytest.raises(RequestError) as caught:
        check(method, path, query, headers, **more)
    return caught.value.code


def presigned(method: str, url: str, headers: dict[str, str] | None = None) -> tuple[str, str]:
    """Path and query as aws-cli and boto3 make them."""
    request = AWSRequest(method, url, headers or {})
    signer = HmacV1QueryAuth(Credentials(KEY, SECRET), 60)
    signer._get_date = lambda: str(EXPIRES)
    signer.add_auth(request)
    parts = urlsplit(request.url)
    return parts.path, parts.query


def test_the_published_example():
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html, "Query string request authentication alternative"."""
    query = f"AWSAccessKeyId={KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires={EXPIRES}"
    claim = check("GET", "/photos/puppy.jpg", query, bucket="johnsmith")
    assert claim.presigned
    assert (claim.version, claim.signed_at, claim.payload) == ("AWS", None, "UNSIGNED-PAYLOAD")
    assert check("GET", "/johnsmith/photos/puppy.jpg", query)
    assert check("GET", "/johnsmith/photos/puppy.jpg", query.replace("%2B", "+").replace("%3D", "="))
    assert code_of("HEAD", "/johnsmith/photos/puppy.jpg", query) == "SignatureDoesNotMatch"
    assert code_of("GET", "/photos/puppy.jpg", query) == "SignatureDoesNotMatch"  # of the bucket "photos"


@given(texts, texts, texts, st.sampled_from(["GET", "PUT", "DELETE"]))
def test_what_botocore_signs_is_verified(key, version, disposition, method):
    url = f"http://h/b/{quote(key)}?versionId={quote(version)}&response-content-disposition={quote(disposition)}&tagging"
    assert check(method, *presigned(method, url))


def test_a_bucket_is_signed_with_a_slash_or_without():
    _, query = presigned("GET", "http://h/b/?max-keys=1")
    assert check("GET", "/b", query)
    assert check("GET", "/b/", query)
    assert check("GET", "/b", presigned("GET", "http://h/b")[1])
    assert code_of("GET", "/b/k", presigned("GET", "http://h/b/k/")[1]) == "SignatureDoesNotMatch"


def test_headers_that_move_into_the_query():
    headers = {"x-amz-meta-a": "1 + 1", "x-amz-acl": "private", "content-type": "text/x"}
    path, query = presigned("PUT", "http://h/b/k", headers)
    assert check("PUT", path, query, {"content-type": "text/x"})
    assert code_of("PUT", path, query) == "AccessDenied"
    assert code_of("PUT", path, query.replace("private", "public-read"), {"content-type": "text/x"}) == "SignatureDoesNotMatch"
    assert code_of("PUT", path, query, {"content-type": "text/x", "x-amz-acl": "public-read"}) == "SignatureDoesNotMatch"


def test_what_a_holder_may_not_make_of_it():
    path, query = presigned("GET", "http://h/b/k?response-content-type=a&versionId=1")
    assert check("GET", path, query)
    assert check("GET", path, query + "&prefix=a&max-keys=1")  # as at S3
    for more in ("retention", "attributes", "legal-hold=", "x-id=GetObject", "Expires=1", "expires=1", "content-type=a"):
        assert code_of("GET", path, f"{query}&{more}") == "AccessDenied", more
    assert code_of("GET", path, query.replace("&versionId=1", "%26versionId%3D1")) == "AccessDenied"
    assert code_of("GET", path, f"{query}&acl") == "SignatureDoesNotMatch"
    assert code_of("GET", path, query.replace(f"Expires={EXPIRES}", f"Expires={EXPIRES + 1}")) == "SignatureDoesNotMatch"
    assert code_of("GET", path, query, {"x-amz-acl": "private"}) == "SignatureDoesNotMatch"
    assert code_of("GET", "/b/other", query) == "SignatureDoesNotMatch"
    path, query = presigned("PUT", "http://h/b/k", {"x-amz-a": "1", "x-amz-b": "2"})
    assert code_of("PUT", path, query.replace("x-amz-a=1&x-amz-b=2", "x-amz-a=1%0Ax-amz-b%3A2")) == "AccessDenied"


def test_it_ends():
    path, query = presigned("GET", "http://h/b/k")
    end = datetime.fromtimestamp(EXPIRES, UTC)
    assert check("GET", path, query, now=end)
    assert code_of("GET", path, query, now=end + timedelta(seconds=1)) == "AccessDenied"


@pytest.mark.parametrize(
    "query",
    [
        f"AWSAccessKeyId={KEY}&Signature=x",
        f"Signature=x&Expires={EXPIRES}",
        f"AWSAccessKeyId={KEY}&Expires={EXPIRES}",
        f"AWSAccessKeyId={KEY}&Signature=&Expires={EXPIRES}",
        f"AWSAccessKeyId={KEY}&Signature=x&Signature=x&Expires={EXPIRES}",
        f"AWSAccessKeyId={KEY}&Signature=x&Expires=soon",
        f"AWSAccessKeyId={KEY}&Signature=x&Expires=99999999999999999999",
        f"AWSAccessKeyId={KEY}&Signature=x&Expires=-1",
        f"AWSAccessKeyId={KEY}&Signature=x&Expires=%D9%A1",
    ],
)
def test_nonsense_is_refused(query):
    assert code_of("GET", "/b/k", query) == "AccessDenied"


def test_session_tokens_are_refused():
    path, query = presigned("GET", "http://h/b/k", {"x-amz-security-token": "t"})
    assert code_of("GET", path, query) == "InvalidToken"


@given(st.binary(max_size=60), st.binary(max_size=30))
def test_any_query_is_answered(query, path):
    try:
        claim = parse("GET", b"/" + path, b"AWSAccessKeyId=A&Signature=x&Expires=1&" + query.replace(b"#", b""), [])
        assert claim is not None
        verify(claim, SECRET, NOW, KeyRing())
    except RequestError:
        pass
