import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, assert_type

import pytest

from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client import client as module
from domicile_common.metadata_client.client import ITEMS_PER_POST, MetadataClient
from domicile_common.metadata_client.models import (
    Abort,
    BucketPage,
    Commit,
    Delete,
    Deleted,
    Empty,
    ListBackends,
    ListBuckets,
    Renew,
)
from domicile_common.model import Digest

pytestmark = pytest.mark.servers

TOKEN = "the-service-token"
COMMIT = Commit(bucket_id="b", version_id="v", digest=Digest(0, ""), stored=())
OK = [{"ok": {}}]
Answer = tuple[int, Any]


class Service:
    """``answer``: makes status and document for the items of one post. ``posts``: call name and items of each. ``gate``: held while clear."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, list[dict[str, Any]]]] = []
        self.heads: list[str] = []
        self.answer: Callable[[list[dict[str, Any]]], Answer] = lambda items: (200, [{"ok": {}} for _ in items])
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self._server is not None:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
                items = json.loads(await reader.readexactly(length))
                self.heads.append(head)
                self.posts.append((head.split()[1], items))
                await self.gate.wait()
                status, document = self.answer(items)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                if status:
                    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
                else:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def client(service) -> AsyncIterator[MetadataClient]:
    client = MetadataClient(f"http://127.0.0.1:{service.port}", TOKEN)
    yield client
    await client.close()


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


def script(*answers: Answer) -> Callable[[list[dict[str, Any]]], Answer]:
    """One answer after the other; the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_a_call_is_a_post_of_an_array(service, client):
    service.answer = lambda _: (200, [{"ok": {"version_id": "x", "delete_marker": True}}])
    deleted = await client.call(Delete(bucket_id="b", key="é", trace="t"))
    assert_type(deleted, Deleted)
    assert deleted == Deleted("x", delete_marker=True)
    assert service.posts == [("/internal/delete", [{"bucket_id": "b", "key": "é", "trace": "t"}])]
    assert f"authorization: Bearer {TOKEN}\r\n" in service.heads[0]


async def test_an_answer_without_fields_is_one(client):
    assert await client.call(Abort(bucket_id="b", version_id="v")) == Empty()


async def test_concurrent_requests_travel_together(service, client):
    service.gate.clear()
    service.answer = lambda items: (200, [{"ok": {"version_id": item["key"]}} for item in items])

    def ask(first: int, last: int) -> list[asyncio.Task[Deleted]]:
        return [asyncio.create_task(client.call(Delete(bucket_id="b", key=str(number)))) for number in range(first, last)]

    tasks = ask(0, 3)  # at once: one post
    await until(lambda: len(service.posts) == 1)
    tasks += ask(3, 5)  # a second post while the first is under way
    await until(lambda: len(service.posts) == 2)
    tasks += ask(5, 9)  # these wait
    await asyncio.sleep(0.05)
    tasks += ask(9, 600)
    await asyncio.sleep(0.05)
    assert len(service.posts) == 2
    service.gate.set()
    assert [task.version_id for task in await asyncio.gather(*tasks)] == [str(number) for number in range(600)]
    assert [len(items) for _, items in service.posts[:2]] == [3, 2]
    assert sorted(len(items) for _, items in service.posts[2:]) == [600 - 5 - 2 * ITEMS_PER_POST, ITEMS_PER_POST, ITEMS_PER_POST]


async def test_one_call_does_not_wait_for_another(service, client):
    service.gate.clear()
    tasks = [asyncio.create_task(client.call(Delete(bucket_id="b", key="a")))]
    await until(lambda: len(service.posts) == 1)
    tasks += [asyncio.create_task(client.call(Renew(bucket_id="b", version_id="v")))]
    await until(lambda: len(service.posts) == 2)
    service.gate.set()
    await asyncio.gather(*tasks)


async def test_each_item_has_an_outcome_of_its_own(service, client):
    service.answer = lambda _: (
        200,
        [
            {"ok": {}},
            {"error": {"code": "NoSuchKey", "message": "m", "detail": {"Key": "k"}}},
            {"error": {"code": "InvalidRequest", "message": "m", "detail": {"Rule": "spread"}}},
            {"unavailable": "the database is away"},
            {},
        ],
    )
    outcomes = await asyncio.gather(*(client.call(Delete(bucket_id="b", key="k")) for _ in range(5)), return_exceptions=True)
    ok, error, refusal, away, nothing = outcomes
    assert ok == Deleted()
    assert isinstance(error, RequestError)
    assert not isinstance(error, PolicyRefused)
    assert (error.code, error.message, error.detail) == ("NoSuchKey", "m", {"Key": "k"})
    assert isinstance(refusal, PolicyRefused)
    assert refusal.detail == {"Rule": "spread"}
    assert isinstance(away, Unavailable)
    assert str(away) == "the database is away"
    assert isinstance(nothing, Unavailable)
    assert len(service.posts) == 1


