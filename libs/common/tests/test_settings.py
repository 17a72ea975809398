from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from domicile_common.errors import ConfigurationError
from domicile_common.settings import (
    AdminKeyBlock,
    DatabaseBlock,
    MetadataBlock,
    Port,
    RabbitmqBlock,
    SealingBlock,
    ServiceBlock,
    load,
    misspelt,
    refuse_weak_secret,
    setting_files,
    variables,
)


class Settings(ServiceBlock, DatabaseBlock, RabbitmqBlock, MetadataBlock, SealingBlock, AdminKeyBlock):
    port: Port = Field(8001, validation_alias="METADATA_PORT")


GOOD = {
    "DATABASE_URL": "postgresql://domicile:hunter2@localhost:5432/domicile",
    "RABBITMQ_URL": "amqp://domicile:hunter2@localhost:5672/%2F",
    "DOMICILE_METADATA_URL": "http://127.0.0.1:8001/",
    "DOMICILE_SERVICE_TOKEN": "b9a1c0de-77aa-4e51",
    "ADMIN_API_KEY": "0a8f63c2d95b4e17",
    "TENANT_SECRET_PASSPHRASE": "correct horse battery staple",
}


@pytest.fixture
def environment(monkeypatch):
    for name in (*variables(Settings), "DOMICILE_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_complete_environment_loads(environment):
    settings = load(Settings)
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.metadata_url == "http://127.0.0.1:8001"
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8001, "info")
    assert settings.tenant_secret_passphrase_previous is None


def test_secrets_come_from_files_as_well(environment, tmp_path):
    for name in ("DATABASE_URL", "DOMICILE_SERVICE_TOKEN"):
        environment.delenv(name)
        (tmp_path / name).write_text(GOOD[name] + "\n")
    (tmp_path / "ADMIN_API_KEY").write_text("the environment goes first")
    (tmp_path / "something-else").write_text("of no concern")
    settings = load(Settings, tmp_path)
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.service_token.get_secret_value() == GOOD["DOMICILE_SERVICE_TOKEN"]
    assert settings.admin_api_key.get_secret_value() == GOOD["ADMIN_API_KEY"]


