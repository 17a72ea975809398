"""Every error that Domicile raises on purpose, by who must act.

DomicileError
├── RequestError             the caller must change the request; carries an S3 error code
│   └── PolicyRefused        no placement satisfies the policy; names the rule that failed
├── Unavailable              nobody is wrong: try again later (S3: 503 SlowDown)
│   ├── Unroutable           no queue takes this message: declare the topology and publish again
│   └── Unconfirmed          the broker says nothing of this message, or refuses it: its queue may be broken, or full
├── BackendError             a backend did not do what was asked; carries which one
│   ├── BackendUnavailable   no answer, a broken answer, a timeout or a 5xx: says nothing about the blob
│   ├── BackendRefused       401/403 or another 4xx: the operator must look at the backend's registration
│   ├── BlobNotFound         a definite 404 NoSuchKey
│   ├── UploadNotFound       a definite 404 NoSuchUpload
│   ├── NamespaceNotFound    a definite 404 NoSuchBucket
│   └── BlobMismatch         bytes, length or checksum differ from what the record says
└── ConfigurationError       the operator must change a setting; stops the start

Texts of these errors may reach clients and logs: they never hold a secret, a signature or a credential.
"""

from __future__ import annotations


class DomicileError(Exception):
    """Root of the tree."""


class RequestError(DomicileError):
    """The request cannot be served as it is.

    Attributes:
        code: an error code of the S3 API reference ("Error responses"), such as ``NoSuchKey``.
        message: one sentence for the caller.
        detail: further elements of the S3 error document, such as ``{"Key": "a"}``.
    """

    def __init__(self, code: str, message: str = "", detail: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.detail = detail or {}


class PolicyRefused(RequestError):
    """No placement satisfies the policy; ``detail["Rule"]`` names the first rule that failed."""

    def __init__(self, rule: str, message: str, code: str = "InvalidRequest") -> None:
        super().__init__(code, message, {"Rule": rule})


class Unavailable(DomicileError):
    """A part of Domicile that the request needs is away; the same request may succeed later."""


class Unroutable(Unavailable):
    """The broker returned a message, or does not know its exchange."""


class Unconfirmed(Unavailable):
    """Whether the broker has the message is not known."""


class BackendError(DomicileError):
    """Root of what a backend can do wrong; ``backend_id`` names it."""

    def __init__(self, backend_id: str, message: str) -> None:
        super().__init__(f"{backend_id}: {message}")
        self.backend_id = backend_id


class BackendUnavailable(BackendError):
    pass


class BackendRefused(BackendError):
    pass


class BlobNotFound(BackendError):
    pass


class UploadNotFound(BackendError):
    pass


class NamespaceNotFound(BackendError):
    pass


class BlobMismatch(BackendError):
    pass


class ConfigurationError(DomicileError):
    pass
