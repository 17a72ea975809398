"""What a backend's answers mean, whatever it answers: a scripted server in place of S3."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from domicile_common import errors
from domicile_common.backends import wire
from domicile_common.backends.http1 import Client, Limits
from domicile_common.backends.port import Source
from domicile_common.backends.s3 import S3BlobStore
from domicile_common.backends.stores import open_store
from domicile_common.errors import (
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
    UploadNotFound,
)
from domicile_common.model import Backend, Blob, Part
from domicile_common.testing.fault_proxy import Fault, FaultProxy

pytestmark = pytest.mark.servers

SECRET = "sk-do-not-show-this-anywhere"
ACCESS = "ak-nor-this"
SHORT_OF_PATIENCE = Limits(silence=0.5)
BLOB = Blob("fi", "s3gw-ns", "a/b")


class Script:
    """Answers each request with the next line: status, headers, body. ``seen``: method and target of each; ``bodies`` what was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.seen: list[str] = []
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0

    def say(self, status: int, body: bytes | str = b"", **headers: str) -> "Script":
        raw = body.encode() if isinstance(body, str) else body
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, raw))
        return self

    def error(self, status: int, code: str) -> "Script":
        return self.say(status, f"<Error><Code>{code}</Code><Message>signature {SECRET}</Message></Error>")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                self.heads.append(head)
                self.seen.append(f"{method} {target}")
                length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
                self.bodies.append(await reader.readexactly(length))
                status, headers, body = self.answers.pop(0)
                headers = {"content-length": str(len(body))} | headers
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + (b"" if method == "HEAD" else body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def registered(port: int, **changes) -> Backend:
    changes = {"endpoint": f"http://127.0.0.1:{port}", **changes}
    return Backend("fi", "test", country="FI", jurisdictions=("FI",), access_key=ACCESS, sealed_secret="sealed", **changes)


@asynccontextmanager
async def scripted(**changes) -> AsyncIterator[tuple[Script, S3BlobStore]]:
    script = Script()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    store = open_store(registered(script.port, **changes), SECRET)
    try:
        yield script, store
        assert not script.answers, "not everything was asked for"
    finally:
        await store.close()
        server.close()
        await server.wait_closed()


async def put(store: S3BlobStore, body: bytes = b"hello") -> str:
    sink = await store.open_put(BLOB, len(body), {"content-type": "text/plain", "x-amz-meta-domicile": "stamp"})
    await sink.write(body)
    return await sink.finish()


OPERATIONS = {
    "get": lambda store: store.open_get(BLOB),
    "put": put,
    "delete": lambda store: store.delete(BLOB),
    "create_upload": lambda store: store.create_upload(BLOB, {}),
    "complete_upload": lambda store: store.complete_upload(BLOB, "u", (Part(1, 5, "e"),)),
    "abort_upload": lambda store: store.abort_upload(BLOB, "u"),
    "list_uploads": lambda store: store.list_uploads(BLOB),
    "list_parts": lambda store: store.list_parts(BLOB, "u"),
    "list_blobs": lambda store: store.list_blobs("s3gw-ns"),
    "ensure_namespace": lambda store: store.ensure_namespace("s3gw-ns"),
    "delete_namespace": lambda store: store.delete_namespace("s3gw-ns"),
}
MEANINGS = [
    (404, "NoSuchKey", BlobNotFound),
    (404, "NoSuchBucket", NamespaceNotFound),
    (404, "NoSuchUpload", UploadNotFound),
    (404, "NoSuchWebsiteConfiguration", BackendRefused),
    (403, "NoSuchKey", BackendRefused),
    (500, "NoSuchKey", BackendUnavailable),
    (401, "", BackendRefused),
    (403, "AccessDenied", BackendRefused),
    (403, "SignatureDoesNotMatch", BackendRefused),
    (400, "InvalidArgument", BackendRefused),
    (409, "BucketAlreadyExists", BackendRefused),
    (301, "PermanentRedirect", BackendRefused),
    (400, "RequestTimeout", BackendUnavailable),
    (403, "RequestTimeTooSkewed", BackendUnavailable),
    (409, "OperationAborted", BackendUnavailable),
    (429, "", BackendUnavailable),
    (400, "BadDigest", BlobMismatch),
    (416, "InvalidRange", BlobMismatch),
    (500, "InternalError", BackendUnavailable),
    (503, "SlowDown", BackendUnavailable),
    (200, "InternalError", BackendUnavailable),
]


@pytest.mark.parametrize("operation", ["put", "complete_upload", "list_blobs"])
@pytest.mark.parametrize("status, code, meaning", MEANINGS)
async def test_meanings(operation, status, code, meaning):
    async with scripted() as (script, store):
        script.error(status, code)
        with pytest.raises(errors.BackendError) as caught:
            await OPERATIONS[operation](store)
        assert type(caught.value) is meaning
        assert caught.value.backend_id == "fi"
        assert str(status) in str(caught.value)
        for secret in (SECRET, ACCESS, "signature", "a/b"):
            assert secret not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        assert SECRET not in f"{store!r} {vars(store)}"


@pytest.mark.parametrize("operation", [*OPERATIONS, "head"])
@pytest.mark.parametrize(
    "answer", [(404, b""), (404, b"<html>not found</html>"), (404, b"404 page not found"), (502, b"bad gateway")]
)
async def test_only_s3_itself_says_that_something_is_absent(operation, answer):
    async with scripted() as (script, store):
        script.say(*answer)
        if operation == "head" and answer[0] == 404:
            script.say(*answer)
        with pytest.raises(BackendUnavailable):
            await (store.head(BLOB) if operation == "head" else OPERATIONS[operation](store))


@pytest.mark.parametrize("operation", ["create_upload", "complete_upload", "list_uploads", "list_parts", "list_blobs"])
async def test_a_success_that_cannot_be_read_is_none(operation):
    async with scripted() as (script, store):
        script.say(200, b"<html>fine</html>")
        with pytest.raises(BackendUnavailable):
            await OPERATIONS[operation](store)


@pytest.mark.parametrize(
    "code, meaning", [("NoSuchUpload", UploadNotFound), ("InvalidPart", BlobMismatch), ("SlowDown", BackendUnavailable)]
)
async def test_completing_may_fail_after_a_200(code, meaning):
    async with scripted() as (script, store):
        script.say(200, f"\n \n<Error><Code>{code}</Code></Error>")
        with pytest.raises(meaning):
            await OPERATIONS["complete_upload"](store)


async def test_a_completion_that_tells_no_etag_is_asked_for_it():
    async with scripted() as (script, store):
        script.say(200, "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>").say(200, ETag='"ab-1"')
        assert await OPERATIONS["complete_upload"](store) == "ab-1"


@pytest.mark.parametrize("there, meaning", [("u", BackendUnavailable), ("another", UploadNotFound)])
async def test_a_backend_that_cannot_tell_whether_an_upload_is_gone_is_asked_for_its_uploads(there, meaning):
    async with scripted(quirks="ceph") as (script, store):
        script.error(500, "InternalError").say(200, uploads_page("", (BLOB.blob_key, there)))
        with pytest.raises(meaning):
            await OPERATIONS["complete_upload"](store)


@pytest.mark.parametrize("operation", ["delete", "abort_upload"])
@pytest.mark.parametrize("code", ["NoSuchBucket", "NoSuchKey"])
async def test_removing_what_is_absent_is_no_error(operation, code):
    async with scripted() as (script, store):
        script.error(404, code)
        await OPERATIONS[operation](store)


async def test_what_a_missing_head_means_is_asked_with_a_get():
    async with scripted() as (script, store):
        script.say(404).error(404, "NoSuchKey").say(404).error(404, "NoSuchBucket").say(404).error(403, "AccessDenied").say(
            404
        ).say(200, b"x")
        for meaning in (BlobNotFound, NamespaceNotFound, BackendRefused, BackendUnavailable):
            with pytest.raises(meaning):
                await store.head(BLOB)
        assert script.seen[:2] == ["HEAD /s3gw-ns/a/b", "GET /s3gw-ns/a/b"]
        assert "range: bytes=0-0\r\n" in script.heads[1]


async def test_a_get_that_fails():
    async with scripted() as (script, store):
        script.error(404, "NoSuchKey").error(404, "NoSuchBucket").error(403, "AccessDenied").error(503, "SlowDown")
        for meaning in (BlobNotFound, NamespaceNotFound, BackendRefused, BackendUnavailable):
            with pytest.raises(meaning):
                await store.open_get(BLOB)


async def test_a_put_without_an_etag_was_none():
    async with scripted() as (script, store):
        script.say(200)
        with pytest.raises(BackendUnavailable):
            await put(store)


async def test_what_is_sent():
    async with scripted() as (script, store):
        script.say(200, etag='"abc"')
        assert await put(store) == "abc"
        head = script.heads[0].lower()
        assert "x-amz-content-sha256: unsigned-payload\r\n" in head
        assert "content-length: 5\r\n" in head
        assert "x-amz-meta-domicile: stamp\r\n" in head
        assert "signedheaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-domicile," in head.replace(", ", ",").replace(
            " ", ""
        )
        assert "transfer-encoding" not in head
        assert "checksum" not in head
        assert script.bodies == [b"hello"]


@pytest.mark.parametrize("pieces", [[b"hel"], [b"hello", b"!"], []])
async def test_a_sink_takes_exactly_what_was_announced(pieces):
    async def write_all() -> None:
        for piece in pieces:
            await sink.write(piece)
        await sink.finish()

    async with scripted() as (script, store):
        sink = await store.open_put(BLOB, 5, {})
        with pytest.raises(BlobMismatch):
            await write_all()
        await sink.abort()
        assert script.bodies == []


@pytest.mark.parametrize(
    "asked, status, headers, size",
    [
        ((0, None), 200, {}, 5),
        ((0, 4), 200, {}, 5),
        ((0, 99), 200, {}, 5),
        ((2, None), 206, {"content_range": "bytes 2-6/7"}, 7),
        ((2, 6), 206, {"content_range": "bytes 2-6/9"}, 9),
        ((2, 99), 206, {"content_range": "bytes 2-6/7"}, 7),
        ((2, 6), 200, {"content_range": "bytes 2-6/9"}, 9),
    ],
)
async def test_ranges(asked, status, headers, size):
    async with scripted() as (script, store):
        script.say(status, b"hello", etag='"e"', **headers)
        source = await store.open_get(BLOB, *asked)
        assert (source.info.size, source.info.etag) == (size, "e")
        assert b"".join([chunk async for chunk in source.chunks()]) == b"hello"
        await source.close()


@pytest.mark.parametrize(
    "asked, status, headers",
    [
        ((2, None), 200, {}),
        ((0, 3), 200, {}),
        ((2, None), 206, {"content_range": "bytes 1-5/7"}),
        ((2, None), 206, {"content_range": "bytes 2-6/9"}),
        ((2, 4), 206, {"content_range": "bytes 2-6/9"}),
        ((2, None), 206, {}),
        ((2, None), 206, {"content_range": "bytes 2-6/*"}),
        ((0, None), 206, {"content_range": "bytes 0-4/9"}),
    ],
)
async def test_other_bytes_than_asked_for_are_refused(asked, status, headers):
    async with scripted() as (script, store):
        script.say(status, b"hello", **headers)
        with pytest.raises(BackendUnavailable):
            await store.open_get(BLOB, *asked)


@pytest.mark.parametrize(
    "changes, body",
    [
        ({}, b""),
        ({"region": "eu-north-1"}, b""),
        ({"quirks": "aws"}, b""),
        ({"quirks": "aws", "region": "eu-north-1"}, b"<LocationConstraint>eu-north-1</LocationConstraint>"),
    ],
)
async def test_making_a_namespace(changes, body):
    async with scripted(**changes) as (script, store):
        script.say(200)
        await store.ensure_namespace("s3gw-ns")
        assert script.seen == ["PUT /s3gw-ns"]
        assert body in script.bodies[0]
        assert bool(body) == bool(script.bodies[0])


async def test_a_namespace_is_made_once_and_remembered_until_forgotten():
    async with scripted() as (script, store):
        script.say(200)
        await asyncio.gather(*(store.ensure_namespace("s3gw-ns") for _ in range(5)))
        script.error(409, "BucketAlreadyOwnedByYou")
        store.forget_namespace("s3gw-ns")
        await store.ensure_namespace("s3gw-ns")
        assert len(script.seen) == 2


async def test_a_namespace_that_could_not_be_made_is_tried_again():
    async with scripted() as (script, store):
        script.error(503, "SlowDown").say(200)
        with pytest.raises(BackendUnavailable):
            await store.ensure_namespace("s3gw-ns")
        await store.ensure_namespace("s3gw-ns")


async def test_a_strangers_bucket_is_refused_except_where_there_are_no_owners():
    async with scripted() as (script, store):
        script.error(409, "BucketAlreadyExists")
        with pytest.raises(BackendRefused):
            await store.ensure_namespace("s3gw-ns")
    async with scripted(quirks="rclone") as (script, store):
        script.error(409, "BucketAlreadyExists")
        await store.ensure_namespace("s3gw-ns")


async def test_removing_a_namespace():
    async with scripted() as (script, store):
        script.say(204).error(404, "NoSuchBucket").error(409, "BucketNotEmpty")
        assert [await store.delete_namespace("s3gw-ns") for _ in range(3)] == [True, True, False]


def uploads_page(rest: str, *uploads: tuple[str, str]) -> str:
    rows = "".join(f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId></Upload>" for key, upload_id in uploads)
    return f"<ListMultipartUploadsResult>{rows}{rest}</ListMultipartUploadsResult>"


async def test_uploads_of_one_key_over_pages():
    more = "<IsTruncated>true</IsTruncated><NextKeyMarker>a/b</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>"
    async with scripted() as (script, store):
        script.say(200, uploads_page(more, ("a/b", "1"), ("a/b", "2"))).say(200, uploads_page("", ("a/b", "3"), ("a/bc", "4")))
        assert await store.list_uploads(BLOB) == ("1", "2", "3")
        assert {"key-marker=a%2Fb", "upload-id-marker=2"} <= set(script.seen[1].partition("?")[2].split("&"))
        assert "prefix=a%2Fb" in script.seen[0]
        assert "encoding-type" not in script.seen[0]  # Ceph encodes then, and does not say so
        script.say(200, uploads_page(more)).say(200, uploads_page(more))
        with pytest.raises(BackendUnavailable):
            await store.list_uploads(BLOB)


def parts_page(rest: str, *numbers: int) -> str:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;e{number}&quot;</ETag><Size>5</Size></Part>" for number in numbers
    )
    return f"<ListPartsResult>{rows}{rest}</ListPartsResult>"


async def test_parts_of_an_upload_over_pages():
    more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>"
    async with scripted() as (script, store):
        script.say(200, parts_page(more, 1, 2)).say(200, parts_page("", 3))
        assert await store.list_parts(BLOB, "u") == tuple(Part(number, 5, f"e{number}") for number in (1, 2, 3))
        assert {"uploadId=u", "part-number-marker=2"} <= set(script.seen[1].partition("?")[2].split("&"))
        script.say(200, parts_page(more)).say(200, parts_page(more))
        with pytest.raises(BackendUnavailable):
            await store.list_parts(BLOB, "u")


async def test_virtual_addressing_puts_the_namespace_into_the_host(monkeypatch):
    origins = []
    async with scripted(endpoint="https://s3.example:9000/base/", addressing="virtual") as (script, store):

        def client(origin: str, limits: Limits, tls: ssl.SSLContext) -> Client:
            origins.append(origin)
            return Client(f"http://127.0.0.1:{script.port}", limits)

        monkeypatch.setattr(wire, "Client", client)
        script.say(204).say(204)
        await store.delete(BLOB)
        await store.delete(BLOB)
        assert origins == ["https://s3gw-ns.s3.example:9000"]
        assert script.seen[0] == "DELETE /base/a/b"


@pytest.mark.parametrize(
    "fault", [Fault(answer=503), Fault(stall_down=0), Fault(cut_down=0), Fault(cut_up=50), Fault(corrupt_down=0)]
)
@pytest.mark.parametrize("operation", ["get", "put", "delete", "list_blobs", "head"])
async def test_trouble_on_the_way_says_nothing_about_the_blob(fault, operation):
    script = Script()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server, FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        script.say(200, b"hello")
        proxy.fault = fault
        store = open_store(registered(proxy.port), SECRET, SHORT_OF_PATIENCE)
        with pytest.raises(BackendUnavailable):
            await (store.head(BLOB) if operation == "head" else OPERATIONS[operation](store))
        await proxy.refuse()
        with pytest.raises(BackendUnavailable, match="ConnectFailed"):
            await store.open_get(BLOB)
        await store.close()


async def read_into(got: bytearray, source: Source) -> None:
    async for chunk in source.chunks():
        got += chunk


async def test_a_body_that_breaks_off_is_unavailable_after_what_arrived():
    script = Script()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server, FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        script.say(200, bytes(100_000))
        proxy.fault = Fault(cut_down=50_000)
        store = open_store(registered(proxy.port), SECRET, SHORT_OF_PATIENCE)
        source = await store.open_get(BLOB)
        got = bytearray()
        with pytest.raises(BackendUnavailable):
            await read_into(got, source)
        assert 40_000 < len(got) < 50_000
        await store.close()
