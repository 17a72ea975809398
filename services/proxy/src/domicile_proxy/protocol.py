"""HTTP as it arrives at the S3 endpoint: what is refused before there is a request is answered as S3 does."""

from __future__ import annotations

from domicile_common.http_protocol import BoundedProtocol
from domicile_proxy.s3.errors import Failure, render


class S3Protocol(BoundedProtocol):
    answer_seconds = None  # CLIENT_IDLE_SECONDS

    def document(self, status: int, code: str, message: str) -> tuple[str, bytes]:
        return "application/xml", render(Failure(status, code, message, {}), "", "")
