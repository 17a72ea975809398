"""The pytest plug-in: real servers for tests marked ``servers``, and no sockets for all others.

Every fixture below hands out something of its own: a database, a virtual host, a port. The servers behind them are started once a run,
when the first test asks for them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from domicile_common.testing import run_servers
from domicile_local import migrations
from domicile_local.servers import ports, postgres, rabbitmq
from domicile_local.servers.reach import S3Backend


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # asyncio's loop wakes itself through a pair of Unix sockets.
    config.option.disable_socket = config.option.allow_unix_socket = True
    if not hasattr(config, "workerinput"):  # an xdist worker has it
        run_servers.open_run()
        config.add_cleanup(run_servers.close_run)


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("servers"):
        item.add_marker(pytest.mark.enable_socket)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The cluster's own database, as its superuser."""
    return run_servers.servers("postgres").reach.postgres


@pytest.fixture(scope="session")
def template_database() -> str:
    """Name of a migrated database that tests' databases are copied from; made once for each state of the migrations."""
    place = run_servers.servers("postgres")
    server, name = place.reach.postgres, f"template_{migrations.fingerprint()}"
    with run_servers.locked(place.folder / "template.lock"):
        if not postgres.query(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608 -- our own hex digits
            postgres.query(server, f"DROP DATABASE IF EXISTS {name}_new", f"CREATE DATABASE {name}_new")
            migrations.migrate(postgres.with_database(server, f"{name}_new"))
            postgres.query(server, f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(8)}"
    postgres.query(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.with_database(server, name)
    postgres.query(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without a schema."""
    with _database(postgres_url, "template0") as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A database with the current schema and no rows."""
    with _database(postgres_url, template_database) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_management() -> str:
    """URL of the management API with credentials, without ``/api``; the virtual host of a test is its ``rabbitmq_url``'s path."""
    return run_servers.servers("rabbitmq").reach.management


@pytest.fixture
def rabbitmq_url(rabbitmq_management: str) -> Iterator[str]:
    """An AMQP URL with a virtual host of its own."""
    vhost = f"test-{secrets.token_hex(8)}"
    rabbitmq.make_vhost(rabbitmq_management, vhost)
    yield f"{run_servers.servers('rabbitmq').reach.amqp}/{vhost}"
    rabbitmq.drop_vhost(rabbitmq_management, vhost)


@pytest.fixture(scope="session")
def backends() -> tuple[S3Backend, ...]:
    """Three real S3 backends: ``fi`` in FI, ``de`` in DE, ``us`` in US."""
    return run_servers.servers("s3").reach.s3


@pytest.fixture(scope="session")
def unused_ports() -> Callable[[], int]:
    """Gives a free port on 127.0.0.1 at each call."""
    return ports.take


@pytest.fixture
def unused_port() -> int:
    return ports.take()
