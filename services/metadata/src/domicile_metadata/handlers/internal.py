"""``POST /internal/<call>``: an array of requests in, an array of outcomes out (see ``metadata_client.models``). A plain ASGI application.

Answers 401 without the service token, 404 for an unknown call, 405, 413 and 400 for what cannot be read as an array of the call's
requests; otherwise 200, whatever became of the items.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from prometheus_client import Counter, Histogram

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client import models
from domicile_common.metadata_client import rebuild as rebuilding
from domicile_common.metadata_client import scrub as scrubbing
from domicile_common.metadata_client.adoption import AdoptObjects, CompareListed, FindVanished
from domicile_common.metadata_client.exports import OpenTarget
from domicile_common.metadata_client.findings import NoteFindings
from domicile_common.metadata_client.health import DoubtCopies, NoteHealth
from domicile_common.metadata_client.models import CALLS, Failure, Outcome
from domicile_common.metadata_client.probes import NameProbe, ReportProbe
from domicile_common.metadata_client.retirement import NoteRemoved, Retire
from domicile_common.metadata_client.tasks import AdvanceTask, ClaimTask
from domicile_common.tracing import Span, SpanKind, is_exporting
from domicile_metadata.context import Context
from domicile_metadata.handlers.secrets import is_one_of
from domicile_metadata.services import (
    adoption,
    begin,
    bucket_settings,
    buckets,
    commit,
    deletions,
    directory,
    exports,
    findings,
    health,
    listing,
    objects,
    placement,
    probes,
    rebuild,
    retirement,
    scrub,
    tasks,
    uploads,
    work,
)
from domicile_metadata.services.answers import Answer, Batch, chunked, each

log = structlog.get_logger()

MAXIMUM_BODY: Final = 64 << 20  # bytes; the largest array that a proxy joins is far smaller
PREFIX: Final = "/internal/"

SERVICES: Final[Mapping[type[Any], Batch]] = MappingProxyType(
    {
        models.FindCredential: each(directory.find_credential),
        models.ListBackends: each(directory.list_backends),
        models.FindBucket: each(buckets.find),
        models.CreateBucket: each(buckets.create),
        models.DeleteBucket: each(buckets.delete),
        models.ListBuckets: each(buckets.list_page),
        models.ChangeBucket: each(buckets.change),
        models.ShareObjects: each(buckets.share_objects),
        models.FindCors: each(buckets.find_cors),
        models.FindTenants: each(directory.find_tenants),
        models.PutAcl: each(objects.put_acl),
        models.Locate: objects.locate,
        models.Begin: begin.begin,
        models.Renew: begin.renew,
        models.Commit: chunked(commit.commit),
        models.Abort: commit.abort,
        models.Delete: chunked(deletions.delete),
        models.ChangeVersion: each(objects.change),
        models.PutVersioning: each(bucket_settings.put_versioning),
        models.PutLockConfiguration: each(bucket_settings.put_lock_configuration),
        models.FindBucketTags: each(bucket_settings.find_tags),
        models.PutBucketTags: each(bucket_settings.put_tags),
        models.FindPlacement: placement.find,
        models.ListObjects: each(listing.list_objects),
        models.ListVersions: each(listing.list_versions),
        models.RegisterUpload: each(uploads.register),
        models.FindUpload: each(uploads.find),
        models.PutPart: each(uploads.put_part),
        models.ListParts: each(uploads.list_parts),
        models.ListUploads: each(listing.list_uploads),
        models.BeginComplete: each(uploads.begin_complete),
        models.ReopenUpload: each(uploads.reopen),
        models.Wanted: work.wanted,
        models.Report: work.report,
        ClaimTask: each(tasks.claim),
        AdvanceTask: each(tasks.advance),
        CompareListed: each(adoption.compare),
        AdoptObjects: each(adoption.adopt),
        FindVanished: each(adoption.find_vanished),
        OpenTarget: each(exports.open_target),
        NoteFindings: each(findings.note),
        NoteHealth: each(health.note),
        DoubtCopies: each(scrub.doubt),
        NameProbe: each(probes.name_buckets),
        ReportProbe: each(probes.report),
        rebuilding.FindPrefix: each(rebuild.find_prefix),
        rebuilding.FindHome: each(rebuild.find_home),
        rebuilding.RestoreBucket: each(rebuild.restore_bucket),
        Retire: each(retirement.retire),
        NoteRemoved: each(retirement.note_removed),
        rebuilding.RestoreVersions: each(rebuild.restore_versions),
        rebuilding.EndRebuild: each(rebuild.end),
        scrubbing.ListNamespaces: each(scrub.list_namespaces),
        scrubbing.CompareBlobs: each(scrub.compare_blobs),
        scrubbing.CompareUploads: each(scrub.compare_uploads),
        scrubbing.ListUnseen: each(scrub.list_unseen),
        scrubbing.ListCopies: each(scrub.list_copies),
        scrubbing.ReportFindings: each(scrub.report),
        scrubbing.EndNamespace: each(scrub.end_namespace),
    }
)


SECONDS: Final = Histogram("domicile_metadata_call_seconds", "How long calls took, whatever their number of items.", ["call"])
ITEMS: Final = Counter(
    "domicile_metadata_items", "Items that calls asked for; concurrent requests of a caller share a call.", ["call"]
)
FAILURES: Final = Counter("domicile_metadata_failures", "Items that were refused or found something away.", ["kind"])


class _Endpoint(NamedTuple):
    name: str
    decoder: msgspec.json.Decoder[Any]
    serve: Batch
    seconds: Histogram
    items: Counter


def _endpoints() -> dict[str, _Endpoint]:
    array_of: Any = list  # the element type is a value here, which annotations cannot express
    return {
        PREFIX + call.name: _Endpoint(
            call.name,
            msgspec.json.Decoder(array_of[call.request]),
            SERVICES[call.request],
            SECONDS.labels(call.name),
            ITEMS.labels(call.name),
        )
        for call in CALLS.values()
    }


class InternalApi:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._endpoints = _endpoints()
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, body = await self._respond(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not is_one_of(shown, (f"Bearer {token}" for token in self._context.settings.service_tokens)):
            return 401, b'{"error":"the service token is missing or wrong"}'
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            return 404, b'{"error":"there is no such call"}'
        if scope["method"] != "POST":
            return 405, b'{"error":"calls are POST requests"}'
        body = await _read(receive)
        if body is None:
            return 413, b'{"error":"the array is too large"}'
        try:
            requests = endpoint.decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return 400, self._encoder.encode({"error": f"not an array of the call's requests: {error}"})
        began = time.perf_counter()
        answers = await (self._traced if is_exporting() else self._answers)(endpoint, requests)
        endpoint.seconds.observe(time.perf_counter() - began)
        endpoint.items.inc(len(requests))
        return 200, self._encoder.encode([_outcome(answer) for answer in answers])

    async def _answers(self, endpoint: _Endpoint, requests: Sequence[Any]) -> Sequence[Answer]:
        try:
            return await endpoint.serve(self._context, requests) if requests else ()
        except (RequestError, Unavailable) as error:  # such as a character that PostgreSQL cannot store
            return [error] * len(requests)
        except Exception:
            log.exception("a call failed", call=endpoint.name)
            return [Unavailable("internal error")] * len(requests)

    async def _traced(self, endpoint: _Endpoint, requests: Sequence[Any]) -> Sequence[Answer]:
        """Requests that travel together are each a step of a trace of their own, all of the same length."""
        spans = [Span(endpoint.name, SpanKind.SERVER, parent=request.trace).begin() for request in requests]
        traced = [msgspec.structs.replace(request, trace=span.trace) for request, span in zip(requests, spans, strict=True)]
        answers = await self._answers(endpoint, traced)
        for span, answer in zip(spans, answers, strict=True):
            span.note({"domicile.items": len(requests)})
            if isinstance(answer, RequestError | Unavailable):
                span.fail(answer.code if isinstance(answer, RequestError) else type(answer).__name__)
            span.end()
        return answers


async def _read(receive: Any) -> bytes | None:
    """The whole body, or ``None`` when it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAXIMUM_BODY:
            return None
    return b"".join(chunks)


def _outcome(answer: Answer) -> Outcome[Any]:
    if isinstance(answer, RequestError):
        FAILURES.labels("refused").inc()
        return Outcome(error=Failure(answer.code, answer.message, answer.detail))
    if isinstance(answer, Unavailable):
        FAILURES.labels("unavailable").inc()
        return Outcome(unavailable=str(answer))
    return Outcome(ok=answer)
