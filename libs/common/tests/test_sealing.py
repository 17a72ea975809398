from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from domicile_common.errors import ConfigurationError
from domicile_common.sealing import Sealer, backend_context, credential_context, sealer
from domicile_common.settings import SealingBlock
from domicile_common.testing.handing_over import hand_over

OLD, NEW = "correct horse battery staple", "an entirely other passphrase"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CONTEXT = credential_context("AK1")


@pytest.fixture(scope="module")
def old():
    return Sealer(OLD)


@pytest.fixture(scope="module")
def rotated():
    return Sealer(NEW, OLD)


def test_contexts_name_their_owner():
    assert (CONTEXT, backend_context("fi-1")) == ("credential:AK1", "backend:fi-1")


def test_a_sealed_secret_opens_in_another_process_of_the_same_passphrase(old):
    assert Sealer(OLD).open(old.seal(SECRET, CONTEXT), CONTEXT) == SECRET


def test_the_derivation_never_changes(old):
    """Fixed on purpose: another key id means that no installation could open its secrets any more."""
    envelope = "v1.9894bc82.AAECAwQFBgcICQoL.T-gUbf45CwrDZWNEzRnBmLZb8zRJXa0"
    assert envelope.split(".")[1] == old.seal("", CONTEXT).split(".")[1]
    assert old.open(envelope, CONTEXT) == "plainly"


def test_an_envelope_shows_nothing_and_never_repeats(old):
    one, two = old.seal(SECRET, CONTEXT), old.seal(SECRET, CONTEXT)
    assert one != two
    version, key_id, nonce, ciphertext = one.split(".")
    assert (version, len(key_id), len(nonce)) == ("v1", 8, 16)
    assert SECRET not in base64.b64decode(ciphertext + "==", altchars=b"-_").decode("latin-1")


def test_after_a_rotation_old_envelopes_open_and_ask_for_a_new_seal(old, rotated):
    envelope = old.seal(SECRET, CONTEXT)
    assert rotated.open(envelope, CONTEXT) == SECRET
    assert rotated.needs_reseal(envelope)
    assert not rotated.needs_reseal(rotated.seal(SECRET, CONTEXT))
    assert rotated.needs_reseal("not an envelope")


def test_a_passphrase_that_is_gone_is_told_by_its_setting(old, rotated):
    with pytest.raises(ConfigurationError, match=r"credential:AK1.*TENANT_SECRET_PASSPHRASE"):
        old.open(rotated.seal(SECRET, CONTEXT), CONTEXT)


def test_an_envelope_moved_to_another_owner_does_not_open(old):
    with pytest.raises(ConfigurationError, match="credential:AK2"):
        old.open(old.seal(SECRET, CONTEXT), credential_context("AK2"))


@given(position=st.integers(0, 80), character=st.sampled_from("AZaz09-_.=é "))
def test_an_altered_envelope_never_opens(old, position, character):
    envelope = old.seal(SECRET, CONTEXT)
    altered = envelope[:position] + character + envelope[position + 1 :]
    if _same_bytes(altered, envelope):
        return
    with pytest.raises(ConfigurationError) as caught:
        old.open(altered, CONTEXT)
    assert SECRET not in str(caught.value)


def _same_bytes(one, other):
    """The last digit of base64 without padding can hold bits that count for nothing."""

    def decoded(envelope):
        try:
            parts = envelope.split(".")
            return (
                *parts[:2],
                *(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True) for part in parts[2:]),
            )
        except ValueError:
            return None

    return decoded(one) == decoded(other)


@given(text=st.text())
def test_no_text_opens_by_chance_or_breaks_anything(old, text):
    with pytest.raises(ConfigurationError):
        old.open(text, CONTEXT)


@given(secret=st.text(st.characters(exclude_categories=["Cs"])), context=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_secret_survives(old, secret, context):
    assert old.open(old.seal(secret, context), context) == secret


def test_a_sealer_is_made_of_settings_and_shows_no_passphrase(old):
    settings = SealingBlock(tenant_secret_passphrase=SecretStr(NEW), tenant_secret_passphrase_previous=SecretStr(OLD))
    made = sealer(settings)
    assert made.open(old.seal(SECRET, CONTEXT), CONTEXT) == SECRET
    assert OLD not in repr(made) + repr(vars(made))
    assert NEW not in repr(made) + repr(vars(made))


OWNER = backend_context("fi-1")


def handed_over(sealer):
    return hand_over(SECRET, OWNER, key_id=sealer.key_id, public_key=sealer.public_key)


def test_what_a_browser_hands_over_opens_for_its_owner_alone(old):
    envelope = handed_over(old)
    assert SECRET not in envelope
    assert Sealer(OLD).open_handed_over(envelope, OWNER) == SECRET
    with pytest.raises(ValueError, match="was not sealed for this installation and backend:fi-2"):
        old.open_handed_over(envelope, backend_context("fi-2"))
    with pytest.raises(ValueError, match="was not sealed"):
        Sealer(NEW).open_handed_over(envelope, OWNER)


def test_what_was_handed_over_before_a_rotation_still_opens(old, rotated):
    assert rotated.public_key != old.public_key
    assert rotated.open_handed_over(handed_over(old), OWNER) == SECRET
    assert rotated.open_handed_over(handed_over(rotated), OWNER) == SECRET


def test_the_key_for_browsers_never_changes(old):
    """Fixed on purpose: a page that was opened before an upgrade seals for it after the upgrade."""
    key = "BCzYQecLnL-lSAD60OadEl5DZdPpFfjyzoZic0_Tvky_te-NLMl-4Q8cAEPXpWGh6LoyfDNyhSHUn2AUvjtXGm8"
    assert (old.key_id, old.public_key) == ("9894bc82", key)


@given(text=st.text(max_size=100))
def test_nothing_else_is_taken_for_what_was_handed_over(old, text):
    for envelope in (text, f"h1.{text}", f"h1.{old.key_id}.{text}", handed_over(old)[:-20] + text):
        with pytest.raises(ValueError, match="was not sealed for this installation"):
            old.open_handed_over(envelope, OWNER)
