from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_client.certificates import NotGenuineError, verify
from domicile_common.certificates import Signer, canonical

SIGNER = Signer("an example, which signs nothing real")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
CERTIFICATES = st.dictionaries(st.text(), VALUES, min_size=1, max_size=5)

# Published in docs/security.md: whoever writes a verifier of their own compares with these.
VECTOR = {"format": "domicile-erasure-1", "keys": "plain", "removed": [{"key": "a/\u00f6 \u20ac\n", "removal_id": 1}]}
VECTOR_BYTES = '{"format":"domicile-erasure-1","keys":"plain","removed":[{"key":"a/\u00f6 \u20ac\\n","removal_id":1}]}'.encode()
VECTOR_KEY = "1mxD1K71XgPDqMjxOT+tEum73/k+2x1V4R1R2DFosjU="
VECTOR_SIGNATURE = "qvhLzmC/QiMdFL3ucsQ6Vuz/uRccqBoa6lh7bqFu1uDhmAGQD3nOT2jOg/kO1atzee1IVGy5XXrMq5KZ/qypDA=="


def test_the_published_vector():
    assert canonical(VECTOR) == VECTOR_BYTES
    envelope = SIGNER.sign(VECTOR)
    assert envelope["signature"] == {"algorithm": "Ed25519", "public_key": VECTOR_KEY, "value": VECTOR_SIGNATURE}
    assert verify(envelope, VECTOR_KEY) == VECTOR


@given(CERTIFICATES)
def test_what_was_signed_is_genuine(certificate):
    assert verify(SIGNER.sign(certificate), SIGNER.public_key) == certificate


@given(CERTIFICATES, CERTIFICATES)
def test_nothing_else_is(certificate, other):
    envelope = SIGNER.sign(certificate)
    if canonical(other) != canonical(certificate):
        with pytest.raises(NotGenuineError):
            verify({**envelope, "certificate": other}, SIGNER.public_key)
    with pytest.raises(NotGenuineError):
        verify(envelope, Signer("another secret, and so another key").public_key)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("signature"),
        lambda it: it.pop("certificate"),
        lambda it: it["signature"].update(algorithm="none"),
        lambda it: it["signature"].update(value=""),
        lambda it: it["signature"].update(value="?"),
        lambda it: it["signature"].update(value=None),
        lambda it: it.update(certificate="text"),
        lambda it: it.update(signature=[]),
    ],
)
def test_what_is_malformed_is_not_genuine(change):
    envelope = copy.deepcopy(SIGNER.sign(VECTOR))
    change(envelope)
    with pytest.raises(NotGenuineError):
        verify(envelope, SIGNER.public_key)


@pytest.mark.parametrize("envelope", [None, [], "text", 1])
@pytest.mark.parametrize("key", ["", "?", "AAAA", VECTOR_KEY])
def test_what_is_no_envelope_is_not_genuine(envelope, key):
    with pytest.raises(NotGenuineError):
        verify(envelope, key)
