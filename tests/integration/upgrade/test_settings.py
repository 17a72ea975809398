"""Settings and secrets that change while everything runs, and clients that do not notice."""

from __future__ import annotations

import re
import secrets
import signal
import time
from dataclasses import replace
from urllib.parse import quote, urlsplit

import httpx
import pytest

from domicile_common.sealing import Sealer
from domicile_common.testing import run_servers
from domicile_common.testing.installation import until
from domicile_common.testing.load import Load
from domicile_local.deployment.truth import variables
from domicile_local.errors import SuiteError
from domicile_local.servers import postgres, rabbitmq

pytestmark = pytest.mark.servers

SEALED = "SELECT sealed_secret FROM credentials UNION ALL SELECT sealed_secret FROM backends"


def fresh() -> str:
    return secrets.token_hex(32)


class SettingsFolder:
    """``path``: as given to ``installation``."""

    def __init__(self, path, domicile) -> None:
        self._path = path
        self._domicile = domicile

    def read(self, name):
        return (self._path / name).read_text()

    def write(self, **settings):
        """Each at once and as a whole. ``None`` removes one."""
        for name, value in settings.items():
            if value is None:
                (self._path / name).unlink()
            else:
                (self._path / f".{name}").write_text(value)
                (self._path / f".{name}").rename(self._path / name)

    def change(self, *, ask=True, **settings):
        """Returns when every service that knows one of them has read them: asked to with a signal, or because it has looked."""
        before = time.time()
        self.write(**settings)
        for name, service in self._domicile.suite.services.items():
            if not settings.keys().isdisjoint(variables(name)):
                if ask:
                    service.child.signal(signal.SIGHUP)
                self.wait_read(service, before)

    def wait_read(self, service, before):
        until(lambda: metric(service, "domicile_settings_read_at") > before, what=f"{service.name} reads its settings")


