from __future__ import annotations

import pytest

from domicile_common.errors import ConfigurationError
from domicile_common.settings import load
from domicile_replicator.settings import Settings

GIVEN = {
    "RABBITMQ_URL": "amqp://worker:a-long-one@127.0.0.1:5672/",
    "DOMICILE_METADATA_URL": "http://127.0.0.1:9010/",
    "DOMICILE_SERVICE_TOKEN": "5d1f0c77be2a94e3",
    "TENANT_SECRET_PASSPHRASE": "9e0b64d1f7c2a835",
}


@pytest.fixture
def given(monkeypatch):
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults(given):
    settings = load(Settings)
    assert settings.replicator_backends == ()
    assert settings.replicator_concurrency == 32
    assert settings.replicator_multipart_bytes == 64 * 2**20
    assert "a-long-one" not in repr(settings)


def test_backends_are_a_list_of_words(given):
    given.setenv("REPLICATOR_BACKENDS", "fi, de,")
    assert load(Settings).replicator_backends == ("fi", "de")


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_is_missing_is_named(given, name):
    given.delenv(name)
    with pytest.raises(ConfigurationError, match=name):
        load(Settings)


@pytest.mark.parametrize(
    "name, value",
    [
        ("REPLICATOR_CONCURRENCY", "0"),
        ("REPLICATOR_MULTIPART_BYTES", str(5 * 2**20 - 1)),
        ("REPLICATOR_DRAIN_SECONDS", "-1"),
        ("REPLICATOR_BYTES_IN_FLIGHT", "much"),
        ("RABBITMQ_URL", "http://127.0.0.1"),
    ],
)
def test_what_makes_no_sense_is_refused(given, name, value):
    given.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load(Settings)
