"""A whole installation as integration tests see it: as a client, as an operator, and behind its back at the backends and in the record."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import botocore.config
import botocore.exceptions

from domicile_common.testing import run_servers
from domicile_common.testing.raw_s3 import RawS3, Signer
from domicile_local.register import register_tenant
from domicile_local.servers import ports, postgres, rabbitmq, s3
from domicile_local.servers.reach import S3Backend
from domicile_local.services import NEEDS, Service, scheme
from domicile_local.settings import SECRETS
from domicile_local.state import Key, random_key
from domicile_local.suite import Infrastructure, Suite

T = TypeVar("T")

TENANTS = ("one", "two")
PORTS = ("PROXY_PORT", "PROXY_ADMIN_PORT", "METADATA_PORT", "REPLICATOR_PORT", "DISCOVERY_PORT")
REGISTRATION = ("provider", "endpoint", "country", "jurisdictions", "access_key", "region", "addressing", "quirks", "cost")
IN_FILES = (*SECRETS, "DATABASE_URL", "RABBITMQ_URL")
# Short enough for tests to see what otherwise takes minutes, and long enough not to hit what is merely slow.
SETTINGS: Mapping[str, str] = {
    "REMOVAL_GRACE_SECONDS": "0.5",
    "REMOVAL_SECOND_LOOK_SECONDS": "0.5",
    "RECONCILE_SECONDS": "0.5",
    "REARRANGE_SECONDS": "0.5",
    "SWEEP_SECONDS": "0.5",
    "OVERDUE_SECONDS": "5",
    "REPLICATOR_TASK_SECONDS": "0.5",
    "PROBE_SECONDS": "0",  # a test that wants one asks for it
    "S3_BASE_DOMAIN": "s3.test",
}
_BUSY = """SELECT (SELECT count(*) FROM intents WHERE NOT is_upload), (SELECT count(*) FROM outbox),
                  (SELECT count(*) FROM replicas WHERE state NOT IN ('stored', 'verified') OR NOT stamped),
                  (SELECT count(*) FROM rearrangements WHERE finished_at IS NULL),
                  (SELECT count(*) FROM unsettled_versions WHERE refusal IS NULL)"""


def until(condition: Callable[[], T], seconds: float = 60, what: str | Callable[[], str] = "") -> T:
    """The first answer of ``condition`` that is true; AssertionError with the last one when time is up."""
    began = time.monotonic()
    while not (answer := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            missed = what() if callable(what) else what or "the condition"
            raise AssertionError(f"{missed} not within {seconds} s: {answer!r}")
        time.sleep(min(0.05 + waited / 20, 0.25))  # asking costs those who are waited for a good deal
    return answer


def patiently(act: Callable[[], Any], seconds: float = 60) -> None:
    """Until it succeeds: what was just mended may still refuse."""

    def succeeds() -> bool:
        try:
            act()
        except Exception as error:  # noqa: BLE001 -- of whatever kind; the last one is told
            failures.append(error)
            return False
        return True

    failures: list[Exception] = []
    until(succeeds, seconds, lambda: f"{failures[-1]!r}: success")


class Installation:
    """``backends``: the real ones by id. ``keys``: by tenant id. ``prefix``: what its physical bucket names begin with."""

    def __init__(self, suite: Suite, backends: Sequence[S3Backend], prefix: str, logs: Path) -> None:
        self.suite = suite
        self._logs = logs
        self.backends = {backend.backend_id: backend for backend in backends}
        self.prefix = prefix
        self.keys: dict[str, Key] = {}
        self._disturbed: set[str] = set()
        self._clients: dict[tuple[Key, str], Any] = {}
        self._direct = {name: s3.client(backend) for name, backend in self.backends.items()}

    # --- as a client ---

    def client(self, tenant: str = "one", **config: Any) -> Any:
        """A boto3 client without retries, so that no 5xx is hidden; ``config`` as of botocore."""
        key = self.keys[tenant]
        name = (key, repr(sorted(config.items())))
        if name not in self._clients:  # making one costs as much as hundreds of requests
            self._clients[name] = self.fresh_client(key, **{"retries": {"total_max_attempts": 1}, **config})
        return self._clients[name]

    def fresh_client(self, key: Key, **config: Any) -> Any:
        """A boto3 client with its default settings but for those given."""
        settings = botocore.config.Config(s3={"addressing_style": "path"}).merge(botocore.config.Config(**config))
        return s3.connect(self.suite.s3_endpoint, key.access_key, key.secret_key, settings)

    def raw(self, tenant: str = "one", endpoint: str = "") -> RawS3:
        """``endpoint``: of another proxy than the first."""
        key = self.keys[tenant]
        return RawS3(endpoint or self.suite.s3_endpoint, Signer(key.access_key, key.secret_key))

    def new_bucket(self, tenant: str = "one", location: str = "") -> str:
        """The name of a bucket just made."""
        name = f"b-{secrets.token_hex(6)}"
        where = {"CreateBucketConfiguration": {"LocationConstraint": location}} if location else {}
        self.client(tenant).create_bucket(Bucket=name, **where)
        return name

    # --- as an operator ---

    def admin(self, method: str, path: str, body: object = None, **params: str) -> Any:
        with self.suite.admin() as admin:
            return admin.call(method, path, body, params)

    def add_tenant(self, tenant: str) -> Key:
        self.keys[tenant] = random_key()
        with self.suite.admin() as admin:
            register_tenant(admin, tenant, self.keys[tenant])
        return self.keys[tenant]

    def begin_task(self, kind: str, **parameters: Any) -> str:
        return str(self.admin("POST", "/tasks", {"kind": kind, "parameters": parameters})["task_id"])

    def finished_task(self, task_id: str, seconds: float = 60) -> Any:
        """A long task once it is done."""

        def done() -> Any:
            task = self.admin("GET", f"/tasks/{task_id}")
            assert task["state"] not in {"failed", "cancelled"}, task
            return task if task["state"] == "done" else None

        return until(done, seconds, lambda: f"the end of {self.admin('GET', f'/tasks/{task_id}')}")

    def findings(self, task_id: str) -> dict[str, str]:
        """Key → kind of what a task has to say about it."""
        listed = self.admin("GET", f"/tasks/{task_id}/findings", limit="1000")
        return {finding["key"]: finding["kind"] for finding in listed["findings"]}

    def register(self, backend_id: str, **changes: object) -> None:
        """Registers a backend again as it is, but for ``changes``."""
        shown = self.admin("GET", f"/backends/{backend_id}")
        self.admin("PUT", f"/backends/{backend_id}", {name: shown[name] for name in REGISTRATION} | changes)

    def replicas(self, bucket: str, key: str, tenant: str = "one") -> dict[str, Any]:
        """Of the current version, by backend id."""
        placement = self.admin("GET", "/placement", tenant=tenant, bucket=bucket, key=key)
        return {replica["backend_id"]: replica for replica in placement["replicas"]}

    def verified(self, bucket: str, key: str, tenant: str = "one", seconds: float = 60) -> dict[str, Any]:
        """The replicas of the current version, once all of them are verified and stamped."""

        def settled() -> dict[str, Any]:
            replicas = self.replicas(bucket, key, tenant)
            done = all(replica["state"] == "verified" and replica["stamped"] for replica in replicas.values())
            return replicas if done else {}

        return until(settled, seconds, f"every replica of {key!r} verified")

    # --- behind its back ---

    def at(self, backend_id: str) -> Any:
        """A boto3 client for the backend itself."""
        return self._direct[backend_id]

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement, straight from PostgreSQL."""
        return postgres.query(self.suite.infrastructure.database_url, *statements)

    def logs(self) -> dict[str, str]:
        """Service → what it has written so far."""
        return {name: (self._logs / f"{name}.log").read_text() for name in self.suite.services}

    def idle(self, seconds: float = 60) -> None:
        """Waits until nothing is owed, under way or left to be removed, but for multipart uploads."""
        until(lambda: not any(self.sql(_BUSY)[0]), seconds, lambda: f"nothing left to do (left: {self.sql(_BUSY)[0]})")

    def namespaces(self, backend_id: str) -> list[str]:
        """This installation's physical buckets there."""
        listed = self.at(backend_id).list_buckets().get("Buckets", [])
        return [bucket["Name"] for bucket in listed if bucket["Name"].startswith(self.prefix)]

    def namespace(self, backend_id: str, bucket: str, tenant: str = "one") -> str:
        """What a bucket is called there, or would be."""
        explained = self.admin("GET", "/namespaces/explain", tenant=tenant, bucket=bucket, backend=backend_id)
        return str(explained["namespaces"][0]["namespace"])

    def blobs(self, backend_id: str, namespace: str) -> dict[str, int]:
        """Blob key → size of all blobs there, without what is kept beside them."""
        return {key: size for key, size in self.everything(backend_id, namespace).items() if not key.startswith(".domicile/")}

    def everything(self, backend_id: str, namespace: str) -> dict[str, int]:
        """Key → size; empty when the physical bucket is not there."""
        pages = self.at(backend_id).get_paginator("list_objects_v2").paginate(Bucket=namespace)
        try:
            return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
        except self.at(backend_id).exceptions.NoSuchBucket:
            return {}

    def uploads(self, backend_id: str, namespace: str) -> list[str]:
        """Blob keys of multipart uploads that were begun there and not ended."""
        try:
            listed = self.at(backend_id).list_multipart_uploads(Bucket=namespace)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchBucket", "NoSuchUpload"}:  # rclone: there never was one
                raise
            return []
        return [upload["Key"] for upload in listed.get("Uploads", [])]

    def leftovers(self, bucket: str, tenant: str = "one") -> dict[str, list[str]]:
        """What every backend holds for a bucket, finished or not, without those that hold nothing."""
        found = {}
        for backend_id in self.backends:
            namespace = self.namespace(backend_id, bucket, tenant)
            if here := [*self.everything(backend_id, namespace), *self.uploads(backend_id, namespace)]:
                found[backend_id] = here
        return found

    def read(self, replica: Mapping[str, Any]) -> bytes:
        """The bytes of a replica, from its backend."""
        place = {"Bucket": replica["namespace"], "Key": replica["blob_key"]}
        return bytes(self.at(replica["backend_id"]).get_object(**place)["Body"].read())

    # --- what happens to its services ---

    def start(self, service: str, *, kill: Sequence[str] = (), bug: str = "", wait: bool = True, **settings: str) -> None:
        """Starts a service that is not running, until it is ready.

        ``kill``: arguments of ``kill_at``; ``bug``: of ``with_bug``; ``settings``: for this start only.
        """
        if service == "metadata":  # what a dead one holds would run out by itself, and no test need wait for that
            self.sql("DELETE FROM leases")
        wrapper = ("domicile_common.testing.kill_at", *kill, "--") if kill else ()
        if bug:
            wrapper = ("domicile_common.testing.with_bug", bug, "--")
        (self._disturbed.add if wrapper or settings else self._disturbed.discard)(service)
        self.suite.services[service].start(wrapper=wrapper, **settings)
        if wait:
            self.suite.services[service].wait_ready()

    def restart(self, service: str, *, kill: Sequence[str] = (), bug: str = "", wait: bool = True, **settings: str) -> None:
        """As ``start``, after SIGKILL."""
        self.suite.services[service].kill()
        self.start(service, kill=kill, bug=bug, wait=wait, **settings)

    def killed(self, service: str, seconds: float = 60) -> None:
        """Waits until a service that was started with ``kill`` has killed itself, and not ended for another reason."""
        self._ended(service, seconds, "SIGKILL")

    def stopped(self, service: str, seconds: float = 60) -> None:
        """Waits until a service that was asked to stop has done so in order."""
        self._ended(service, seconds, "exit code 0")

    def _ended(self, service: str, seconds: float, how: str) -> None:
        child = self.suite.services[service].child
        until(lambda: not child.alive, seconds, f"{service} has ended")
        assert how in child.died(), f"{child.died()}\n{child.last_words()}"

    def mend(self) -> None:
        """All services run as they did in the beginning."""
        for name, service in self.suite.services.items():
            if name in self._disturbed or not service.alive:
                self.restart(name)

    @contextmanager
    def another(self, name: str, **settings: str) -> Iterator[Service]:
        """A second process of a service, beside the first."""
        wiring = self.suite.services[name].wiring
        moved = {needed: str(ports.take()) for needed in NEEDS[name] if needed.endswith("_PORT")}
        service = Service(name, replace(wiring, values={**wiring.values, **moved}))
        try:
            service.start(**settings)
            service.wait_ready()
            yield service
        finally:
            service.kill()

    def peak_memory(self, service: str) -> int:
        """The most bytes that its process ever had resident."""
        status = Path(f"/proc/{self.suite.services[service].child.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def installation(
    logs: Path,
    *,
    backends: Sequence[S3Backend],
    database: str | None = None,
    broker: tuple[str, str] | None = None,
    links: Mapping[str, int] | None = None,
    folder: Path | None = None,
    tls: ssl.SSLContext | None = None,
    **settings: str,
) -> Iterator[Installation]:
    """A fresh one, with two tenants.

    Args:
        logs: folder for what its services write.
        backends: the real ones.
        database: URL of a database of its own; made on the run's server, and dropped again, when not given.
        broker: URL with a virtual host, and that of the management API; likewise.
        links: backend id → port of a link to it, where its services are not to connect straight.
        folder: where its secrets are files, as in containers; they are in the environment when not given.
        tls: how its ports are met, when ``settings`` have them speak TLS, and the links as well.
        settings: of the services, over ``SETTINGS``.
    """
    name = f"test_{secrets.token_hex(8)}"
    prefix = f"t{secrets.token_hex(5)}"
    with (
        run_servers.database(name) if database is None else _given(database) as database_url,
        _vhost(name) if broker is None else _given(broker) as (rabbitmq_url, management_url),
    ):
        linked = [_through(backend, scheme(tls), (links or {}).get(backend.backend_id)) for backend in backends]
        suite = Suite(
            Infrastructure(database_url, rabbitmq_url, management_url, linked),
            ports={each: ports.take() for each in PORTS},
            secrets={each: secrets.token_hex(32) for each in SECRETS},
            logs=logs,
            passed_on={**SETTINGS, "NAMESPACE_PREFIX": prefix, **settings, **(_in_files(folder) if folder else {})},
            tls=tls,
        )
        if folder:
            for name in IN_FILES:
                (folder / name).write_text(suite.services["metadata"].wiring.values[name])
        made = Installation(suite, backends, prefix, logs)
        try:
            suite.start(migrate=database is not None)
            for tenant in TENANTS:
                made.add_tenant(tenant)
            yield made
        finally:
            suite.kill()
            for backend_id in made.backends:
                _empty(made, backend_id)


def _in_files(folder: Path) -> dict[str, str]:
    return {"DOMICILE_SETTINGS": str(folder), **dict.fromkeys(IN_FILES, "")}


def _through(backend: S3Backend, scheme: str, port: int | None) -> S3Backend:
    return backend if port is None else replace(backend, endpoint=f"{scheme}://127.0.0.1:{port}")


@contextmanager
def _given(value: T) -> Iterator[T]:
    yield value


@contextmanager
def _vhost(name: str) -> Iterator[tuple[str, str]]:
    reach = run_servers.servers("rabbitmq").reach
    rabbitmq.make_vhost(reach.management, name)
    yield f"{reach.amqp}/{name}", reach.management
    rabbitmq.drop_vhost(reach.management, name)


def _empty(made: Installation, backend_id: str) -> None:
    """Servers may be kept for the next run: nothing of this one stays. One that a test has killed has nothing to keep."""
    s3 = made.at(backend_id)
    try:
        for namespace in made.namespaces(backend_id):
            for key in made.everything(backend_id, namespace):
                s3.delete_object(Bucket=namespace, Key=key)
            s3.delete_bucket(Bucket=namespace)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return
