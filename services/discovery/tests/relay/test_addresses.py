"""The list of ways in that must stay shut. Each entry is refused before anything is connected to."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.sigv4.sign import Signer
from domicile_discovery.relay.addresses import MAXIMUM_URL, check_address, check_target, is_public, parse_target

PUBLIC = "https://s3.fr-par.scw.cloud/"

# Read differently by different readers, or not what it looks like: refused as text.
MALFORMED = [
    "",
    "s3.example.com",
    "//s3.example.com/",
    "ftp://s3.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "HTTPS://s3.example.com/",
    "https:/s3.example.com/",
    "https:///",
    "https://",
    "https://s3.example.com",  # a path is part of every signed request
    "https://user@s3.example.com/",
    "https://user:password@s3.example.com/",
    "https://s3.example.com@127.0.0.1/",
    "https://s3.example.com%40127.0.0.1/",
    "https://127.0.0.1\\@s3.example.com/",
    "https://s3.example.com\\.evil.example/",
    "https://s3.example.com#@127.0.0.1/",
    "https://s3.example.com/#fragment",
    "https://s3.example.com:443:80/",
    "https://s3.example.com:/",
    "https://s3.example.com:0/",
    "https://s3.example.com:65536/",
    "https://s3.example.com:-1/",
    "https://s3.example.com:4 43/",
    "https://s3.example.com:\u0664\u0664\u0663/",
    "https://s3.example.com /",
    " https://s3.example.com/",
    "https://s3.example.com/\r\nHost: 127.0.0.1",
    "https://s3.example.com\r\nX: y/",
    "https://s3.example.com/a b",
    "https://s3.example.com/\x00",
    "https://s3.example.com/\n",
    "https://s3.example.com/\t",
    "https://s3.example.com\u3002evil.example/",
    "https://\u24de\u24dd\u24d4.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://l\u043ecalhost/",
    "https://stra\u00dfe.example/",
    "https://s3.example.com/\u00e9",
    "https://s3.example.com./",
    "https://.s3.example.com/",
    "https://s3..example.com/",
    "https://-s3.example.com/",
    "https://s3-.example.com/",
    "https://s3_a.example.com/",
    "https://*.example.com/",
    "https://%31%32%37.0.0.1/",
    f"https://{'a' * 64}.example.com/",
    f"https://{'a.' * 130}example.com/",
    "https://[::1/",
    "https://::1/",
    "https://[::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.x]/",
    "https://[127.0.0.1]/",
    # Addresses in notations that only some readers know.
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://127.0.0.256/",
    "https://1.2.3.4.5/",
    "https://0x/",
    "https://s3.example.0x7f/",
    "https://10.0.0.1e1/".replace("1e1", "011"),
    f"https://s3.example.com/{'a' * MAXIMUM_URL}",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_what_can_be_read_in_two_ways_is_refused(url):
    with pytest.raises(RequestError) as refused:
        parse_target(url)
    assert refused.value.code == "RelayRefused"
    assert "example" not in refused.value.message


# One of each range, and its ends.
PRIVATE = [
    str(ipaddress.IPv4Address(0)),
    "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:7f00:1", "0:0:0:0:0:ffff:a00:1", "::127.0.0.1", "::a00:1", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "2001:20::1", "2002:7f00:1::",
    "2002:a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
    "4000::1",
]  # fmt: skip
ROUTED = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "223.255.255.255", "51.15.0.1",
          "2a00:1450:4001:80b::200e", "2001:41d0::1", "2600:1f18::1"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address):
    with pytest.raises(RequestError):
        check_address(address)
    bracketed = f"[{address}]" if ":" in address else address
    assert parse_target(f"https://{bracketed}/").host == str(
        ipaddress.ip_address(address)
    )  # and so it is compared, whatever its form


@pytest.mark.parametrize("address", ROUTED)
def test_a_public_address_is_let_through(address):
    check_address(address)


@pytest.mark.parametrize("address", ["", "x", "1.2.3", "fe80::1%eth0", "2a00::1%1", "127.1", " 8.8.8.8"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(RequestError):
        check_address(address)


@given(st.ip_addresses(v=4))
def test_nothing_is_public_that_the_standard_library_calls_private(address):
    if not address.is_global or address.is_multicast:
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_nothing_is_public_that_the_standard_library_calls_private_in_version_6(address):
    if not address.is_global or address.is_multicast or address.ipv4_mapped or address.sixtofour or address.teredo:
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_no_address_of_version_4_is_let_through_inside_one_of_version_6(address):
    number = int(address)
    for wrapped in (0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, 0x2001 << 112 | number):
        assert not is_public(ipaddress.IPv6Address(wrapped))


NAMELESS = ["https://localhost/", "https://metadata/", "https://seaweedfs/bucket", "https://intranet/"]
OTHER_PORTS = [f"https://s3.example.com:{port}/" for port in (1, 22, 25, 80, 6379, 8080, 8443, 9000, 65535)]


@pytest.mark.parametrize(
    "url", [*NAMELESS, *OTHER_PORTS, "http://s3.example.com/", "http://s3.example.com:443/", "https://8.8.8.8:9000/"]
)
def test_names_without_a_domain_odd_ports_and_plain_http_are_refused(url):
    with pytest.raises(RequestError):
        check_target(parse_target(url), allowed=(), catalogue=())


@pytest.mark.servers  # whatever is asked for, nothing but the loop is needed: sockets are not blocked here, and none is opened
async def test_the_service_refuses_the_list_to_its_last_entry(make_client, monkeypatch):
    """As the page would ask for it, signed, by whoever reaches the page."""

    async def connect(_loop, _protocol, host=None, port=None, **_kwargs):
        raise AssertionError(f"connected to {host}:{port}")

    client, signer = make_client(relay_for="page"), Signer("AKEXAMPLE", "a-made-up-secret-key", "eu-1")
    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.create_connection", connect)
    hosts = [f"[{address}]" if ":" in address else address for address in PRIVATE]
    signed = [signer.presign("GET", "/", "", {"host": host}, expires=60, now=datetime.now(UTC)) for host in hosts]
    private = [f"https://{host}/?{query}" for host, query in zip(hosts, signed, strict=True)]
    for url in [*MALFORMED, *NAMELESS, *OTHER_PORTS, "http://s3.example.com/", *private]:
        answer = await client.post("/api/relay", json={"method": "GET", "url": url})
        assert (answer.status_code, answer.json()["error"]["code"]) in {(400, "RelayRefused"), (400, "InvalidArgument")}, url
        if url in private:
            assert "an address that is not public" in answer.text, url


def test_the_catalogue_may_use_its_ports_and_the_operator_allows_by_name():
    target = parse_target("https://core.fuga.cloud:8080/b")
    check_target(target, allowed=(), catalogue={"https://core.fuga.cloud:8080"})
    check_target(parse_target("http://127.0.0.1:9000/b"), allowed={"http://127.0.0.1:9000"}, catalogue=())
    for url in ("http://127.0.0.1:9001/", "https://127.0.0.1:9000/", "http://127.0.0.1/", "http://localhost:9000/"):
        with pytest.raises(RequestError):
            check_target(parse_target(url), allowed={"http://127.0.0.1:9000"}, catalogue=())


def test_what_is_relayed_is_what_was_signed():
    target = parse_target("https://Bucket.S3.example.com:443/a%2Fb//c/../d?list-type=2&prefix=%20%2B")
    assert (target.host, target.port, target.origin) == ("bucket.s3.example.com", 443, "https://bucket.s3.example.com")
    assert target.raw == "/a%2Fb//c/../d?list-type=2&prefix=%20%2B"


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for url in (text, f"https://{text}/", f"https://s3.example.com/{text}"):
        try:
            target = parse_target(url)
        except RequestError:
            continue
        assert target.raw.isascii()
        assert target.raw.isprintable()
        assert not set(target.host) - set("abcdefghijklmnopqrstuvwxyz0123456789.-:")
