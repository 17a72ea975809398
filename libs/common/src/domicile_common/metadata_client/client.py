"""The typed client of metadata's internal API (see ``models``).

    located = await client.call(Locate(bucket_id=bucket_id, key=key))   # a Located

Concurrent requests of one call travel together: each call has a lane, and a lane has at most two posts under way; what comes meanwhile
waits and leaves in one array with the next. That is where most of the cost of asking goes away, and commits so share one fsync.

A failure that says nothing about the request (no answer, 5xx, ``unavailable``) is ridden out for about two seconds where repeating is
harmless: for calls marked ``safe``, and for any call that never reached metadata. So a restart of metadata or of PostgreSQL shows as a
short delay. After that it is ``Unavailable``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from domicile_common.backends.http1 import Client, ConnectFailed, EarlyAnswer, HttpError, Limits, Tls
from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.loops import spread
from domicile_common.metadata_client.models import CALLS, Call, Failure, Outcome, R, Request
from domicile_common.tracing import Span, SpanKind, is_exporting

LIMITS = Limits(connections=64, connect=2.0, silence=10.0)
POSTS_PER_LANE = 2
ITEMS_PER_POST = 256
RIDE_OUT_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.4
CLOSED = "the client of metadata was closed"
MAX_ANSWER = 256 * 1024 * 1024  # bytes; a Located with 10,000 parts is 1 MiB


_Headers = tuple[tuple[str, str], ...]


class Metadata(Protocol):
    """What proxy and replicator need of metadata; ``MetadataClient``, and ``FakeMetadata`` in unit tests."""

    async def call(self, request: Request[R]) -> R:
        """Raises ``RequestError`` (also ``PolicyRefused``) as the request's docstring says, and ``Unavailable``."""


@dataclass(slots=True, eq=False)
class _Item:
    """One request under way. ``deadline``: on the loop's clock, when it is no longer repeated."""

    body: bytes
    answer: asyncio.Future[Any]
    deadline: float


@dataclass(slots=True, eq=False)
class _Lane:
    """The requests of one call. ``posts``: how many are under way; ``starting``: one is about to leave with all that wait."""

    call: Call
    decoder: msgspec.json.Decoder[list[Outcome[Any]]]
    waiting: deque[_Item] = field(default_factory=deque)
    posts: int = 0
    starting: bool = False

    def take(self) -> list[_Item]:
        """What goes into the next post; callers that gave up are left out."""
        items: list[_Item] = []
        while self.waiting and len(items) < ITEMS_PER_POST:
            item = self.waiting.popleft()
            if not item.answer.done():
                items.append(item)
        return items