def metric(service, name):
    """Of one without labels."""
    text = httpx.get(f"{service.health}/metrics", timeout=5, trust_env=False).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def degraded(service):
    """What a ready service says of itself."""
    answer = httpx.get(f"{service.health}/readyz", timeout=5, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()["degraded"]


class Users:
    """Of PostgreSQL and RabbitMQ, for one installation; the tests change their passwords."""

    def __init__(self) -> None:
        self.name = f"settings_{secrets.token_hex(6)}"
        self._postgres = run_servers.servers("postgres").reach.postgres
        reach = run_servers.servers("rabbitmq").reach
        self._amqp, self.management = reach.amqp, reach.management
        postgres.query(
            self._postgres, f"CREATE ROLE {self.name} LOGIN SUPERUSER", f"CREATE DATABASE {self.name} OWNER {self.name}"
        )
        rabbitmq.make_vhost(self.management, self.name)
        self.set_passwords("first")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        rabbitmq.manage(self.management, "PUT", f"/permissions/{self.name}/{self.name}", everything)

    def set_passwords(self, password: str) -> None:
        postgres.query(self._postgres, f"ALTER ROLE {self.name} PASSWORD '{password}'")
        rabbitmq.manage(self.management, "PUT", f"/users/{self.name}", {"password": password, "tags": ""})

    def urls(self, password: str) -> tuple[str, str]:
        return tuple(
            f"{at.scheme}://{self.name}:{password}@{at.hostname}:{at.port}/{self.name}"
            for at in map(urlsplit, (self._postgres, self._amqp))
        )

    def connections(self) -> list[str]:
        listed = rabbitmq.manage(self.management, "GET", f"/vhosts/{self.name}/connections").json()
        return [connection["name"] for connection in listed]

    def disconnect(self) -> None:
        """Whoever comes back shows the password of now."""
        postgres.query(self._postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.name}'")
        for connection in until(self.connections, what="RabbitMQ's list of connections"):
            rabbitmq.manage(self.management, "DELETE", f"/connections/{quote(connection, safe='')}")

    def drop(self) -> None:
        postgres.query(self._postgres, f"DROP DATABASE {self.name} WITH (FORCE)", f"DROP ROLE {self.name}")
        rabbitmq.drop_vhost(self.management, self.name)
        rabbitmq.manage(self.management, "DELETE", f"/users/{self.name}")


@pytest.fixture(scope="module")
def users():
    made = Users()
    yield made
    made.drop()


@pytest.fixture(scope="module")
def domicile(open_installation, users, tmp_path_factory):
    database, broker = users.urls("first")
    files = tmp_path_factory.mktemp("settings")
    given = dict.fromkeys(("S3_BASE_DOMAIN", "RELAY_FOR"), "")
    with open_installation(database=database, broker=(broker, users.management), folder=files, **given) as made:
        made.files = files
        yield made


@pytest.fixture(scope="module")
def settings(domicile):
    return SettingsFolder(domicile.files, domicile)


def test_every_service_takes_what_changed_without_a_restart(domicile, settings, users):
    running = {name: service.child.pid for name, service in domicile.suite.services.items()}
    bucket = domicile.new_bucket()
    by_host = {"host": f"{bucket}.s3.test"}
    assert domicile.raw().send("GET", "/", headers=by_host).texts("CreationDate"), "a list of buckets"
    session = f"{domicile.suite.discovery_url}/api/session"
    assert httpx.get(session).json()["relay"] is False
    settings.change(
        ask=False,
        S3_BASE_DOMAIN="s3.test",
        BUCKETS_PER_TENANT="1",
        REPLICATOR_CONCURRENCY="7",
        RELAY_FOR="page",
        LOG_LEVEL="debug",
    )

    assert domicile.raw().send("GET", "/", headers=by_host).texts("Name") == [bucket], "a list of the bucket"
    assert domicile.raw().send("PUT", "/one-too-many").code == "TooManyBuckets"
    assert httpx.get(session).json()["relay"] is True

    def prefetched():
        consumers = rabbitmq.manage(users.management, "GET", f"/consumers/{users.name}").json()
        return {it["prefetch_count"] for it in consumers if it["queue"]["name"].startswith("replicate.")} == {7}

    until(prefetched, what="consumers of seven jobs each")
    domicile.client().put_object(Bucket=bucket, Key="after", Body=b"copied all the same")
    domicile.verified(bucket, "after")
    assert running == {name: service.child.pid for name, service in domicile.suite.services.items()}
    settings.change(S3_BASE_DOMAIN=None, BUCKETS_PER_TENANT=None, REPLICATOR_CONCURRENCY=None, RELAY_FOR=None, LOG_LEVEL=None)


def test_a_signal_has_them_read_at_once_and_bad_ones_are_refused(domicile, settings):
    services = domicile.suite.services.values()
    before = {service: metric(service, "domicile_settings_read_at") for service in services}
    for service in services:
        service.child.signal(signal.SIGHUP)
        settings.wait_read(service, before[service])
    settings.write(LOG_LEVEL="chatty")
    for service in services:
        until(lambda service=service: degraded(service) == ["settings"], what=f"{service.name} refuses them")
        assert metric(service, "domicile_settings_refused") == 1
    assert {name for name, text in domicile.logs().items() if "LOG_LEVEL is not valid: Input should be 'debug'" in text} == set(
        domicile.suite.services
    )
    domicile.client().list_buckets()
    settings.change(LOG_LEVEL=None)
    assert [degraded(service) for service in services] == [[]] * len(services)


def test_service_token_and_passphrase_are_changed_under_load(domicile, settings):
    load = Load(domicile, domicile.new_bucket())
    token, passphrase, old = (
        fresh(),
        fresh(),
        {name: settings.read(name) for name in ("DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE")},
    )
    with load.running(2):
        settings.change(DOMICILE_SERVICE_TOKEN=token, DOMICILE_SERVICE_TOKEN_PREVIOUS=old["DOMICILE_SERVICE_TOKEN"])
        settings.change(DOMICILE_SERVICE_TOKEN_PREVIOUS=None)
        load.goes_on(5)
        settings.change(TENANT_SECRET_PASSPHRASE_PREVIOUS=passphrase)
        settings.change(TENANT_SECRET_PASSPHRASE=passphrase, TENANT_SECRET_PASSPHRASE_PREVIOUS=old["TENANT_SECRET_PASSPHRASE"])
        domicile.admin("POST", "/secrets/reseal")
        settings.change(TENANT_SECRET_PASSPHRASE_PREVIOUS=None)
        domicile.restart("replicator")  # which has nothing to open old secrets with
        load.goes_on(5)
    assert {status for _, status in load.seen} <= {200, 204, 404}
    load.check()
    assert not any(Sealer(passphrase).needs_reseal(sealed) for (sealed,) in domicile.sql(SEALED))
    for shown, status in ((old["DOMICILE_SERVICE_TOKEN"], 401), (token, 200)):
        headers = {"authorization": f"Bearer {shown}"}
        assert (
            httpx.post(f"{domicile.suite.metadata_url}/internal/list-backends", headers=headers, content=b"[{}]").status_code
            == status
        )


def test_the_admin_key_is_changed_without_a_moment_when_none_is_good(domicile, settings):
    old, new = settings.read("ADMIN_API_KEY"), fresh()
    settings.change(ADMIN_API_KEY=new, ADMIN_API_KEY_PREVIOUS=old)
    for key in (old, new):
        domicile.suite.admin_key = key
        assert domicile.admin("GET", "/tenants")
    settings.change(ADMIN_API_KEY_PREVIOUS=None)
    assert domicile.admin("GET", "/tenants")
    domicile.suite.admin_key = old
    with pytest.raises(SuiteError, match="401"):
        domicile.admin("GET", "/tenants")
    domicile.suite.admin_key = new


def test_passwords_of_postgresql_and_rabbitmq_are_changed_under_load(domicile, settings, users):
    load = Load(domicile, domicile.new_bucket())
    database, broker = users.urls("second")
    with load.running(2):
        users.set_passwords("second")
        load.goes_on(5)
        settings.change(DATABASE_URL=database, RABBITMQ_URL=broker)
        users.disconnect()
        load.goes_on(10)
    assert {status for _, status in load.seen} <= {200, 204, 404, 503}
    domicile.suite.infrastructure = replace(domicile.suite.infrastructure, database_url=database)  # where this test itself looks
    load.check()
