"""What only a socket shows: host names, 100-continue, connections."""

from __future__ import annotations

import socket
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config

from domicile_common.testing.raw_s3 import UNSIGNED

pytestmark = pytest.mark.servers


@pytest.fixture
def raw(domicile):
    return domicile.raw()


@pytest.fixture
def connect(raw):
    host, port = raw.address.split(":")
    return lambda: socket.create_connection((host, int(port)), timeout=20)


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(10_000), b""))


def test_a_bucket_may_be_named_by_the_host(raw, bucket):
    host = {"host": f"{bucket}.s3.test"}
    assert raw.send("PUT", "/a/b%2Fc", b"1", host).status == 200
    assert raw.send("GET", f"/{bucket}/a/b%2Fc").body == b"1"
    assert raw.send("GET", "/?list-type=2", headers=host).texts("Key") == ["a/b/c"]
    assert raw.send("GET", f"/{bucket}/a", headers=host).code == "NoSuchKey"
    assert raw.send("GET", "/", headers={"host": "s3.test"}).texts("Name").count(bucket) == 1
    assert raw.send("GET", f"/{bucket}/a/b%2Fc", headers={"host": "s3.test:9000"}).body == b"1"
    assert raw.send("PUT", "/", headers={"host": "made-by-host.s3.test"}).status == 200
    assert raw.send("DELETE", "/made-by-host").status == 204


def test_a_stock_client_with_virtual_hosts(domicile, raw, bucket, monkeypatch):
    look_up, port = socket.getaddrinfo, int(raw.address.rpartition(":")[2])
    names = []

    def find_here(host, *rest, **options):
        names.append(host)
        return look_up("127.0.0.1" if host.endswith("s3.test") else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find_here)
    key = domicile.keys["one"]
    session = boto3.Session(key.access_key, key.secret_key, region_name="us-east-1")
    by_host = Config(s3={"addressing_style": "virtual"})
    s3 = session.client("s3", endpoint_url=f"http://s3.test:{port}", config=by_host)
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == b"1"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü"]
    assert set(names) == {f"{bucket}.s3.test"}


def test_a_client_that_waits_is_told_to_go_on_only_when_it_is_let_in(raw, connect, bucket):
    expect = {"expect": "100-continue"}
    good = raw.prepare("PUT", f"/{bucket}/k", b"0123456789", expect, payload=UNSIGNED)
    with connect() as connection:
        connection.sendall(good.head())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(good.body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    stranger = replace(raw.signer, secret_key="wrong")
    bad = {
        b"403": raw.prepare("PUT", f"/{bucket}/k", b"other", expect, payload=UNSIGNED, signer=stranger),
        b"404": raw.prepare("PUT", "/no-such-bucket-anywhere/k", b"other", expect, payload=UNSIGNED),
        b"400": raw.prepare("PUT", f"/{bucket}/{'k' * 1025}", b"other", expect, payload=UNSIGNED),
        b"412": raw.prepare("PUT", f"/{bucket}/k", bytes(300_000), {**expect, "if-none-match": "*"}, payload=UNSIGNED),
    }
    for status, request in bad.items():
        with connect() as connection:
            connection.sendall(request.head())
            answer = b""
            while piece := connection.recv(
                10_000
            ):  # to the end: the connection is closed, for nobody knows whether a body follows
                answer += piece
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert b"100 Continue" not in answer
            assert b"connection: close" in answer.lower()
    assert raw.send("GET", f"/{bucket}/k").body == b"0123456789"


def test_a_client_that_waits_with_nothing_to_send_is_told_to_go_on(raw, connect, bucket):
    """botocore asks before empty bodies as well, and misreads the next answer on a connection where it was not told."""
    with connect() as connection:
        for number in range(2):
            request = raw.prepare("PUT", f"/{bucket}/{number}", b"", {"expect": "100-continue"})
            connection.sendall(request.head())
            answer = b""
            while answer.count(b"\r\n\r\n") < 2:
                answer += connection.recv(1000)
            told, rest, _ = answer.split(b"\r\n\r\n")
            assert told == b"HTTP/1.1 100 Continue"
            assert rest.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" not in rest.lower()
    assert raw.send("GET", f"/{bucket}").texts("Key") == ["0", "1"]


def test_requests_may_follow_each_other_on_one_connection(raw, connect, bucket):
    with connect() as connection:
        for number in range(3):
            request = raw.prepare("PUT", f"/{bucket}/{number}", b"x" * number)
            connection.sendall(request.head() + request.body)
            answer = connection.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" not in answer.lower()
    assert raw.send("GET", f"/{bucket}").texts("Key") == ["0", "1", "2"]


@pytest.mark.parametrize(
    "request_line", ["GET / HTTP/1.1", "PUT /a-bucket/k HTTP/1.1", "DELETE /a-bucket HTTP/1.1", "GET /metrics HTTP/1.1"]
)
def test_nobody_is_let_in_without_a_signature(connect, request_line):
    with connect() as connection:
        connection.sendall(f"{request_line}\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"<Code>AccessDenied</Code>" in answer


def test_what_every_answer_has(raw, bucket):
    answers = [raw.send("GET", f"/{bucket}"), raw.send("GET", f"/{bucket}/nothing"), raw.unsigned("GET", "/")]
    ids = {answer.headers["x-amz-request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(answer.headers["date"] for answer in answers)
    assert answers[1].texts("RequestId") == [answers[1].headers["x-amz-request-id"]]
