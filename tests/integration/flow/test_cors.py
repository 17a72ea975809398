"""Which web pages may use a bucket: configuration, preflight, actual answers, and what caches are told."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.servers

VARY = {"origin", "access-control-request-headers", "access-control-request-method"}
SHOP, PARTNER = "https://shop.example", "https://eu.partner.example"


def rule(**parts: str | list[str]) -> str:
    rows = [(name, value) for name, values in parts.items() for value in ([values] if isinstance(values, str) else values)]
    return f"<CORSRule>{''.join(f'<{name}>{value}</{name}>' for name, value in rows)}</CORSRule>"


RULES = (
    rule(AllowedOrigin=SHOP, AllowedMethod=["GET", "PUT"], AllowedHeader="x-amz-*", ExposeHeader=["ETag", "x-amz-request-id"], MaxAgeSeconds="60")
    + rule(AllowedOrigin="https://*.partner.example", AllowedMethod="GET")
    + rule(AllowedOrigin="*", AllowedMethod="HEAD")
)  # fmt: skip


def document(rules: str) -> bytes:
    return f"<CORSConfiguration>{rules}</CORSConfiguration>".encode()


@pytest.fixture
def raw(domicile):
    return domicile.raw()


@pytest.fixture
def shared(raw, bucket) -> str:
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    assert raw.send("PUT", f"/{bucket}?cors", document(RULES)).status == 200
    return bucket


def cors_of(answer) -> dict[str, str]:
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)}


def varies(answer) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get("vary", "").split(",")}


def preflight(raw, target: str, origin: str, method: str, headers: str = ""):
    asked = {"origin": origin, "access-control-request-method": method}
    return raw.unsigned("OPTIONS", target, headers=asked | ({"access-control-request-headers": headers} if headers else {}))


def test_the_configuration_is_kept_as_it_was_given(raw, bucket):
    assert raw.send("GET", f"/{bucket}?cors").code == "NoSuchCORSConfiguration"
    assert raw.send("PUT", f"/{bucket}?cors", document(RULES)).status == 200
    assert RULES.encode() in raw.send("GET", f"/{bucket}?cors").body
    assert raw.send("DELETE", f"/{bucket}?cors").status == 204
    assert raw.send("GET", f"/{bucket}?cors").code == "NoSuchCORSConfiguration"


GET_ALL = {"AllowedOrigin": "*", "AllowedMethod": "GET"}
REFUSED = {
    "": "MalformedXML",
    rule(AllowedOrigin="*"): "MalformedXML",
    rule(AllowedMethod="GET"): "MalformedXML",
    rule(**GET_ALL, More="x"): "MalformedXML",
    rule(**GET_ALL, MaxAgeSeconds="soon"): "MalformedXML",
    rule(**GET_ALL, MaxAgeSeconds=["1", "2"]): "MalformedXML",
    rule(**GET_ALL, ID="x" * 256): "MalformedXML",
    rule(**GET_ALL) * 101: "MalformedXML",
    rule(AllowedOrigin="*", AllowedMethod="PATCH"): "InvalidRequest",
    rule(AllowedOrigin="https://*.*", AllowedMethod="GET"): "InvalidRequest",
    rule(**GET_ALL, AllowedHeader="x-*-*"): "InvalidRequest",
    rule(**GET_ALL, ExposeHeader="x-*"): "InvalidRequest",
    rule(**GET_ALL, ExposeHeader="ETag&#13;&#10;Set-Cookie: a=b"): "InvalidRequest",
    rule(**GET_ALL, ExposeHeader="schön"): "InvalidRequest",
    rule(**GET_ALL, AllowedHeader="a b"): "InvalidRequest",
}


def test_a_configuration_that_cannot_be(raw, bucket):
    answers = {rules: raw.send("PUT", f"/{bucket}?cors", document(rules)).code for rules in REFUSED}
    assert answers == REFUSED
    assert raw.send("PUT", f"/{bucket}?cors").code == "MissingRequestBodyError"
    assert raw.send("GET", f"/{bucket}?cors").code == "NoSuchCORSConfiguration"


@pytest.mark.parametrize("path", ["", "/k", "/not/there"])
def test_a_preflight(raw, shared, path):
    answer = preflight(raw, f"/{shared}{path}", SHOP, "PUT", "X-Amz-Meta-A, x-amz-date")
    assert (answer.status, answer.body) == (200, b"")
    assert cors_of(answer) == {
        "allow-origin": SHOP,
        "allow-methods": "GET, PUT",
        "allow-headers": "X-Amz-Meta-A, x-amz-date",
        "allow-credentials": "true",
        "expose-headers": "ETag, x-amz-request-id",
        "max-age": "60",
    }
    assert varies(answer) >= VARY


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ((SHOP, "PUT", ""), SHOP),
        ((SHOP, "DELETE", ""), ""),
        ((SHOP, "PUT", "content-type"), ""),
        ((SHOP, "PUT", "x-amz-date,authorization"), ""),
        ((SHOP.upper(), "PUT", ""), ""),
        ((f"{SHOP}.evil.example", "GET", ""), ""),
        ((PARTNER, "GET", ""), PARTNER),
        ((PARTNER, "PUT", ""), ""),
        (("https://partner.example", "GET", ""), ""),
        (("https://.partner.example", "GET", ""), "https://.partner.example"),
        (("https://nobody.example", "HEAD", ""), "*"),
        (("null", "HEAD", ""), "*"),
        (("null", "GET", ""), ""),
    ],
)
def test_which_preflights_pass(raw, shared, asked, allowed):
    answer = preflight(raw, f"/{shared}/k", *asked)
    assert cors_of(answer).get("allow-origin", "") == allowed
    assert (answer.status, answer.code) == ((200, "") if allowed else (403, "AccessForbidden"))
    assert ("allow-credentials" in cors_of(answer)) == (allowed not in ("", "*"))


def test_a_preflight_that_asks_for_nothing(raw, shared):
    for headers in ({}, {"origin": SHOP}, {"access-control-request-method": "GET"}):
        assert raw.unsigned("OPTIONS", f"/{shared}/k", headers=headers).code == "BadRequest"


def test_without_rules_no_preflight_tells_whether_there_is_a_bucket(raw, bucket):
    there, not_there = (preflight(raw, f"/{name}/k", SHOP, "GET") for name in (bucket, "no-such-bucket-anywhere"))
    assert (there.status, there.code, sorted(there.headers)) == (not_there.status, not_there.code, sorted(not_there.headers))
    assert there.code == "AccessForbidden"


def test_actual_answers(raw, shared):
    allowed = raw.send("GET", f"/{shared}/k", headers={"origin": SHOP})
    assert (allowed.body, cors_of(allowed)["allow-origin"]) == (b"1", SHOP)
    assert cors_of(allowed)["expose-headers"] == "ETag, x-amz-request-id"
    assert cors_of(raw.send("PUT", f"/{shared}/k", b"1", {"origin": SHOP}))["allow-origin"] == SHOP
    assert cors_of(raw.send("GET", f"/{shared}/k", headers={"origin": PARTNER}))["allow-origin"] == PARTNER
    assert cors_of(raw.send("HEAD", f"/{shared}/k", headers={"origin": "https://nobody.example"})) == {
        "allow-origin": "*",
        "allow-methods": "HEAD",
    }
    for method, headers in (("GET", {}), ("DELETE", {"origin": SHOP}), ("GET", {"origin": "https://nobody.example"})):
        assert cors_of(raw.send(method, f"/{shared}/k", headers=headers)) == {}


def test_errors_can_be_read_as_well(raw, shared):
    """Of those who are known: a page has to see why it was refused."""
    for answer in (
        raw.send("GET", f"/{shared}/nothing", headers={"origin": SHOP}),
        raw.send("GET", f"/{shared}/k", headers={"origin": SHOP, "range": "bytes=9-"}),
    ):
        assert answer.status >= 400
        assert cors_of(answer)["allow-origin"] == SHOP


def test_every_answer_of_such_a_bucket_tells_caches_what_it_depends_on(raw, shared, domicile):
    """Else a cache gives one page the answer that another page got, or one that came without an Origin."""
    for headers in ({}, {"origin": SHOP}, {"origin": "https://nobody.example"}):
        assert varies(raw.send("GET", f"/{shared}/k", headers=headers)) >= VARY
    other = domicile.new_bucket()
    assert "vary" not in raw.send("GET", f"/{other}", headers={"origin": SHOP}).headers


def test_the_rules_of_a_namesake_open_no_answer(domicile, raw, bucket):
    """A preflight does not say whose bucket is meant; the answer itself goes by the rules of the bucket it comes from."""
    two = domicile.raw("two")
    assert two.send("PUT", f"/{bucket}").status == 200
    assert two.send("PUT", f"/{bucket}?cors", document(rule(**GET_ALL))).status == 200
    assert preflight(raw, f"/{bucket}", SHOP, "GET").status == 200
    assert cors_of(raw.send("GET", f"/{bucket}", headers={"origin": SHOP})) == {}
    assert cors_of(two.send("GET", f"/{bucket}", headers={"origin": SHOP}))["allow-origin"] == "*"


def test_by_host_name(raw, shared):
    headers = {"host": f"{shared}.s3.test", "origin": SHOP, "access-control-request-method": "GET"}
    assert cors_of(raw.unsigned("OPTIONS", "/k", headers=headers))["allow-origin"] == SHOP
