from __future__ import annotations

import asyncio
import hashlib

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import FindBucket, FindCredential, Locate


async def test_every_answer_carries_its_ids_date_and_server(proxy):
    for path in ("/bucket/none", "/", "/bucket?acl&uploads"):
        answer = await proxy.ask("GET", path)
        assert {"x-amz-request-id", "x-amz-id-2", "date", "content-length"} <= answer.headers.keys()
        assert answer.headers["server"] == "Domicile"
        assert answer.headers["x-amz-request-id"].encode() in answer.body or answer.status == 200


async def test_somebody_without_a_key_sees_no_bucket_and_may_not_ask_for_an_account(proxy):
    for method, path in (
        ("GET", "/bucket/key"),
        ("PUT", "/bucket/key"),
        ("GET", "/bucket"),
        ("GET", "/never/key"),
        ("GET", "/never"),
    ):
        answer = await proxy.ask_anonymously(method, path, body=b"" if method == "PUT" else None)
        assert (answer.status, answer.code) == (403, "AccessDenied")
    for method, path in (("GET", "/"), ("PUT", "/other")):
        answer = await proxy.ask_anonymously(method, path)
        assert (answer.status, answer.code) == (403, "AccessDenied")


async def test_a_wrong_signature_is_refused(proxy):
    answer = await proxy.ask("GET", "/bucket/key", secret="WRONG")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


async def test_keys_that_are_off_are_as_unknown_as_those_that_never_were(proxy):
    proxy.add_key("DISABLED", state="disabled")
    proxy.add_key("GONE", tenant_state="disabled")
    answers = [await proxy.ask("GET", "/bucket/key", access_key=key) for key in ("DISABLED", "GONE", "NEVER")]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "InvalidAccessKeyId")}


async def test_guessing_a_key_does_not_reach_metadata_each_time(proxy):
    for _ in range(5):
        await proxy.ask("GET", "/bucket/key", access_key="NEVER")
    assert proxy.metadata.count(FindCredential) == 1


async def test_a_read_only_key_reads_and_does_not_write(proxy):
    proxy.add_key("READER", access="read")
    await proxy.ask("PUT", "/bucket/key", body=b"hello")
    assert (await proxy.ask("GET", "/bucket/key", access_key="READER")).body == b"hello"
    for method, path in (("PUT", "/bucket/key"), ("DELETE", "/bucket/key"), ("PUT", "/other"), ("DELETE", "/bucket")):
        answer = await proxy.ask(method, path, body=b"", access_key="READER")
        assert (answer.status, answer.code) == (403, "AccessDenied")


async def test_what_is_not_served_is_refused_by_name(proxy):
    answer = await proxy.ask("PUT", "/bucket?notification", body=b"{}")
    assert (answer.status, answer.code) == (501, "NotImplemented")
    answer = await proxy.ask("PATCH", "/bucket/key")
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")


async def test_another_tenants_bucket_is_as_absent_as_one_that_never_was(proxy):
    proxy.add_bucket("theirs", "other")
    await proxy.ask("PUT", "/bucket/key", body=b"mine")
    theirs, never = [await proxy.ask("GET", f"/{name}/key") for name in ("theirs", "never")]
    assert (theirs.status, theirs.code) == (never.status, never.code) == (404, "NoSuchBucket")
    copies = [await proxy.ask("PUT", "/bucket/copy", {"x-amz-copy-source": f"/{name}/key"}, b"") for name in ("theirs", "never")]
    assert [(copy.status, copy.code) for copy in copies] == [(404, "NoSuchBucket")] * 2


async def test_an_unexpected_error_says_nothing_of_itself(proxy):
    proxy.metadata.failing[Locate] = RuntimeError("the password is hunter2")
    answer = await proxy.ask("GET", "/bucket/key")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"hunter2" not in answer.body
    (line,) = [line for line in proxy.logs if line["log_level"] == "error"]
    assert line["request_id"] == answer.headers["x-amz-request-id"]


async def test_a_head_fails_without_a_body_and_the_connection_goes_on(proxy):
    async with proxy.connection() as connection:
        for _ in range(2):
            connection.send(proxy.head("HEAD", "/bucket/none"))
            answer = await connection.answer(bodyless=True)
            assert answer.status == 404


async def test_virtual_host_addressing(proxy):
    await proxy.ask("PUT", "/bucket/a b/ü", body=b"hello")
    head = proxy.head("GET", "/a b/ü", {"host": "bucket.s3.example"})
    async with proxy.connection() as connection:
        connection.send(head)
        assert (await connection.answer()).body == b"hello"


async def test_a_bucket_that_was_made_anew_is_found_at_once(proxy):
    await proxy.ask("PUT", "/bucket/key", body=b"old")
    proxy.add_bucket("bucket")  # the invalidation was lost
    proxy.metadata.failing[Locate] = RequestError("NoSuchBucket")

    def heal() -> None:
        proxy.metadata.failing.clear()

    proxy.metadata.before[FindBucket] = heal
    answer = await proxy.ask("GET", "/bucket/key")
    assert (answer.status, answer.code) == (404, "NoSuchKey")


async def test_a_bucket_that_is_gone_stays_gone(proxy):
    await proxy.ask("PUT", "/bucket/key", body=b"old")
    proxy.metadata.buckets.clear()
    proxy.metadata.failing[Locate] = RequestError("NoSuchBucket")
    answer = await proxy.ask("GET", "/bucket/key")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


async def test_100_continue_is_sent_after_authentication_only(proxy):
    expecting = {"expect": "100-continue"}
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", expecting, length=5, secret="WRONG"))
        answer = await connection.answer()
        assert (answer.status, answer.headers["connection"]) == (403, "close")
        assert await connection.reader.read() == b""
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", expecting, length=5))
        assert (await connection.head())[0] == 100
        connection.send(b"hello")
        assert (await connection.answer()).status == 200


async def test_a_client_that_goes_on_sending_still_reads_the_refusal(proxy):
    size = 4 * 1024 * 1024
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=size, secret="WRONG"))
        connection.send(bytes(size))
        await connection.writer.drain()
        answer = await connection.answer()
        assert (answer.code, answer.headers["connection"]) == ("SignatureDoesNotMatch", "close")
        assert await connection.reader.read() == b""


async def test_a_connection_serves_one_request_after_another(proxy):
    async with proxy.connection() as connection:
        for number in range(3):
            body = str(number).encode()
            connection.send(proxy.head("PUT", "/bucket/key", length=1) + body)
            assert (await connection.answer()).headers["etag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
            connection.send(proxy.head("GET", "/bucket/key"))
            assert (await connection.answer()).body == body


async def test_a_client_that_pauses_for_too_long_is_told_so(proxy):
    object.__setattr__(proxy.context.settings, "client_idle_seconds", 0.05)
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=1_000_000) + b"beginning")
        answer = await connection.answer()
        assert (answer.status, answer.code) == (400, "RequestTimeout")
    await proxy.wait(lambda: not proxy.metadata.intents)


async def test_concurrent_first_requests_share_one_lookup(proxy):
    answers = await asyncio.gather(*(proxy.ask("GET", "/bucket/none") for _ in range(10)))
    assert {answer.code for answer in answers} == {"NoSuchKey"}
    assert proxy.metadata.count(FindCredential) == proxy.metadata.count(FindBucket) == 1