@pytest.mark.parametrize("trouble", [(503, b""), (500, b"x"), (0, b""), (200, [{"unavailable": "the database is away"}])])
async def test_trouble_is_ridden_out_where_repeating_is_harmless(service, client, trouble):
    service.answer = script(trouble, trouble, (200, [{"ok": {"buckets": []}}]))
    assert await client.call(ListBuckets(tenant_id="t")) == BucketPage(())
    assert len(service.posts) == 3


@pytest.mark.parametrize("trouble", [(503, b""), (0, b""), (200, [{"unavailable": "the database is away"}])])
async def test_what_may_have_been_done_is_not_repeated(service, client, trouble):
    service.answer = script(trouble, (200, OK))
    with pytest.raises(Unavailable):
        await client.call(COMMIT)
    assert len(service.posts) == 1


async def test_what_never_arrived_is_repeated_whatever_it_was(service, client):
    await service.stop()
    waiting = asyncio.create_task(client.call(Delete(bucket_id="b", key="k")))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await service.start()
    assert await waiting == Deleted()


@pytest.mark.parametrize("request_", [ListBackends(), COMMIT])
async def test_riding_out_ends(service, client, monkeypatch, request_):
    monkeypatch.setattr(module, "RIDE_OUT_SECONDS", 0.3)
    await service.stop()
    with pytest.raises(Unavailable, match="ConnectFailed"):
        await asyncio.wait_for(client.call(request_), 30)


@pytest.mark.parametrize(
    "answer",
    [(401, b""), (404, b""), (400, b"{}"), (200, b"<html>"), (200, []), (200, [*OK, *OK]), (200, [{"ok": {"buckets": 1}}])],
)
async def test_what_cannot_be_mended_by_repeating_is_not_repeated(service, client, answer):
    service.answer = script(answer)
    with pytest.raises(Unavailable) as caught:
        await client.call(ListBuckets(tenant_id="t"))
    assert len(service.posts) == 1
    assert TOKEN not in f"{caught.value!r} {client!r}"


async def test_callers_that_give_up_are_left_out_and_disturb_nobody(service, client):
    service.gate.clear()
    tasks = [asyncio.create_task(client.call(Delete(bucket_id="b", key="0")))]
    await until(lambda: len(service.posts) == 1)
    tasks += [asyncio.create_task(client.call(Delete(bucket_id="b", key="1")))]
    await until(lambda: len(service.posts) == 2)
    tasks += [asyncio.create_task(client.call(Delete(bucket_id="b", key=key))) for key in "234"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[3].cancel()
    await asyncio.sleep(0)
    service.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, Deleted) for outcome in outcomes] == [False, True, True, False, True]
    assert [[item["key"] for item in items] for _, items in service.posts] == [["0"], ["1"], ["2", "4"]]


async def test_silence_is_unavailable(service):
    service.gate.clear()
    client = MetadataClient(f"http://127.0.0.1:{service.port}", TOKEN, limits=module.Limits(silence=0.3))
    with pytest.raises(Unavailable, match="TimedOut"):
        await asyncio.wait_for(client.call(COMMIT), 30)
    await client.close()


async def test_closing_fails_what_is_under_way(service, client):
    service.gate.clear()
    tasks = [asyncio.create_task(client.call(Delete(bucket_id="b", key="0")))]
    await until(lambda: len(service.posts) == 1)
    await client.close()
    with pytest.raises(Unavailable, match="closed"):
        await tasks[0]


async def test_while_the_token_is_changed_the_other_one_is_shown_to_who_refuses_the_first(service, client):
    def answer(items):
        good = service.heads[-1].count("Bearer the-old-token\r\n")
        return (200, OK) if good else (401, {"error": "the service token is missing or wrong"})

    service.answer = answer
    with pytest.raises(Unavailable, match="401"):
        await client.call(Delete(bucket_id="b", key="k"))
    client.use_tokens("the-new-token", "the-old-token")
    service.heads.clear()
    await client.call(Delete(bucket_id="b", key="k"))  # which may not be repeated when it may have been done
    assert [head.partition("Bearer ")[2].partition("\r\n")[0] for head in service.heads] == ["the-new-token", "the-old-token"]
