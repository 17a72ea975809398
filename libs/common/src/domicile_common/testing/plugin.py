"""The pytest plug-in: real servers for tests marked ``servers``, and no sockets for all others.

Every fixture below hands out something of its own: a database, a virtual host, a port. The servers behind them are started once a run,
when the first test asks for them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from domicile_common.testing import run_servers
from domicile_local.servers import ports, rabbitmq
from domicile_local.servers.reach import S3Backend

# How long an example takes says nothing on a busy machine. The same examples come in every run, so that it judges a change and nothing
# else; `make test ARGS=--hypothesis-profile=search` looks for others.
SEARCH = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("search", SEARCH)
hypothesis.settings.register_profile("domicile", SEARCH, derandomize=True, database=None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # asyncio's loop wakes itself through a pair of Unix sockets.
    config.option.disable_socket = config.option.allow_unix_socket = True
    hypothesis.settings.load_profile("domicile")  # another that is asked for comes after this one
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


@pytest.fixture
def empty_database_url() -> Iterator[str]:
    """A database without a schema."""
    with run_servers.database(f"test_{secrets.token_hex(8)}", "template0") as url:
        yield url


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database with the current schema and no rows."""
    with run_servers.database(f"test_{secrets.token_hex(8)}") as url:
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
