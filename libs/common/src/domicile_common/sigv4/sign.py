"""The way out: signs requests to backends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domicile_common.sigv4 import canonical, keys


class Signer:
    """Signs for one access key. Keep it: the derived key is computed once a day, a signature then costs a few microseconds."""

    def __init__(self, access_key: str, secret_key: str, region: str) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._ring = keys.KeyRing(limit=2)

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        *,
        payload: str,
        now: datetime,
    ) -> dict[str, str]:
        """The headers to add: authorization, x-amz-date and x-amz-content-sha256.

        Args:
            method: in upper case.
            path: percent-encoded exactly as it will be sent, see ``canonical.encode``.
            query: exactly as it will be sent, see ``canonical.encode_query``; ``""`` when there is none.
            headers: those to be signed, by lower-case name: ``host``, every ``x-amz-*`` and whatever else must not change. Values are the
                header's bytes as Latin-1 text.
            payload: hex SHA-256 of the body, ``UNSIGNED-PAYLOAD`` or ``STREAMING-…``.
            now: aware, UTC.
        """
        timestamp = keys.timestamp(now)
        added = {"x-amz-content-sha256": payload, "x-amz-date": timestamp}
        signature, names = self._signature(method, path, query, {**headers, **added}, payload=payload, timestamp=timestamp)
        added["authorization"] = (
            f"{keys.ALGORITHM} Credential={self._access_key}/{self._scope(timestamp)}, SignedHeaders={names}, Signature={signature}"
        )
        return added

    def presign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        *,
        expires: int,
        now: datetime,
    ) -> str:
        """The whole query of a presigned URL, without ``?``.

        Args:
            method: in upper case.
            path: percent-encoded exactly as it will be sent.
            query: what the URL asks for besides, canonical, see ``canonical.encode_query``.
            headers: those that the request must carry, by lower-case name; ``host`` at least.
            expires: seconds, up to 604,800.
            now: aware, UTC.
        """
        timestamp = keys.timestamp(now)
        asked = canonical.encode_query(
            [
                ("X-Amz-Algorithm", keys.ALGORITHM),
                ("X-Amz-Credential", f"{self._access_key}/{self._scope(timestamp)}"),
                ("X-Amz-Date", timestamp),
                ("X-Amz-Expires", str(expires)),
                ("X-Amz-SignedHeaders", ";".join(sorted(headers))),
            ]
        )
        full = f"{query}&{asked}" if query else asked
        signature, _ = self._signature(method, path, full, headers, payload=canonical.UNSIGNED_PAYLOAD, timestamp=timestamp)
        return f"{full}&X-Amz-Signature={signature}"

    def _signature(
        self, method: str, path: str, query: str, headers: Mapping[str, str], *, payload: str, timestamp: str
    ) -> tuple[str, str]:
        """The signature, and the names that it covers."""
        folded = {name.encode(): b" ".join(value.encode("latin-1").split()) for name, value in sorted(headers.items())}
        names = tuple(folded)
        request = canonical.canonical_request(
            method, path, canonical.sorted_query(query), canonical.signed_part(folded, names, payload)
        )
        key = self._ring.get(self._secret_key, timestamp[:8], self._region)
        text = keys.string_to_sign(timestamp, self._scope(timestamp), request)
        return keys.signature(key, text), b";".join(names).decode("ascii")

    def _scope(self, timestamp: str) -> str:
        return keys.scope(timestamp[:8], self._region)
