"""The probe of a backend's contract: real calls in buckets of their own, which are gone afterwards (docs/adr/0036).

Each check looks at what is there in the end, not only at what the backend answered: a server that says 200 to a condition it ignores has
overwritten the object. A check that cannot be carried out finds nothing, neither way.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar

from domicile_common.backends import documents
from domicile_common.backends.http1 import EarlyAnswer
from domicile_common.backends.wire import Reply, Wire
from domicile_common.checksums import multipart_md5
from domicile_common.errors import BackendError
from domicile_common.model import Part
from domicile_common.sigv4.canonical import EMPTY_SHA256, encode

PATIENCE_SECONDS: Final = 60.0
SMALLEST_PART: Final = 5 << 20
_CHUNKED: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_LOCATION_CODES: Final = frozenset(
    {"IllegalLocationConstraintException", "InvalidLocationConstraint", "MissingLocationConstraint"}
)
# What keys may hold that servers take for something else, in the order of their bytes.
_ODD_KEYS: Final = ("a!", "a/b", "a0", "b c", "b%2Fc", "b+c", "d//e", "f&<>\"'", "g/\u00f6\u20ac\U0001d11e", "h/.hidden/~")
_HOLD: Final = "<LegalHold><Status>{}</Status></LegalHold>"
_VERSIONED: Final = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"

Found = dict[str, bool]
T = TypeVar("T")


class Probe(NamedTuple):
    """``found``: of ``CAPABILITIES``. ``notes``: check → why it could not be carried out."""

    found: Found
    notes: dict[str, str]


class Answer(NamedTuple):
    method: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_done(self) -> bool:
        return self.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.PARTIAL_CONTENT)

    @property
    def is_transient(self) -> bool:
        failed = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.status != HTTPStatus.NOT_IMPLEMENTED
        return failed or self.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)

    @property
    def code(self) -> str:
        return documents.error_code(self.body)

    @property
    def etag(self) -> str:
        return documents.bare_etag(self.headers.get("etag", ""))


class Place:
    """One bucket at a backend. What it raises is of the ``BackendError`` family: there was no answer."""

    def __init__(self, wire: Wire, bucket: str) -> None:
        self._wire = wire
        self.bucket = bucket

    async def send(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        payload: str = "",
        vague: bool = False,
    ) -> Answer:
        """Raises ``BackendUnavailable`` for whatever says nothing of what the backend can do; with ``vague``, a 500 may be an answer."""
        payload = payload or (hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256)
        call = await self._wire.open(method, self.bucket, key, query, headers, payload=payload, length=len(body))
        if body:
            with self._wire.watching(call), suppress(EarlyAnswer):  # then that is the answer
                await call.exchange.write(body)
        response = await self._wire.response(call, PATIENCE_SECONDS)
        reply = await self._wire.reply(method, response)
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        answer = Answer(method, reply.status, named, reply.document)
        if answer.is_transient and not (vague and answer.status == HTTPStatus.INTERNAL_SERVER_ERROR):
            raise self.problem(answer)
        return answer

    async def put(self, key: str, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("PUT", key, headers=named, body=body)

    async def holds(self, key: str, body: bytes) -> bool:
        answer = await self.send("GET", key)
        return answer.status == HTTPStatus.OK and answer.body == body

    async def lacks(self, key: str) -> bool:
        answer = await self.send("GET", key)
        return answer.status == HTTPStatus.NOT_FOUND

    async def listed(self, prefix: str) -> list[str]:
        answer = await self.send("GET", query={"list-type": "2", "prefix": prefix, "encoding-type": "url"})
        return [key for key, _, _ in self.parsed(answer, documents.page).entries]

    def parsed(self, answer: Answer, parse: Callable[[bytes], T]) -> T:
        """Raises the ``BackendError`` that the answer is, if it is not what was asked for."""
        try:
            return parse(answer.body)
        except ValueError:
            raise self.problem(answer) from None

    def problem(self, answer: Answer) -> BackendError:
        return self._wire.problem(Reply(answer.method, answer.status, answer.body))


Check = Callable[[Place], Awaitable[Found]]


async def probe(wire: Wire, region: str, plain: str, versioned: str) -> Probe:
    """``plain``, ``versioned``: names of buckets that nobody else uses; what an earlier probe may have left there is removed as well.

    Raises ``BackendError`` when the backend is away, or refuses what everything else stands on.
    """
    places = Place(wire, plain), Place(wire, versioned)
    found: Found = {}
    notes: dict[str, str] = {}
    try:
        for place in places:
            await clear(place)
        found |= await _make(places[0], region)
        found |= await check_consistency(places[0])
        checks: list[tuple[Check, Place]] = [(check, places[0]) for check in CHECKS]
        for check, place in (*checks, (check_versions, places[1])):
            try:
                found |= await check(place)
            except BackendError as error:
                notes[check.__name__.removeprefix("check_")] = str(error)
    finally:
        for place in places:
            await clear(place)
    return Probe(found, notes)


async def _make(place: Place, region: str) -> Found:
    made = await place.send("PUT")
    needs_location = made.code in _LOCATION_CODES
    if needs_location:
        made = await place.send("PUT", body=documents.location_request(region))
    if not made.is_done:
        raise place.problem(made)
    again = await place.send("PUT", body=documents.location_request(region) if needs_location else b"")
    return {"needs_location": needs_location, "own_bucket_exists": again.code == "BucketAlreadyExists"}


async def check_consistency(place: Place) -> Found:
    seen = []
    for body in (b"first", b"second"):
        await place.put("c/1", body)
        seen += [await place.holds("c/1", body), await place.listed("c/") == ["c/1"]]
    await place.send("DELETE", "c/1")
    seen += [await place.lacks("c/1"), await place.listed("c/") == []]
    return {"reads_own_writes": all(seen)}


async def check_puts(place: Place) -> Found:
    body = b"0123456789"
    await place.put("p/1", body, content_type="text/x-probe", x_amz_meta_probe="a b=c")
    head = await place.send("HEAD", "p/1")
    part = await place.send("GET", "p/1", headers={"range": "bytes=2-4"})
    again = await place.put("p/1", b"something else", if_none_match="*")
    return {
        "keeps_metadata": head.headers.get("x-amz-meta-probe") == "a b=c" and head.headers.get("content-type") == "text/x-probe",
        "ranges": part.is_done and (part.body, part.headers.get("content-range")) == (b"234", "bytes 2-4/10"),
        "conditional_put": again.status == HTTPStatus.PRECONDITION_FAILED and await place.holds("p/1", body),
    }


async def check_digests(place: Place) -> Found:
    body, other = b"what is sent", b"what is claimed"
    wrong = await place.put("d/1", body, content_md5=_base64(hashlib.md5(other, usedforsecurity=False).digest()))
    sha256 = _base64(hashlib.sha256(body).digest())
    await place.put("d/2", body, x_amz_checksum_sha256=sha256)
    kept = await place.send("HEAD", "d/2", headers={"x-amz-checksum-mode": "ENABLED"})
    false = await place.put("d/3", body, x_amz_checksum_sha256=_base64(hashlib.sha256(other).digest()))
    return {
        "checks_md5": not wrong.is_done and await place.lacks("d/1"),
        "keeps_checksums": kept.headers.get("x-amz-checksum-sha256") == sha256,
        "checks_checksums": not false.is_done and await place.lacks("d/3"),
    }


async def check_chunks(place: Place) -> Found:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html."""
    body = b"sent in chunks"
    crc32 = _base64(zlib.crc32(body).to_bytes(4))
    framed = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(body), body, crc32.encode())
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    await place.send("PUT", "t/1", headers=headers, body=framed, payload=_CHUNKED)
    return {"chunked_uploads": await place.holds("t/1", body)}


