"""Exports: a bucket's objects under their natural names, at a registered backend or at any other endpoint (docs/adr/0016)."""

from __future__ import annotations

from typing import Annotated

import msgspec
import structlog

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.metadata_client.exports import Export, OpenTarget
from domicile_common.model import Backend
from domicile_common.policy import admits
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.levels import effective_policy
from domicile_metadata.domain.tasks import Prepared, task_backend
from domicile_metadata.services.backends import Registration, check_registration, given_secret, no_such_backend
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.storage import buckets, directory, placement, transfers

log = structlog.get_logger()


class WantedExport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``backend``: a registered one, or ``endpoint``: another, as backends are registered. The rest as in ``Export``."""

    tenant: str
    bucket: str
    to_bucket: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")]
    backend: str | None = None
    endpoint: Registration | None = None
    prefix: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    overwrite: bool = False
    allow_outside_lock: bool = False


async def prepare(context: Context, wanted: WantedExport) -> Prepared:
    """Raises ``NoSuchBucket``, ``NoSuchBackend``, ``InvalidArgument``, ``PolicyRefused``."""
    record = await buckets.find_by_name(context.database, wanted.tenant, wanted.bucket)
    if record is None:
        raise no_such_bucket(wanted.bucket)
    target, secret = await _target(context, wanted)
    policy = effective_policy(record.levels.documents, record.levels.version)
    objection = admits(policy, target)
    if objection and not wanted.allow_outside_lock:
        raise PolicyRefused("region_lock", f"{objection} An operator may acknowledge that with allow_outside_lock.")
    if objection:
        log.warning(
            "an operator lets a bucket leave its lock",
            tenant=wanted.tenant,
            bucket=wanted.bucket,
            country=target.country,
            jurisdictions=target.jurisdictions,
            why=objection,
        )
    if any(row.backend_id == target.backend_id for row in await placement.find_namespace(context.database, wanted.to_bucket)):
        raise RequestError("InvalidArgument", f"{wanted.to_bucket} is a physical bucket of Domicile itself.")
    export = Export(
        tenant=wanted.tenant,
        bucket=wanted.bucket,
        prefix=wanted.prefix,
        target=target,
        to_bucket=wanted.to_bucket,
        overwrite=wanted.overwrite,
        allow_outside_lock=wanted.allow_outside_lock,
    )
    return Prepared(export, secret)


async def _target(context: Context, wanted: WantedExport) -> tuple[Backend, str]:
    """Without its secret, which is the second when the operator has given it."""
    if (wanted.backend is None) == (wanted.endpoint is None):
        raise RequestError("InvalidArgument", "Either backend or endpoint says where to.")
    if wanted.endpoint is None:
        found = {it.backend_id: it for it in await directory.list_backends(context.database)}.get(str(wanted.backend))
        if found is None:
            raise no_such_backend(str(wanted.backend))
        return msgspec.structs.replace(found, sealed_secret=""), ""
    given = wanted.endpoint
    check_registration(given)
    secret = given_secret(context, "", given)
    if secret is None or given.state is not None or given.force:
        raise RequestError("InvalidArgument", "endpoint needs secret_key, and has neither state nor force.")
    return Backend(
        backend_id="",
        provider=given.provider,
        endpoint=given.endpoint.rstrip("/"),
        country=given.country,
        jurisdictions=given.jurisdictions,
        access_key=given.access_key,
        sealed_secret="",
        region=given.region,
        addressing=given.addressing,
        quirks=given.quirks,
    ), secret


async def open_target(context: Context, request: OpenTarget) -> Backend:
    known = is_id(request.task_id)
    found = await transfers.find_secret(context.database, request.task_id, request.worker) if known else None
    if found is None:
        raise RequestError("NoSuchTask", "The task has no secret: it is forgotten when a task ends, so begin a new one.")
    parameters, sealed = found
    target = msgspec.convert(parameters, Export).target
    return msgspec.structs.replace(target, backend_id=task_backend(request.task_id), sealed_secret=sealed)
