"""The same servers from containers, by testcontainers: for INFRA=docker.

Images: DOMICILE_POSTGRES_IMAGE, DOMICILE_RABBITMQ_IMAGE, DOMICILE_SEAWEEDFS_IMAGE, or the public ones.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer

from domicile_local.errors import SuiteError
from domicile_local.servers import ports, postgres, rabbitmq, s3, seaweedfs
from domicile_local.servers.reach import DEFAULT_BACKENDS, Kind, Reach, S3Backend, backend_kind, fresh_backends

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # whoever started us sees to the end of the containers

SECONDS = 180.0


def image(part: str, public: str) -> str:
    return os.environ.get(f"DOMICILE_{part}_IMAGE", public)


@contextmanager
def servers(kind: Kind, folder: Path) -> Iterator[Reach]:
    """As ``hosting.own_servers``; the data lives and dies with the containers, so the folder stays empty."""
    del folder
    make = {"postgres": _postgres, "rabbitmq": _rabbitmq, "s3": _s3}[kind]
    with ExitStack() as stack:
        yield make(stack)


def _start(stack: ExitStack, container: DockerContainer, published: dict[int, int]) -> DockerContainer:
    """``published``: port in the container → port on 127.0.0.1."""
    bindings: dict[str, Any] = (
        container.ports
    )  # narrower than what Docker's client takes: with an address, nothing listens beyond this machine
    bindings.update({str(inner): ("127.0.0.1", outer) for inner, outer in published.items()})
    stack.enter_context(container)
    return container


def _wait(container: DockerContainer, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        if container.status == "exited" or time.monotonic() > deadline:
            words = b"\n".join(container.get_logs()).decode(errors="replace")[-800:]
            raise SuiteError(f"The container of {container.image} did not become ready: {words}")
        time.sleep(0.2)


def _postgres(stack: ExitStack) -> Reach:
    port, password = ports.take(), secrets.token_hex(16)
    container = DockerContainer(image("POSTGRES", "postgres:17"))
    container.with_envs(POSTGRES_USER=postgres.USER, POSTGRES_PASSWORD=password, POSTGRES_DB="postgres")
    _start(stack, container.with_command("postgres -c fsync=off -c max_connections=300"), {5432: port})
    url = f"postgresql://{postgres.USER}:{password}@127.0.0.1:{port}/postgres"
    _wait(container, lambda: postgres.answers(url))
    return Reach(postgres=url)


def _rabbitmq(stack: ExitStack) -> Reach:
    amqp, management, password = ports.take(), ports.take(), secrets.token_hex(16)
    container = DockerContainer(image("RABBITMQ", rabbitmq.IMAGE))
    container.with_envs(RABBITMQ_DEFAULT_USER=rabbitmq.USER, RABBITMQ_DEFAULT_PASS=password)
    _start(stack, container, {5672: amqp, 15672: management})
    login = f"{rabbitmq.USER}:{password}@127.0.0.1"
    reach = Reach(amqp=f"amqp://{login}:{amqp}", management=f"http://{login}:{management}")
    _wait(container, lambda: rabbitmq.answers(reach.management))
    return reach


def _s3(stack: ExitStack) -> Reach:
    if backend_kind(os.environ) not in {None, DEFAULT_BACKENDS}:
        raise SuiteError(f"BACKENDS: containers are of {DEFAULT_BACKENDS} only.")
    backends = fresh_backends(DEFAULT_BACKENDS)
    started = [(_seaweedfs(stack, each), each) for each in backends]
    for container, backend in started:
        _wait(container, partial(s3.answers, backend))
    return Reach(s3=tuple(backends))


def _seaweedfs(stack: ExitStack, backend: S3Backend) -> DockerContainer:
    container = DockerContainer(image("SEAWEEDFS", "chrislusf/seaweedfs"))
    container.with_envs(AWS_ACCESS_KEY_ID=backend.access_key, AWS_SECRET_ACCESS_KEY=backend.secret_key)
    container.with_envs(WEED_MASTER_VOLUME_GROWTH_COPY_1="1")
    options = {**seaweedfs.COMMON_OPTIONS, "ip": "127.0.0.1", "ip.bind": "0.0.0.0", "dir": "/data", "s3.port": 8333}  # noqa: S104 -- in its container
    # The image's own entry point adds options that preallocate gigabytes.
    container.with_kwargs(entrypoint=["weed"]).with_command(seaweedfs.arguments(options))
    return _start(stack, container, {8333: backend.port})
