"""Everything over TLS, mutual where services meet: PostgreSQL by itself, RabbitMQ and the backends behind fronts that end TLS for them."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from contextlib import nullcontext
from io import BytesIO
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions
import httpx
import pytest

from domicile_common.amqp.broker import Broker
from domicile_common.errors import Unavailable
from domicile_common.metadata_client.client import MetadataClient
from domicile_common.metadata_client.models import ListBackends
from domicile_common.testing import run_servers
from domicile_common.testing.authority import Authority
from domicile_common.testing.background import fault_proxies
from domicile_common.testing.installation import until
from domicile_common.testing.private import private_postgres
from domicile_local.servers import ports, postgres, rabbitmq
from domicile_local.servers.process import give_to_nobody

pytestmark = pytest.mark.servers

OURS = ("PROXY_PORT", "PROXY_ADMIN_PORT", "METADATA_PORT", "METADATA_HEALTH_PORT", "REPLICATOR_PORT", "DISCOVERY_PORT")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def database(authority, tmp_path_factory):
    """URL of a database on a server that speaks TLS to who asks for it."""
    folder = tmp_path_factory.mktemp("postgres")
    with private_postgres(folder) as server:
        certificate, key = authority.issue("postgres")
        place = folder / "postgres"
        for file in (certificate, key):
            give_to_nobody(file.rename(place / file.name))
        postgres.query(
            server.url,
            f"ALTER SYSTEM SET ssl_cert_file = '{place / certificate.name}'",
            f"ALTER SYSTEM SET ssl_key_file = '{place / key.name}'",
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
            "CREATE DATABASE domicile",
        )
        url = f"{postgres.with_database(server.url, 'domicile')}?sslmode=verify-full&sslrootcert={authority.file}"
        until(lambda: postgres.answers(url), what="PostgreSQL with TLS")
        yield url


@pytest.fixture(scope="module")
def broker():
    """A virtual host."""
    reach, name = run_servers.servers("rabbitmq").reach, f"tls_{secrets.token_hex(6)}"
    rabbitmq.make_vhost(reach.management, name)
    yield reach, name
    rabbitmq.drop_vhost(reach.management, name)


class World:
    def __init__(self, domicile, authority, shown) -> None:
        self.domicile = domicile
        self.authority = authority
        self.shown = shown
        values = domicile.suite.services["metadata"].wiring.values
        self.ports = {name: int(values[name]) for name in OURS if name in values}
        self.ports["METADATA_HEALTH_PORT"] = int(domicile.suite.services["metadata"].wiring.passed_on["METADATA_HEALTH_PORT"])

    def client(self, tenant="one", ca=None):
        """As stock clients are, without retries."""
        key = self.domicile.keys[tenant]
        config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        session = boto3.Session(key.access_key, key.secret_key, region_name="us-east-1")
        return session.client(
            "s3", endpoint_url=self.domicile.suite.s3_endpoint, verify=str(ca or self.authority.file), config=config
        )

    def serial(self, port):
        """Of the certificate that a port shows to a new connection."""
        context = self.authority.context(self.shown)
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            return tls.getpeercert()["serialNumber"]


@pytest.fixture(scope="module")
def world(open_installation, authority, database, broker, backends):
    reach, vhost = broker
    amqp = urlsplit(reach.amqp)
    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    front.load_cert_chain(*authority.issue("front"))
    certificate, key = authority.issue("service")
    shown = authority.issue("client")
    behind = {backend.backend_id: urlsplit(backend.endpoint).port for backend in backends} | {"rabbitmq": amqp.port}
    told = {
        "TLS_CERTIFICATE": str(certificate),
        "TLS_KEY": str(key),
        "TLS_CA": str(authority.file),
        "TLS_CLIENT_CA": str(authority.file),
        "TLS_CLIENT_CERTIFICATE": str(shown[0]),
        "TLS_CLIENT_KEY": str(shown[1]),
        "BACKEND_CA": str(authority.file),
        "METADATA_HEALTH_PORT": str(ports.take()),
    }
    with fault_proxies(behind, front) as fronts:
        links = {name: fronts.proxies[name].port for name in behind}
        user = amqp.netloc.rpartition("@")[0]
        with open_installation(
            database=database,
            broker=(f"amqps://{user}@127.0.0.1:{links['rabbitmq']}/{vhost}", reach.management),
            links=links,
            tls=authority.context(shown),
            **told,
        ) as domicile:
            yield World(domicile, authority, shown)


def test_objects_go_the_whole_way(world):
    """With the checksum trailers that stock clients send over TLS."""
    s3, bucket = world.client(), f"b-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=bucket)
    small, large = secrets.token_bytes(3000), secrets.token_bytes(12 << 20)
    s3.put_object(Bucket=bucket, Key="small", Body=small)
    s3.upload_fileobj(BytesIO(large), bucket, "large")
    for name, body in (("small", small), ("large", large)):
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == body
        for copy in world.domicile.verified(bucket, name).values():
            assert world.domicile.read(copy) == body
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "small"})
    assert httpx.get(presigned, verify=world.authority.context()).content == small
    encrypted = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'domicile-metadata'"
    assert world.domicile.sql(encrypted) == [(True,)]


def test_plain_http_is_refused_everywhere(world):
    for name, port in world.ports.items():
        with pytest.raises(httpx.TransportError):
            pytest.fail(f"{name}: {httpx.get(f'http://127.0.0.1:{port}/healthz')}")


def test_metadata_lets_nobody_in_without_a_certificate_of_the_authority(world, stranger):
    metadata = f"https://127.0.0.1:{world.ports['METADATA_PORT']}/healthz"
    for shown in (None, stranger.issue("somebody")):
        with pytest.raises(httpx.TransportError):
            httpx.get(metadata, verify=world.authority.context(shown))
    assert httpx.get(metadata, verify=world.authority.context(world.shown)).status_code == 200
    health = f"https://127.0.0.1:{world.ports['METADATA_HEALTH_PORT']}"
    for path, status in (("/readyz", 200), ("/version", 200), ("/proxy/tenants", 404), ("/internal/list-backends", 404)):
        assert httpx.get(f"{health}{path}", verify=world.authority.context()).status_code == status


def test_certificates_of_another_authority_are_refused(world, stranger):
    with pytest.raises(botocore.exceptions.SSLError):
        world.client(ca=stranger.file).list_buckets()


@pytest.mark.parametrize("trusted", [True, False])
async def test_services_call_nobody_whose_certificate_they_cannot_trust(world, stranger, trusted):
    context = (world.authority if trusted else stranger).context(world.shown)
    values = world.domicile.suite.services["proxy"].wiring.values
    refusal = nullcontext() if trusted else pytest.raises(Unavailable)
    metadata = MetadataClient(values["DOMICILE_METADATA_URL"], values["DOMICILE_SERVICE_TOKEN"], tls=lambda: context)
    broker = Broker(values["RABBITMQ_URL"], "test", lambda: context)
    with refusal:
        await metadata.call(ListBackends())
    with refusal:
        await broker.ping()
    await broker.close()
    await metadata.close()


def test_certificates_are_renewed_under_clients_that_do_not_notice(world):
    bucket = f"b-{secrets.token_hex(4)}"
    world.client().create_bucket(Bucket=bucket)
    stop, faults, done = threading.Event(), [], []

    def work(number):
        kept = world.client()
        while not stop.is_set():
            for s3 in (kept, world.client()):
                try:
                    body = secrets.token_bytes(2000)
                    s3.put_object(Bucket=bucket, Key=f"{number}", Body=body)
                    assert s3.get_object(Bucket=bucket, Key=f"{number}")["Body"].read() == body
                    done.append(number)
                except Exception as error:  # noqa: BLE001 -- any of them would be noticed
                    faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        before = {name: world.serial(port) for name, port in world.ports.items()}
        world.authority.issue("client")
        world.authority.issue("service")
        for name, port in world.ports.items():
            until(lambda name=name, port=port: world.serial(port) != before[name], what=f"another certificate at {name}")
        count = len(done)
        until(lambda: len(done) > count + 4 or faults, what="clients that go on")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []


def test_a_pair_that_does_not_fit_is_refused_and_the_old_one_stays(world):
    before = {name: world.serial(port) for name, port in world.ports.items()}
    certificate = (world.authority.file.parent / "service.crt").read_bytes()
    spare, _ = world.authority.issue("spare")
    world.authority.write("service.crt", spare.read_bytes())
    services = world.domicile.suite.services.values()

    def refused():
        return all(
            httpx.get(f"{service.health}/readyz", verify=world.authority.context(world.shown)).json()["degraded"] == ["settings"]
            for service in services
        )

    until(refused, what="all services refuse it")
    assert {name: world.serial(port) for name, port in world.ports.items()} == before
    world.authority.write("service.crt", certificate)
    until(lambda: not refused(), what="all is well again")
