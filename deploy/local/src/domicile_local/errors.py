"""What can go wrong on the way to a running suite, said in one sentence to the person at the terminal."""

from __future__ import annotations

from domicile_common.errors import DomicileError


class SuiteError(DomicileError):
    """The suite cannot start or go on; the text says what happened and what to do about it."""
