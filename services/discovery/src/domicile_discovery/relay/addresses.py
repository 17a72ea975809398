"""Where the relay may connect to. Pure.

A URL is read in one strict way, and whatever another reader might read differently is refused: that is how a check and a connection come
to mean two things. Then each address that its name has is compared with the networks below; the connection is made to the very address
that was compared, so that a name that changes its mind in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple

from domicile_common.errors import RequestError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAXIMUM_URL = 8192  # characters
_PORTS = {"http": 80, "https": 443}
# scheme, host, port, path, query; nothing but visible ASCII, no user part, no backslash, no fragment, no encoded host.
_URL = re.compile(r"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[!-~]*)").fullmatch
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch
# The last label of a number in any notation: such a host is an address to some readers (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*").fullmatch
_LONGEST_NAME = 253

# https://www.iana.org/assignments/iana-ipv4-special-registry/ and two more: multicast, and what a cloud's machines are served from.
_FORBIDDEN_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's wire server
    )
)  # fmt: skip
# Of IPv6, only what is routed in public, without what carries an IPv4 address inside or is set apart.
# https://www.iana.org/assignments/iana-ipv6-special-registry/
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_6 = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class Target(NamedTuple):
    """``host``: a name in lower case, or an address without brackets. ``path``, ``query``: as they came, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def raw(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def refuse(why: str) -> RequestError:
    return RequestError("RelayRefused", why)


def parse_target(url: str) -> Target:
    """Raises ``RequestError`` ``RelayRefused``, which does not quote the URL: it holds a signature."""
    match = _URL(url) if len(url) <= MAXIMUM_URL else None
    if match is None or "\\" in url or "#" in url:
        raise refuse("The URL must be http(s)://host[:port]/path?query in visible ASCII, without a user part or a fragment.")
    scheme, host, port, rest = match.groups()
    path, _, query = rest.partition("?")
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number < 1 << 16:
        raise refuse("The port is no port.")
    return Target(scheme, _host(host.lower()), number, path, query)


def _host(host: str) -> str:
    if host.startswith("["):
        return str(_literal(host[1:-1], ipaddress.IPv6Address))
    if _NUMBER(host.rpartition(".")[2]):
        return str(_literal(host, ipaddress.IPv4Address))
    if len(host) > _LONGEST_NAME or not all(map(_LABEL, host.split("."))):
        raise refuse("The host is not a name of letters, digits, hyphens and dots.")
    return host


def _literal(text: str, kind: type[Address]) -> Address:
    try:
        return kind(text)
    except ValueError:
        raise refuse("The host is an address in a notation that is not the usual one.") from None


def check_target(target: Target, *, allowed: Collection[str], catalogue: Collection[str]) -> None:
    """What can be said before the name is looked up.

    ``allowed``: origins that the operator allows by name, whatever they are. ``catalogue``: origins that may use their own ports.
    """
    if target.origin in allowed:
        return
    if target.scheme != "https":
        raise refuse("Only https is relayed.")
    if target.port != _PORTS["https"] and target.origin not in catalogue:
        raise refuse("This port is not relayed to.")
    if "." not in target.host and ":" not in target.host:
        raise refuse("The host is a name without a domain.")


def check_address(address: str) -> None:
    """Raises ``RequestError`` ``RelayRefused`` unless it is an address of the public internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise refuse("The host has an address that cannot be read.") from None
    if not is_public(parsed):
        raise refuse("The host has an address that is not public.")


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _FORBIDDEN_4)
    return address.scope_id is None and address in _PUBLIC_6 and not any(address in network for network in _FORBIDDEN_6)
