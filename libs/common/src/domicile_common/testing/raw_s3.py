"""An S3 client that does exactly what it is told, also what no SDK would do: for tests of the protocol.

It signs by an implementation of its own, so that a misunderstanding in ``sigv4`` is not confirmed by itself.
Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes, urlsplit

from domicile_common.checksums import BodyHasher

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
REGION = "us-east-1"


def checksum(algorithm: str, body: bytes) -> str:
    """As S3 shows it: base64."""
    hasher = BodyHasher([algorithm])
    hasher.update(body)
    return base64.b64encode(hasher.digest(algorithm)).decode()


@dataclass(frozen=True)
class Answer:
    """``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The error code of an S3 error document; empty when there is none."""
        found = re.search(rb"<Error>.*<Code>([^<]*)</Code>", self.body, re.DOTALL)
        return found[1].decode() if found else ""

    def texts(self, element: str) -> list[str]:
        """The texts of all elements of this name, still escaped."""
        return [text.decode() for text in re.findall(f"<{element}>([^<]*)</{element}>".encode(), self.body)]


@dataclass(frozen=True)
class Signer:
    """``when``: of every signature; the time of use when ``None``."""

    access_key: str
    secret_key: str = field(repr=False)
    when: datetime | None = None

    def moment(self) -> str:
        return (self.when or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")

    def scope(self, moment: str) -> str:
        return f"{moment[:8]}/{REGION}/s3/aws4_request"

    def sign(self, moment: str, text: str) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for part in (moment[:8], REGION, "s3", "aws4_request"):
            key = _hmac(key, part)
        return _hmac(key, text).hex()

    def signature(self, moment: str, request: str) -> str:
        digest = hashlib.sha256(request.encode()).hexdigest()
        return self.sign(moment, f"AWS4-HMAC-SHA256\n{moment}\n{self.scope(moment)}\n{digest}")

    def authorization(self, method: str, target: str, headers: Mapping[str, str], payload: str) -> str:
        """Signs all the headers, by lower-case name; ``x-amz-date`` is among them."""
        moment = headers["x-amz-date"]
        signature = self.signature(moment, _canonical(method, target, headers, payload))
        credential = f"{self.access_key}/{self.scope(moment)}"
        names = ";".join(sorted(headers))
        return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"

    def presigned(self, method: str, target: str, headers: Mapping[str, str], expires: int) -> str:
        """The target with its signature in the query. ``expires``: seconds. A signed hash of the body stands in ``headers``."""
        moment, payload = self.moment(), headers.get("x-amz-content-sha256", UNSIGNED)
        credential = quote(f"{self.access_key}/{self.scope(moment)}", safe="")
        names = quote(";".join(sorted(headers)), safe="")
        query = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={moment}"
            f"&X-Amz-Expires={expires}&X-Amz-SignedHeaders={names}"
        )
        target = f"{target}{'&' if '?' in target else '?'}{query}"
        return f"{target}&X-Amz-Signature={self.signature(moment, _canonical(method, target, headers, payload))}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _canonical(method: str, target: str, headers: Mapping[str, str], payload: str) -> str:
    path, _, query = target.partition("?")
    pairs = [item.partition("=") for item in query.split("&") if item]
    lines = [
        method,
        _encoded(path, safe="/"),
        "&".join(f"{name}={value}" for name, value in sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)),
        *(f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)),
        "",
        ";".join(sorted(headers)),
        payload,
    ]
    return "\n".join(lines)


def _encoded(text: str, safe: str = "") -> str:
    return quote(unquote_to_bytes(text), safe=f"-_.~{safe}")


@dataclass(frozen=True)
class Chunks:
    """How a body is cut and framed (aws-chunked).

    ``trailer``: name and value of the checksum that follows the body. ``damage``: the index of a chunk whose signature is wrong, -1 for
    that of the trailer.
    """

    size: int = 64 * 1024
    trailer: tuple[str, str] | None = None
    damage: int | None = None


def chunked(body: bytes, chunks: Chunks, signer: Signer | None = None, moment: str = "", seed: str = "") -> bytes:
    """The framed body; with ``signer`` each chunk is signed, in a chain that begins at ``seed``, the request's signature."""
    pieces = [body[start : start + chunks.size] for start in range(0, len(body), chunks.size)]
    framed, before = b"", seed
    for index, piece in enumerate([*pieces, b""]):
        extension = ""
        if signer:
            digest = hashlib.sha256(piece).hexdigest()
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{moment}\n{signer.scope(moment)}\n{before}\n{EMPTY_SHA256}\n{digest}"
            before = signer.sign(moment, text)
            extension = f";chunk-signature={_damaged(before) if chunks.damage == index else before}"
        framed += f"{len(piece):x}{extension}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    if chunks.trailer:
        name, value = chunks.trailer
        framed += f"{name}:{value}\r\n".encode()
        if signer:
            digest = hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest()
            signature = signer.sign(moment, f"AWS4-HMAC-SHA256-TRAILER\n{moment}\n{signer.scope(moment)}\n{before}\n{digest}")
            framed += f"x-amz-trailer-signature:{_damaged(signature) if chunks.damage == -1 else signature}\r\n".encode()
    return framed + b"\r\n"