async def check_copies(place: Place) -> Found:
    await place.put("y/1", b"copied", x_amz_meta_probe="old")
    source = encode(f"{place.bucket}/y/1".encode(), "/")
    headers = {"x-amz-copy-source": source, "x-amz-metadata-directive": "REPLACE", "x-amz-meta-probe": "new"}
    await place.send("PUT", "y/2", headers=headers)
    head = await place.send("HEAD", "y/2")
    return {"copies": head.headers.get("x-amz-meta-probe") == "new" and await place.holds("y/2", b"copied")}


async def check_multipart(place: Place) -> Found:
    """The last part first, the first one twice, and none in between. A key without a folder: rclone forgets folders of uploads that fail."""
    begun = await place.send("POST", "m-1", query={"uploads": ""})
    if not begun.is_done:
        return {"multipart": False, "etag_is_md5": False}
    upload_id = place.parsed(begun, documents.upload_id)
    large = bytes(SMALLEST_PART)
    sent = [await _part(place, upload_id, number, body) for number, body in ((3, b"end"), (1, large[1:]), (1, large))]
    parts = (Part(1, len(large), sent[2]), Part(3, 3, sent[0]))
    query, body = {"uploadId": upload_id}, documents.complete_request(parts)
    done = await place.send("POST", "m-1", query=query, body=body)
    again = await place.send("POST", "m-1", query=query, body=body, vague=True)
    head = await place.send("HEAD", "m-1")
    works = done.is_done and not done.code and await place.holds("m-1", large + b"end")
    single = await place.put("m-2", b"end")
    whole = f"{multipart_md5((_md5(large), _md5(b'end')))}-{len(parts)}"
    return {
        "multipart": works,
        "vague_completion": again.code == "InternalError",
        "etag_is_md5": works and head.etag == whole and single.etag == _md5(b"end"),
    }


