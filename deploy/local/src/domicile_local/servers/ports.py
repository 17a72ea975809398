"""Ports on 127.0.0.1: is one free, and which are."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the kernel's ephemeral range (32768 upwards), so that no outgoing connection takes a port between our look and its use.
FIRST, LAST = 10240, 19999


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_held: list[int] = []  # file locks of the ports this process has taken, until it ends


def take(count: int = 1) -> int:
    """The first of ``count`` free ports in a row, which no other process calling this gets while we live."""
    while True:
        first = random.randint(FIRST, LAST + 1 - count)  # noqa: S311 -- nothing secret about a port
        row = range(first, first + count)
        locks = [lock for port in row if (lock := _lock(port)) is not None]
        if len(locks) == count and all(is_free(port) for port in row):
            _held.extend(locks)
            return first
        for lock in locks:
            os.close(lock)


def _lock(port: int) -> int | None:
    """A locked file that keeps this port apart; ``None`` when another process has it."""
    folder = Path(tempfile.gettempdir()) / f"domicile-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
