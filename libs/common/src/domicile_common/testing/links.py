"""TCP links between a suite and its servers that a test can cut, stall, slow down, garble or break in mid-stream.

The servers of a run are shared; a link is a test's own, so cutting it looks to the suite as if the server were gone, and disturbs nobody.
The links run in a process of their own (``python -m domicile_common.testing.links``), which knows nothing of blocked sockets and ends
with its standard input. One line is one command, answered by one line.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHUNK_BYTES = 256 * 1024


class _Link:
    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._budget: int | None = None  # bytes towards the suite until the break
        self.sent = 0  # bytes towards the server
        self._delay = 0.0
        self._garble_every = 0
        self._garble_from = 0
        self._pieces = itertools.count()

    async def heal(self) -> None:
        self._flowing.set()
        self._budget = None
        self._delay = 0.0
        self._garble_every = 0
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """Connections are reset, new ones refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            # Close with nothing lingering: the other end sees a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def stall(self) -> None:
        """Connections stay and are accepted, and nothing passes."""
        self._flowing.clear()

    async def break_after(self, size: int) -> None:
        self._budget = size

    async def delay(self, seconds: float) -> None:
        self._delay = seconds

    async def garble(self, every: int, least: int) -> None:
        self._garble_every, self._garble_from = every, least

    def _passed(self, piece: bytes) -> bytes:
        """The piece as it goes on."""
        if not self._garble_every or len(piece) < self._garble_from or next(self._pieces) % self._garble_every:
            return piece
        middle = len(piece) // 2
        return b"%b%c%b" % (piece[:middle], piece[middle] ^ 0xFF, piece[middle + 1 :])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back, towards_suite=False))
                group.create_task(self._pump(there, writer, towards_suite=True))
        except* (OSError, EOFError, asyncio.CancelledError):  # the last one when this process ends
            pass
        finally:
            for each in (writer, back):
                each.close()
                self._writers.discard(each)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, towards_suite: bool) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            await asyncio.sleep(self._delay)
            await self._flowing.wait()
            chunk = self._passed(chunk)
            if towards_suite and self._budget is not None:
                chunk, self._budget = chunk[: self._budget], self._budget - len(chunk)
            sink.write(chunk)
            self.sent += 0 if towards_suite else len(chunk)
            await sink.drain()
            if self._budget is not None and self._budget <= 0:
                await self.cut()
        if sink.can_write_eof():
            sink.write_eof()


async def _serve(links: Mapping[str, _Link]) -> None:
    for link in links.values():
        await link.heal()
    print("ready", flush=True)  # noqa: T201 -- the answer to whoever started us
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, command, *arguments = line.split()
        answer = "done"
        match command:
            case "cut":
                await links[name].cut()
            case "heal":
                await links[name].heal()
            case "stall":
                await links[name].stall()
            case "break_after":
                await links[name].break_after(int(arguments[0]))
            case "sent":
                answer = str(links[name].sent)
            case "delay":
                await links[name].delay(float(arguments[0]))
            case "garble":
                await links[name].garble(int(arguments[0]), int(arguments[1]))
        print(answer, flush=True)  # noqa: T201 -- as above


@dataclass(frozen=True)
class Link:
    """One link as a test holds it. ``port``: on 127.0.0.1, to be used in place of the server's own."""

    name: str
    port: int
    _links: Links

    def cut(self) -> None:
        """Resets every connection and refuses new ones, as when the server is gone."""
        self._links.say(f"{self.name} cut")

    def heal(self) -> None:
        self._links.say(f"{self.name} heal")

    def stall(self) -> None:
        """Keeps connections open and passes nothing, as when the server hangs."""
        self._links.say(f"{self.name} stall")

    def break_after(self, size: int) -> None:
        """Cuts the link once ``size`` more bytes have come from the server: a failure in the middle of a body."""
        self._links.say(f"{self.name} break_after {size}")

    def sent(self) -> int:
        """Bytes that have passed towards the server so far."""
        return int(self._links.ask(f"{self.name} sent"))

    def delay(self, seconds: float) -> None:
        """Each piece of what passes, in both directions, waits so long."""
        self._links.say(f"{self.name} delay {seconds}")

    def garble(self, every: int, least: int = 1) -> None:
        """Inverts the byte in the middle of every so many pieces of ``least`` bytes or more that pass, in both directions."""
        self._links.say(f"{self.name} garble {every} {least}")


class Links:
    """``targets``: name → (port of the link, port of the server)."""

    def __init__(self, targets: Mapping[str, tuple[int, int]]) -> None:
        arguments = [f"{name}={port}:{target}" for name, (port, target) in targets.items()]
        self._process = subprocess.Popen(  # noqa: S603 -- our own module
            [sys.executable, "-m", "domicile_common.testing.links", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.by_name = {name: Link(name, port, self) for name, (port, _) in targets.items()}
        self._expect("ready")

    def say(self, command: str) -> None:
        """Returns once the command has taken effect."""
        self._tell(command)
        self._expect("done")

    def ask(self, question: str) -> str:
        self._tell(question)
        return self._hear()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _expect(self, answer: str) -> None:
        line = self._hear()
        if line != answer:
            raise RuntimeError(f"the links' process answered {line!r} instead of {answer!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()  # its standard input ends, and so does it


def main() -> None:
    links = {}
    for argument in sys.argv[1:]:
        name, _, numbers = argument.partition("=")
        port, _, target = numbers.partition(":")
        links[name] = _Link(int(port), int(target))
    asyncio.run(_serve(links))


if __name__ == "__main__":
    main()
