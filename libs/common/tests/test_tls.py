"""Certificates that are renewed under what uses them. Handshakes in memory, with real certificates."""

from __future__ import annotations

import ssl

import pytest

from domicile_common.errors import ConfigurationError
from domicile_common.testing.authority import Authority
from domicile_common.tls import Caller, Listener


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[str, str]:
    """The serial numbers that server and client see of each other. Raises ``ssl.SSLError``, whoever refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname="localhost"),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown, seen = (end.getpeercert() or {} for end in ends)
    return shown.get("serialNumber", ""), seen.get("serialNumber", "")


def test_a_renewed_certificate_is_shown_by_the_same_context(authority):
    listener = Listener(authority.issue("service"))
    context = listener.context
    before, _ = handshake(context, authority.context())
    authority.issue("service")
    assert handshake(context, authority.context())[0] == before, "nobody has looked yet"
    listener.renew()
    assert listener.context is context
    assert handshake(context, authority.context())[0] not in ("", before)


def test_a_pair_that_does_not_fit_leaves_the_old_one_in_use(authority):
    certificate, key = authority.issue("service")
    listener = Listener((certificate, key))
    before = handshake(listener.context, authority.context())
    other, _ = authority.issue("other")
    authority.write("service.crt", other.read_bytes())
    with pytest.raises(
        ConfigurationError, match=r"^TLS_CERTIFICATE and TLS_KEY are not a certificate and its key: KEY_VALUES_MISMATCH"
    ):
        listener.renew()
    assert handshake(listener.context, authority.context()) == before


def test_nobody_is_let_in_without_a_certificate_of_the_authority(authority, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    listener = Listener(authority.issue("service"), authority.file)
    assert handshake(listener.context, authority.context(authority.issue("client")))[1] != ""
    for shown in (None, stranger.issue("somebody")):
        with pytest.raises(ssl.SSLError):
            handshake(listener.context, authority.context(shown))


def test_old_versions_of_tls_are_not_spoken(authority):
    assert Listener(authority.issue("service")).context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_what_is_no_certificate_is_named_and_not_shown(authority, content):
    _, key = authority.issue("service")
    bad = authority.write("bad", content)
    with pytest.raises(ConfigurationError, match=r"^TLS_CERTIFICATE and TLS_KEY are not") as caught:
        Listener((bad, key))
    assert "not a certificate and its key" in str(caught.value)
    assert str(content) not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"^TLS_CLIENT_CA holds no certificates"):
        Listener(authority.issue("service"), bad)


def test_a_client_that_cannot_renew_keeps_what_it_had():
    answers = [ssl.create_default_context(), ConfigurationError("TLS_CA holds no certificates")]

    def make():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    caller = Caller(make)
    before = caller()
    with pytest.raises(ConfigurationError):
        caller.renew()
    assert caller() is before
