"""Clients at work while something breaks, each with keys of its own, and what may be found there afterwards."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.raw_s3 import Answer

KEYS_EACH = 5
NO_ANSWER = Answer(0, {}, b"")


class Load:
    """``states``: key → what it may hold, ``None`` for nothing: the last thing that was acknowledged, or anything that was tried since.

    ``endpoint``: what they ask, instead of the first proxy. ``seen``: what was answered so far, as (method, status); 0 where the connection broke.
    """

    def __init__(self, domicile: Installation, bucket: str, endpoint: str = "") -> None:
        self._domicile = domicile
        self._endpoint = endpoint
        self._bucket = bucket
        self._stopped = threading.Event()
        self.states: dict[str, set[bytes | None]] = {}
        self.seen: list[tuple[str, int]] = []

    @contextmanager
    def running(self, clients: int = 4) -> Iterator[None]:
        with ThreadPoolExecutor(clients) as pool:
            work = [pool.submit(self._work, number) for number in range(clients)]
            try:
                yield
            finally:
                self._stopped.set()
        for each in work:
            each.result()

    def goes_on(self, count: int = 20, seconds: float = 60) -> None:
        """Waits until so many more writes were acknowledged."""
        before = len(self.seen)
        until(lambda: self.seen[before:].count(("PUT", 200)) >= count, seconds, "writes succeed")

    def is_put_off(self) -> None:
        """Waits until reads and writes were answered 503."""
        before = len(self.seen)
        until(lambda: {("PUT", 503), ("GET", 503)} <= set(self.seen[before:]), what="clients are told to try again")

    def check(self) -> None:
        """Nothing acknowledged was lost, listings agree with reads, and every backend holds what it should and nothing else."""
        raw, bucket = self._domicile.raw(), self._bucket
        found: dict[str, bytes] = {}
        for key, states in self.states.items():
            answer = raw.send("GET", f"/{bucket}/{key}")
            assert answer.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}, (key, answer)
            assert (answer.body if answer.status == HTTPStatus.OK else None) in states, key
            if answer.status == HTTPStatus.OK:
                found[key] = answer.body
        assert raw.send("GET", f"/{bucket}?list-type=2").texts("Key") == sorted(found)
        self._domicile.idle(90)
        expected: dict[str, set[str]] = {}
        for key, body in found.items():
            for backend_id, copy in self._domicile.verified(bucket, key).items():
                assert self._domicile.read(copy) == body, (key, backend_id)
                expected.setdefault(backend_id, set()).add(copy["blob_key"])
        held = {
            name: {blob for blob in blobs if not blob.startswith(".domicile/")}
            for name, blobs in self._domicile.leftovers(bucket).items()
        }
        assert held == expected

    def _work(self, client: int) -> None:
        numbers = random.Random(client)  # noqa: S311 -- the same load every time
        while not self._stopped.is_set():
            key = f"c{client}/{numbers.randrange(KEYS_EACH)}"
            body = numbers.choice([None, *(numbers.randbytes(size) for size in (0, 10, 1000, 70_000, 200_000))])
            states = self.states.setdefault(key, {None})
            states.add(body)
            if self._ask("DELETE" if body is None else "PUT", key, body or b"").status in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
                self.states[key] = states = {body}
            got = self._ask("GET", key)
            if got.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                assert (got.body if got.status == HTTPStatus.OK else None) in states, key

    def _ask(self, method: str, key: str, body: bytes = b"") -> Answer:
        try:
            answer = self._domicile.raw(endpoint=self._endpoint).send(method, f"/{self._bucket}/{key}", body)
        except (OSError, HTTPException):
            answer = NO_ANSWER
        self.seen.append((method, answer.status))
        return answer
