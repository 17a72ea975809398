"""Rates and how they are kept to. Pure: the time is an argument, in seconds of a clock that never goes back."""

from __future__ import annotations


class Bucket:
    """A token bucket: ``rate`` a second on average, ``burst`` at once (https://en.wikipedia.org/wiki/Token_bucket)."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._at: float | None = None

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now

    def take(self, amount: float, now: float) -> float:
        """Takes ``amount`` and answers 0; or takes nothing and answers in how many seconds it will be there."""
        self._refill(now)
        if self._left < amount:
            return (amount - self._left) / self.rate
        self._left -= amount
        return 0.0

    def spend(self, amount: float, now: float) -> float:
        """Takes ``amount`` in any case, and answers for how many seconds the bucket is overdrawn."""
        self._refill(now)
        self._left -= amount
        return self.debt(now)

    def debt(self, now: float) -> float:
        """For how many seconds it is overdrawn."""
        self._refill(now)
        return max(0.0, -self._left / self.rate)
