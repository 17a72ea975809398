"""The client of a backend, as its quirks want it."""

from __future__ import annotations

from domicile_common.backends.http1 import Limits, Tls
from domicile_common.backends.quirks import quirks_of
from domicile_common.backends.s3 import S3BlobStore
from domicile_common.backends.staged import StagingS3BlobStore
from domicile_common.backends.wire import Wire
from domicile_common.model import Backend


def open_store(backend: Backend, secret: str, limits: Limits | None = None, tls: Tls | None = None) -> S3BlobStore:
    """``secret``: the backend's secret key, unsealed. ``tls``: how an https endpoint is met. Belongs to one event loop."""
    kind = S3BlobStore if quirks_of(backend).multipart else StagingS3BlobStore
    return kind(backend, Wire(backend, secret, limits, tls))