async def _part(place: Place, upload_id: str, number: int, body: bytes) -> str:
    sent = await place.send("PUT", "m-1", query={"partNumber": str(number), "uploadId": upload_id}, body=body)
    return sent.etag


async def check_keys(place: Place) -> Found:
    for key in _ODD_KEYS:
        await place.put(f"k/{key}", key.encode())
    kept = [await place.holds(f"k/{key}", key.encode()) for key in _ODD_KEYS]
    listed = [key.removeprefix("k/") for key in await place.listed("k/")]
    return {"key_bytes": all(kept) and set(listed) == set(_ODD_KEYS), "ordered_listing": listed == sorted(listed, key=str.encode)}


async def check_versions(place: Place) -> Found:
    """Versioning comes with object lock, where there is that; legal hold, because it can be taken back."""
    made = await place.send("PUT", headers={"x-amz-bucket-object-lock-enabled": "true"})
    if not made.is_done:
        await place.send("PUT")
    await _send_document(place, "", {"versioning": ""}, _VERSIONED)
    first = (await place.put("v/1", b"first")).headers.get("x-amz-version-id", "")
    await place.put("v/1", b"second")
    old = await place.send("GET", "v/1", query={"versionId": first}) if first else None
    found = {"versioning": old is not None and old.body == b"first" and await place.holds("v/1", b"second"), "object_lock": False}
    if first and (await _hold(place, "v/1", first, "ON")).is_done:
        refused = await place.send("DELETE", "v/1", query={"versionId": first})
        still = await place.send("GET", "v/1", query={"versionId": first})
        found["object_lock"] = not refused.is_done and still.body == b"first"
    return found


async def _hold(place: Place, key: str, version: str, status: str) -> Answer:
    return await _send_document(place, key, {"legal-hold": "", "versionId": version}, _HOLD.format(status))


async def _send_document(place: Place, key: str, query: Mapping[str, str], text: str) -> Answer:
    body = text.encode()
    digest = _base64(hashlib.md5(body, usedforsecurity=False).digest())
    return await place.send("PUT", key, query=query, headers={"content-md5": digest}, body=body)


CHECKS: Final[tuple[Check, ...]] = (
    check_puts,
    check_digests,
    check_chunks,
    check_copies,
    check_multipart,
    check_keys,
)


async def clear(place: Place) -> None:
    """The bucket with all that is in it. Raises ``BackendError`` when something stays."""
    first = await place.send("DELETE")
    if first.is_done or first.code == "NoSuchBucket":
        return
    uploads = await place.send("GET", query={"uploads": ""})
    for key, upload_id in place.parsed(uploads, documents.uploads).uploads if uploads.is_done else ():
        await place.send("DELETE", key, query={"uploadId": upload_id})
    async for key, version in _contents(place):
        if version and version != "null":
            await _hold(place, key, version, "OFF")
        await place.send("DELETE", key, query={"versionId": version} if version else None)
    last = await place.send("DELETE")
    if not last.is_done and last.code != "NoSuchBucket":
        raise place.problem(last)


async def _contents(place: Place) -> AsyncIterator[tuple[str, str]]:
    """Keys with version ids (``""`` where the backend knows none). A probe leaves less than a page."""
    versions = await place.send("GET", query={"versions": "", "encoding-type": "url"})
    try:
        found = documents.versions(versions.body) if versions.is_done else []
    except ValueError:
        found = []
    for key, version in found:
        yield key, version
    for key in await place.listed(""):
        yield key, ""


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
