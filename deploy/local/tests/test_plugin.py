"""The plug-in's promises: sockets are blocked without the mark, and what a fixture gives is real and one's own."""

from __future__ import annotations

import asyncio
import socket

import boto3
import httpx
import pytest
import pytest_socket

from domicile_local.servers import postgres
from domicile_local.servers.s3 import client


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_unmarked_tests_have_no_sockets():
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket()


async def test_unmarked_tests_have_an_event_loop():
    await asyncio.sleep(0)


@pytest.mark.servers
def test_each_test_has_an_empty_database_of_its_own(empty_database_url):
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.query(empty_database_url, tables, "CREATE TABLE here ()", tables) == [(1,)]


@pytest.mark.servers
def test_each_test_has_a_migrated_database_of_its_own(database_url):
    assert postgres.query(database_url, "SELECT count(*) FROM versions") == [(0,)]


@pytest.mark.servers
async def test_async_tests_share_the_loop_with_sync_fixtures(database_url):
    await asyncio.sleep(0)
    assert await asyncio.to_thread(postgres.answers, database_url)


@pytest.mark.servers
def test_each_test_has_a_virtual_host_of_its_own(rabbitmq_url, rabbitmq_management):
    vhost = rabbitmq_url.rpartition("/")[2]
    answer = httpx.get(f"{rabbitmq_management}/api/vhosts/{vhost}", trust_env=False)
    assert answer.json()["name"] == vhost


@pytest.mark.servers
@pytest.mark.parametrize("country", ["FI", "DE", "US"])
def test_backends_are_real_and_know_only_their_own_keys(backends, country):
    (backend,) = [each for each in backends if each.country == country]
    (other,) = [each for each in backends if each.country == {"FI": "DE", "DE": "US", "US": "FI"}[country]]
    s3 = client(backend)
    s3.create_bucket(Bucket="plugin-test")
    s3.put_object(Bucket="plugin-test", Key="a", Body=b"bytes")
    assert s3.get_object(Bucket="plugin-test", Key="a")["Body"].read() == b"bytes"
    s3.delete_object(Bucket="plugin-test", Key="a")
    s3.delete_bucket(Bucket="plugin-test")
    stranger = boto3.Session(other.access_key, other.secret_key, region_name="us-east-1").client(
        "s3", endpoint_url=backend.endpoint
    )
    with pytest.raises(stranger.exceptions.ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()
