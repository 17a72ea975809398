from __future__ import annotations

import pytest

from domicile_local.errors import SuiteError
from domicile_local.settings import load, parse

KEY = "0123456789abcdef" * 2
BACKEND = {
    "DOMICILE_BACKEND_FI_ENDPOINT": "http://127.0.0.1:1/",
    "DOMICILE_BACKEND_FI_ACCESS_KEY": "a",
    "DOMICILE_BACKEND_FI_SECRET_KEY": "s",
    "DOMICILE_BACKEND_FI_COUNTRY": "FI",
}


def test_nothing_needs_to_be_set(tmp_path):
    settings = parse({}, tmp_path)
    assert settings.state == tmp_path / ".domicile"
    assert settings.layout.url("the S3 endpoint") == "http://127.0.0.1:9000"
    assert settings.backends == ()


def test_the_environment_overrides_the_file_and_empty_means_unset(tmp_path):
    (tmp_path / ".env").write_text("DOMICILE_PORT=9100\nDOMICILE_STATE=/there\nLOG_LEVEL=debug\n")
    settings = load({"DOMICILE_PORT": "9200", "DOMICILE_STATE": "", "PATH": "/bin"}, tmp_path)
    assert settings.layout.first == 9200
    assert str(settings.state) == "/there"
    assert settings.passed_on == {"LOG_LEVEL": "debug"}


def test_an_existing_backend_is_four_settings(tmp_path):
    (backend,) = parse(BACKEND, tmp_path).backends
    assert (backend.backend_id, backend.country, backend.endpoint, backend.quirks) == (
        "fi",
        "FI",
        "http://127.0.0.1:1",
        "generic",
    )
    assert "'s'" not in repr(backend)


@pytest.mark.parametrize("name", BACKEND)
def test_a_backend_that_lacks_one_of_them_is_refused(tmp_path, name):
    with pytest.raises(SuiteError, match=f"{name} is not set"):
        parse({key: value for key, value in BACKEND.items() if key != name}, tmp_path)


def test_a_broker_without_its_management_api_is_refused(tmp_path):
    with pytest.raises(SuiteError, match="RABBITMQ_MANAGEMENT_URL"):
        parse({"RABBITMQ_URL": "amqp://127.0.0.1/"}, tmp_path)


@pytest.mark.parametrize("port", ["0", "-1", "65500", "a", "9000.5", "٩"])
def test_a_first_port_that_leaves_no_room_is_refused(tmp_path, port):
    with pytest.raises(SuiteError, match="DOMICILE_PORT"):
        parse({"DOMICILE_PORT": port}, tmp_path)


def test_what_our_own_backends_are(tmp_path):
    assert parse({}, tmp_path).backend_kind is None
    assert parse({"BACKENDS": "rclone"}, tmp_path).backend_kind == "rclone"
    with pytest.raises(SuiteError, match="BACKENDS is one of seaweedfs, ceph, rclone, not 'tape'"):
        parse({"BACKENDS": "tape"}, tmp_path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"DATABASE_URL": "localhost/hidden"}, "DATABASE_URL must begin with postgresql://"),
        ({"RABBITMQ_URL": "hidden", "RABBITMQ_MANAGEMENT_URL": "http://a"}, "RABBITMQ_URL must begin with amqp://"),
        ({"RABBITMQ_URL": "amqp://a", "RABBITMQ_MANAGEMENT_URL": "hidden"}, "RABBITMQ_MANAGEMENT_URL must begin with http://"),
        ({"ADMIN_API_KEY": "hidden"}, "ADMIN_API_KEY is too short: at least 16 characters are needed."),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_starts(tmp_path, values, says):
    with pytest.raises(SuiteError) as refused:
        parse(values, tmp_path)
    assert str(refused.value).startswith(says)
    assert "hidden" not in str(refused.value)


def test_what_services_may_be_told_is_listed(tmp_path):
    passed = {"INTENT_SECONDS": "3", "REPLICATOR_CONCURRENCY": "2", "SSL_CERT_FILE": "/c"}
    kept_back = {"REPLICATOR_PORT": "1", "ADMIN_API_KEY": KEY, "AWS_SECRET_ACCESS_KEY": "s"}
    settings = parse(passed | kept_back, tmp_path)
    assert settings.passed_on == passed
    assert settings.secrets == {"ADMIN_API_KEY": KEY}
    assert KEY not in repr(settings)
