"""A tenant that asks too much is told to slow down, and nobody else notices."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec
import pytest

from domicile_common.bucket_settings import CorsRule
from domicile_common.errors import RequestError
from domicile_common.model import Rates
from domicile_proxy.limits import PATIENCE, Limiter, TenantLimits

LONG = 4 << 20  # bytes; a body that is stored as it comes
PUBLIC = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open/*"}]}'


async def test_who_asks_too_often_is_told_when_to_come_again(proxy):
    proxy.add_key("OFTEN", "other", rates=Rates(requests_per_second=0.01))
    proxy.add_bucket("theirs", "other")
    assert (await proxy.ask("GET", "/theirs", access_key="OFTEN", secret="WRONG")).code == "SignatureDoesNotMatch"
    assert (await proxy.ask("GET", "/theirs/none", access_key="OFTEN")).code == "NoSuchKey"
    answer = await proxy.ask("GET", "/theirs/none", access_key="OFTEN")
    assert (answer.status, answer.code) == (503, "SlowDown")
    assert 90 <= int(answer.headers["retry-after"]) <= 100
    assert (await proxy.ask("GET", "/bucket/none")).code == "NoSuchKey"


async def test_so_many_requests_at_once_and_no_more(proxy):
    proxy.add_key("BUSY", rates=Rates(concurrent_requests=1))
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=LONG, access_key="BUSY") + b"a")
        await proxy.wait(lambda: proxy.metadata.intents)
        answer = await proxy.ask("GET", "/bucket/key", access_key="BUSY")
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "SlowDown", "1")
        connection.send(b"a" * (LONG - 1))
        assert (await connection.answer()).status == 200
    assert len((await proxy.ask("GET", "/bucket/key", access_key="BUSY")).body) == LONG


async def test_whoever_leaves_in_mid_stream_counts_no_longer(proxy):
    proxy.add_key("BUSY", rates=Rates(concurrent_requests=1))
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=LONG, access_key="BUSY") + b"a")
        await proxy.wait(lambda: proxy.metadata.intents)
    await proxy.wait(lambda: not proxy.metadata.intents)
    assert (await proxy.ask("GET", "/bucket/key", access_key="BUSY")).code == "NoSuchKey"


async def test_bytes_are_slowed_down_in_both_directions(proxy):
    proxy.add_key("HEAVY", rates=Rates(bytes_per_second=1_000_000))
    content = bytes(range(256)) * 6000  # of which a second's worth is free
    clock = asyncio.get_running_loop().time
    began = clock()
    assert (await proxy.ask("PUT", "/bucket/key", body=content, access_key="HEAVY")).status == 200
    assert clock() - began > 0.4
    began = clock()
    answer = await proxy.ask("GET", "/bucket/key", access_key="HEAVY")
    assert clock() - began > 0.4
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content).digest()


async def test_nobody_in_particular_counts_for_the_buckets_owner(proxy):
    bucket = proxy.add_bucket("open", "other", policy=PUBLIC)
    proxy.metadata.buckets["other", "open"] = msgspec.structs.replace(bucket, rates=Rates(requests_per_second=0.01))
    assert (await proxy.ask_anonymously("GET", "/open/none")).status in (403, 404)
    assert (await proxy.ask_anonymously("GET", "/open/none")).code == "SlowDown"


async def test_forms_of_nobody_in_particular_count_for_the_owner_until_they_are_answered(proxy):
    rules = (CorsRule(("https://page.example",), ("POST",)),)
    bucket = proxy.add_bucket("open", "other", policy=PUBLIC, cors=rules)
    rates = Rates(concurrent_requests=1)
    proxy.metadata.buckets["other", "open"] = msgspec.structs.replace(bucket, rates=rates)
    proxy.add_key("OWNER", "other", rates=rates)
    headers = {"content-type": "multipart/form-data; boundary=b", "origin": "https://page.example"}
    form = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    for _ in range(2):
        answer = await proxy.ask_anonymously("POST", "/open", headers, form)
        assert (answer.code, answer.headers["access-control-allow-origin"]) == ("AccessDenied", "https://page.example")
    assert (await proxy.ask("GET", "/open/none", access_key="OWNER")).code == "NoSuchKey"


def test_nothing_new_is_begun_while_much_is_still_due():
    now = 0.0
    limits = TenantLimits(Rates(bytes_per_second=100), lambda: now)
    limits.enter()

    async def send(size):
        sending = asyncio.ensure_future(limits.pace(size))
        await asyncio.sleep(0)
        sending.cancel()

    asyncio.run(send(100 + int(100 * PATIENCE) + 50))
    with pytest.raises(RequestError, match="bytes a second") as refused:
        limits.enter()
    assert refused.value.detail == {"RetryAfterSeconds": "3"}
    now = 1.0
    limits.enter()


def test_new_rates_count_from_the_next_request_on():
    limiter = Limiter(lambda: 0.0)
    limiter.enter("t", Rates(concurrent_requests=1))
    with pytest.raises(RequestError):
        limiter.enter("t", Rates(concurrent_requests=1))
    limiter.enter("u", Rates(concurrent_requests=1))
    limiter.enter("t", Rates(concurrent_requests=2))