def test_a_weak_secret_in_a_file_is_named_and_not_shown(environment, tmp_path):
    environment.delenv("ADMIN_API_KEY")
    (tmp_path / "ADMIN_API_KEY").write_text("hunter2")
    with pytest.raises(ConfigurationError, match=r"^ADMIN_API_KEY is too short") as caught:
        load(Settings, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_secret_that_cannot_be_read_is_named(environment, tmp_path):
    environment.delenv("ADMIN_API_KEY")
    (tmp_path / "ADMIN_API_KEY").write_bytes(b"\xff" * 32)
    with pytest.raises(ConfigurationError) as caught:
        load(Settings, tmp_path)
    assert str(caught.value) == f"ADMIN_API_KEY cannot be read from {tmp_path}/ADMIN_API_KEY: it is not UTF-8"


def test_a_file_may_be_named(environment, tmp_path):
    environment.setenv("DOMICILE_SETTINGS", str(tmp_path))
    (tmp_path / "LOG_LEVEL").write_text("error")
    (tmp_path / "level").write_text("debug\n")
    assert load(Settings).log_level == "error"
    environment.setenv("LOG_LEVEL_FILE", str(tmp_path / "level"))
    assert load(Settings).log_level == "debug"
    environment.setenv("LOG_LEVEL", "info")
    with pytest.raises(ConfigurationError, match=r"^LOG_LEVEL and LOG_LEVEL_FILE are both set: one of them must go$"):
        load(Settings)


def test_a_named_file_must_be_there_and_one_in_a_folder_need_not(environment, tmp_path):
    environment.setenv("DOMICILE_SETTINGS", f"{tmp_path}/none:{tmp_path}")
    environment.setenv("ADMIN_API_KEY_FILE", str(tmp_path / "gone"))
    environment.delenv("ADMIN_API_KEY")
    with pytest.raises(ConfigurationError, match=r"^ADMIN_API_KEY cannot be read from .*/gone: No such file or directory$"):
        load(Settings)


def test_the_first_folder_goes_first(environment, tmp_path):
    for name, port in (("a", "1000"), ("b", "2000")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "METADATA_PORT").write_text(port)
    environment.setenv("DOMICILE_SETTINGS", f"{tmp_path}/a:{tmp_path}/b")
    assert load(Settings).port == 1000


def test_every_file_that_settings_come_from_or_point_to_is_known(environment, tmp_path):
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    environment.setenv("DOMICILE_SETTINGS", str(tmp_path))
    environment.setenv("TLS_CERTIFICATE", str(certificate))
    environment.setenv("TLS_KEY", str(certificate))
    environment.setenv("LOG_LEVEL_FILE", str(tmp_path / "level"))
    (tmp_path / "level").write_text("debug")
    assert {certificate, tmp_path / "level", tmp_path / "METADATA_PORT"} <= set(setting_files(load(Settings)))


def test_a_certificate_needs_its_key(environment, tmp_path):
    (tmp_path / "pem").touch()
    environment.setenv("TLS_CERTIFICATE", str(tmp_path / "pem"))
    with pytest.raises(ConfigurationError, match=r"^TLS_CERTIFICATE and TLS_KEY go together: one of them is not set$"):
        load(Settings)
    environment.setenv("TLS_KEY", str(tmp_path / "gone"))
    with pytest.raises(ConfigurationError, match=r"^TLS_KEY is not valid: Path does not point to a file, not '.*/gone'$"):
        load(Settings)


def test_what_looks_like_a_slip_is_named(environment, tmp_path):
    environment.setenv("DOMICILE_SETTINGS", str(tmp_path))
    environment.setenv("STOP_GRACE_SECOND", "5")
    environment.setenv("METADATA_PRT", "5")
    (tmp_path / "ADMIN_API_KEYS").touch()
    (tmp_path / "POSTGRES_PASSWORD").touch()
    assert misspelt(Settings) == {
        "STOP_GRACE_SECOND": "STOP_GRACE_SECONDS",
        "METADATA_PRT": "METADATA_PORT",
        "ADMIN_API_KEYS": "ADMIN_API_KEY",
    }


def test_the_environment_overrides_defaults(environment):
    environment.setenv("METADATA_PORT", "22000")
    environment.setenv("DOMICILE_HOST", "192.0.2.7")
    assert (load(Settings).port, load(Settings).host) == (22000, "192.0.2.7")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(environment, name, value):
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(Settings)
    assert str(caught.value) == f"{name} is not set"


@pytest.mark.parametrize(
    "name,value",
    [
        ("ADMIN_API_KEY", "changeme"),
        ("ADMIN_API_KEY", "change-me-please-1"),
        ("DOMICILE_SERVICE_TOKEN", "secret"),
        ("DOMICILE_SERVICE_TOKEN", "SecretSecretSecretSecret"),
        ("TENANT_SECRET_PASSPHRASE", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("TENANT_SECRET_PASSPHRASE", "password123456789"),
        ("TENANT_SECRET_PASSPHRASE_PREVIOUS", "brief"),
        ("DATABASE_URL", "mysql://root:hunter2@localhost/db"),
        ("DATABASE_URL", "postgresql://root:hunter2@localhost:port/db"),
        ("RABBITMQ_URL", "http://guest:hunter2@localhost"),
        ("DOMICILE_METADATA_URL", "ftp://root:hunter2@localhost:8001"),
    ],
)
def test_a_bad_secret_is_named_and_its_value_kept_back(environment, name, value):
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(Settings)
    assert str(caught.value).startswith(f"{name} ")
    assert value not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "name,value,allowed",
    [
        ("METADATA_PORT", "99999", "less than or equal to 65535"),
        ("METADATA_PORT", "http", "a valid integer"),
        ("LOG_LEVEL", "chatty", "'debug', 'info', 'warning' or 'error'"),
        ("DOMICILE_METADATA_URL", "localhost:8001", "a URL that begins with http:// or https:// and names a host"),
    ],
)
def test_a_bad_setting_is_named_with_what_was_given_and_what_is_allowed(environment, name, value, allowed):
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(Settings)
    assert str(caught.value).startswith(f"{name} ")
    assert allowed in str(caught.value)
    assert str(caught.value).endswith(f", not '{value}'")


def test_every_fault_is_told_at_once(environment):
    environment.delenv("DATABASE_URL")
    environment.setenv("ADMIN_API_KEY", "changeme")
    with pytest.raises(ConfigurationError, match=r"ADMIN_API_KEY is too short.*DATABASE_URL is not set"):
        load(Settings)


def test_secrets_show_nowhere(environment):
    text = repr(load(Settings)) + load(Settings).model_dump_json()
    for name in ("DOMICILE_SERVICE_TOKEN", "ADMIN_API_KEY", "TENANT_SECRET_PASSPHRASE"):
        assert GOOD[name] not in text
    assert "hunter2" not in text


def test_settings_are_frozen(environment):
    with pytest.raises(ValidationError):
        load(Settings).port = 1


@given(st.text(max_size=15))
def test_short_secrets_are_always_refused(text):
    with pytest.raises(ValueError, match="too short"):
        refuse_weak_secret(SecretStr(text))


@given(st.binary(min_size=16, max_size=32))
def test_random_hexadecimal_keys_are_accepted(raw):
    text = raw.hex()
    if len(set(text)) >= 5 and "1234567" not in text:
        assert refuse_weak_secret(SecretStr(text)).get_secret_value() == text