class MetadataClient:
    """``url``: of the metadata service; ``tokens``: the service token, and the other one while it is changed. Belongs to one event loop."""

    def __init__(self, url: str, *tokens: str, limits: Limits = LIMITS, tls: Tls | None = None) -> None:
        self._client = Client(url.rstrip("/"), limits, tls)
        self._patience = limits.silence
        self.use_tokens(*tokens)
        self._encoder = msgspec.json.Encoder()
        self._posts: set[asyncio.Task[None]] = set()
        self._lanes = {request: _Lane(call, _decoder(call)) for request, call in CALLS.items()}

    async def call(self, request: Request[R]) -> R:
        """Raises ``RequestError`` (also ``PolicyRefused``) as the request's docstring says, and ``Unavailable``."""
        lane = self._lanes[type(request)]
        if not (request.trace and is_exporting()):
            return await self._call(lane, request)
        with Span(f"metadata {lane.call.name}", SpanKind.CLIENT, parent=request.trace) as span:
            return await self._call(lane, msgspec.structs.replace(request, trace=span.trace))

    async def _call(self, lane: _Lane, request: Request[R]) -> R:
        loop = asyncio.get_running_loop()
        item = _Item(self._encoder.encode(request), loop.create_future(), loop.time() + RIDE_OUT_SECONDS)
        lane.waiting.append(item)
        if not lane.starting and lane.posts < POSTS_PER_LANE:
            lane.starting = True
            lane.posts += 1
            post = loop.create_task(self._serve(lane))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)
        answer: R = await item.answer
        return answer

    def use_tokens(self, *tokens: str) -> None:
        """The next one is shown when one is refused, so that tokens may be changed in any order of the services."""
        self._headers = [(("authorization", f"Bearer {token}"), ("content-type", "application/json")) for token in tokens]

    async def close(self) -> None:
        """What is under way fails with ``Unavailable``."""
        for post in self._posts:
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)
        for lane in self._lanes.values():
            _fail(lane.take(), CLOSED)
        await self._client.close()

    async def _serve(self, lane: _Lane) -> None:
        """Posts until nothing waits."""
        lane.starting = False
        items: list[_Item] = []
        try:
            while items := lane.take():
                pause = FIRST_PAUSE_SECONDS
                while items := await self._post(lane, items):
                    await asyncio.sleep(spread(pause))
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        finally:
            lane.posts -= 1
            _fail(items, CLOSED)

    async def _post(self, lane: _Lane, items: list[_Item]) -> list[_Item]:
        """Returns the items that may be tried again."""
        now = asyncio.get_running_loop().time()
        _fail([item for item in items if now > item.deadline + self._patience], "metadata is too slow")
        items = [item for item in items if not item.answer.done()]
        if not items:
            return []
        try:
            status, document = await self._exchange(lane.call, items)
        except HttpError as error:
            retry = lane.call.safe or isinstance(error, ConnectFailed)
            return _left(items, f"metadata gave no answer: {type(error).__name__}", retry=retry)
        if status != HTTPStatus.OK:
            retry = lane.call.safe and status >= HTTPStatus.INTERNAL_SERVER_ERROR
            return _left(items, f"metadata answered HTTP {status} to {lane.call.name}", retry=retry)
        try:
            outcomes = lane.decoder.decode(document)
        except msgspec.MsgspecError:
            outcomes = []
        if len(outcomes) != len(items):
            return _left(items, f"metadata's answer to {lane.call.name} cannot be read", retry=False)
        left: list[_Item] = []
        for item, outcome in zip(items, outcomes, strict=True):
            left += _settle(item, outcome, retry=lane.call.safe)
        return left

    async def _exchange(self, call: Call, items: list[_Item]) -> tuple[int, bytes]:
        body = b"[%b]" % b",".join([item.body for item in items])
        for headers in self._headers:
            status, document = await self._once(f"/internal/{call.name}", headers, body)
            if status != HTTPStatus.UNAUTHORIZED:
                break
        return status, document

    async def _once(self, path: str, headers: _Headers, body: bytes) -> tuple[int, bytes]:
        exchange = await self._client.open("POST", path, headers, len(body))
        try:
            with suppress(EarlyAnswer):  # then that is the answer
                await exchange.write(body)
            response = await exchange.response()
            return response.status, await response.read(MAX_ANSWER)
        finally:
            exchange.abort()  # nothing to break off after a whole answer


def _decoder(call: Call) -> msgspec.json.Decoder[list[Outcome[Any]]]:
    answers: Any = list[Outcome[call.result]]  # type: ignore[name-defined]  # a type made at run time
    return msgspec.json.Decoder(answers)


def _settle(item: _Item, outcome: Outcome[Any], *, retry: bool) -> list[_Item]:
    """Hands the outcome over; returns the item when it may be tried again."""
    if outcome.ok is None and outcome.error is None:
        return _left([item], outcome.unavailable or "metadata cannot answer now", retry=retry)
    if not item.answer.done():
        if outcome.error is None:
            item.answer.set_result(outcome.ok)
        else:
            item.answer.set_exception(_refusal(outcome.error))
    return []


def _left(items: list[_Item], why: str, *, retry: bool) -> list[_Item]:
    """Fails those that may not be tried again, and returns the others."""
    now = asyncio.get_running_loop().time()
    left = [item for item in items if retry and now < item.deadline]
    _fail([item for item in items if not (retry and now < item.deadline)], why)
    return left


def _fail(items: list[_Item], why: str) -> None:
    for item in items:
        if not item.answer.done():
            item.answer.set_exception(Unavailable(why))


def _refusal(failure: Failure) -> RequestError:
    rule = failure.detail.get("Rule")
    if rule is not None:
        return PolicyRefused(rule, failure.message, failure.code)
    return RequestError(failure.code, failure.message, failure.detail)
