"""Bodies that look like nothing and are the same in every run."""

from __future__ import annotations

import random


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 -- not for secrets
