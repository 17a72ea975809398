"""What may go wrong with a call.

::

ClientError
├── Misdirected     it was asked at no address, or with certificates that are none: nothing was sent
├── Refused         the installation understood, and said no (``code`` and ``message`` are its own words)
│   └── NotAdmitted     … to whoever asked: no key, a wrong one, or one that may not do this
└── NoAnswer        it was not reached, or cannot answer now: the same call may succeed later
"""

from __future__ import annotations


class ClientError(Exception):
    pass


class Misdirected(ClientError):
    pass


class Refused(ClientError):
    """``status``: of HTTP. ``code``: for programs; docs/api.md names them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class NotAdmitted(Refused):
    pass


class NoAnswer(ClientError):
    pass