def _damaged(signature: str) -> str:
    return signature[:-1] + ("0" if signature[-1] != "0" else "1")


@dataclass(frozen=True)
class Prepared:
    """A signed request, ready to be sent: ``target`` is path and query as they stand on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def head(self) -> bytes:
        """What stands on the wire before the body."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def without_length(request: Prepared) -> Prepared:
    """The same with Transfer-Encoding: chunked."""
    first = b"%x\r\n%s\r\n" % (len(request.body), request.body) if request.body else b""
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return replace(request, headers={**headers, "transfer-encoding": "chunked"}, body=first + b"0\r\n\r\n")


class RawS3:
    """``endpoint``: http://host:port."""

    def __init__(self, endpoint: str, signer: Signer) -> None:
        self.address = urlsplit(endpoint).netloc
        self.signer = signer

    def prepare(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
        chunks: Chunks | None = None,
        signer: Signer | None = None,
    ) -> Prepared:
        """A request signed in its header.

        Args:
            method: as sent.
            target: path and query, percent-encoded as they shall stand on the wire.
            body: the payload.
            headers: by lower-case name; they win over those made here.
            payload: x-amz-content-sha256; the SHA-256 of the body when not given.
            chunks: how the body is framed, for the STREAMING-… forms.
            signer: in place of the client's own.
        """
        signer = signer or self.signer
        payload = payload or hashlib.sha256(body).hexdigest()
        moment = signer.moment()
        signed = {"host": self.address, "x-amz-date": moment, "x-amz-content-sha256": payload}
        if chunks:
            signed |= {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body))}
            if chunks.trailer:
                signed["x-amz-trailer"] = chunks.trailer[0]
        signed |= headers or {}
        authorization = signer.authorization(method, target, signed, signed["x-amz-content-sha256"])
        if chunks:
            seed = authorization.rpartition("=")[2]
            body = chunked(body, chunks, signer if payload.startswith(SIGNED_CHUNKS) else None, moment, seed)
        length = {} if method in {"GET", "HEAD", "DELETE"} and not body else {"content-length": str(len(body))}
        return Prepared(method, target, {**length, **signed, "authorization": authorization}, body)

    def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
        chunks: Chunks | None = None,
        signer: Signer | None = None,
    ) -> Answer:
        """See ``prepare``."""
        return self.exchange(self.prepare(method, target, body, headers, payload=payload, chunks=chunks, signer=signer))

    def presigned(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        expires: int = 60,
        signer: Signer | None = None,
    ) -> Answer:
        """A request that is signed in its query."""
        signed = {"host": self.address, **(headers or {})}
        target = (signer or self.signer).presigned(method, target, signed, expires)
        return self.exchange(Prepared(method, target, {**signed, "content-length": str(len(body))}, body))

    def unsigned(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """A request without a signature, unless the target holds one."""
        return self.exchange(
            Prepared(method, target, {"host": self.address, "content-length": str(len(body)), **(headers or {})}, body)
        )

    def exchange(self, request: Prepared) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        finally:
            connection.close()


def object_target(bucket: str, key: bytes | str, query: str = "") -> str:
    """``/bucket/key`` with every byte that is not plainly harmless percent-encoded, except ``/``."""
    raw = key.encode() if isinstance(key, str) else key
    return f"/{bucket}/{quote(raw, safe='/-_.~')}{'?' if query else ''}{query}"
