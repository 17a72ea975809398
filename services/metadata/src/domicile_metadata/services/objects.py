"""Keys and their versions: what every GET and DELETE asks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ChangeVersion, Committed, Empty, Locate, PutAcl
from domicile_common.model import Lock, Version
from domicile_metadata.context import Context
from domicile_metadata.domain.deletions import NULL
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services.answers import Answer
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.storage import objects
from domicile_metadata.storage.objects import Found, RawVersion

REPLICA_COUNT = "replica-count"  # the tag by which an object asks for copies


async def locate(context: Context, requests: Sequence[Locate]) -> list[Answer]:
    """One round trip for all current versions; those asked for by version id are rare and take another."""
    current = [
        (request.bucket_id, request.key) for request in requests if request.version_id is None and is_id(request.bucket_id)
    ]
    named = [
        (request.bucket_id, request.key, None if request.version_id == NULL else request.version_id)
        for request in requests
        if _is_named(request)
    ]
    found_current = iter(await objects.locate(context.database, current) if current else ())
    found_named = iter(await objects.locate_versions(context.database, named) if named else ())
    answers: list[Answer] = []
    for request in requests:
        if not is_id(request.bucket_id):
            answers.append(no_such_bucket())
        elif request.version_id is None:
            answers.append(_located(request, next(found_current)))
        elif _is_named(request):
            answers.append(_located(request, next(found_named)))
        else:
            answers.append(invalid_version_id(request.version_id))
    return answers


def _is_named(request: Locate) -> bool:
    return (
        request.version_id is not None and (request.version_id == NULL or is_id(request.version_id)) and is_id(request.bucket_id)
    )


def _located(request: Locate, found: Found | None) -> Answer:
    if found is None:
        return no_such_bucket()
    if found.version is None:
        return absent(request)
    if found.version.is_delete_marker and request.version_id is None:
        return RequestError("NoSuchKey", "The specified key does not exist.", _marker(found.version))
    return found


def _marker(version: Version | RawVersion) -> dict[str, str]:
    """What S3 tells of a delete marker that stands where an object was expected."""
    version_id = NULL if version.is_null else version.version_id
    return {"Key": version.key, "DeleteMarker": "true", "VersionId": version_id}


def invalid_version_id(version_id: str) -> RequestError:
    return RequestError(
        "InvalidArgument", "Invalid version id specified", {"ArgumentName": "versionId", "ArgumentValue": version_id[:100]}
    )


def absent(request: Locate | ChangeVersion) -> RequestError:
    if request.version_id is None:
        return RequestError("NoSuchKey", "The specified key does not exist.", {"Key": request.key})
    return RequestError(
        "NoSuchVersion", "The specified version does not exist.", {"Key": request.key, "VersionId": request.version_id}
    )


async def change(context: Context, request: ChangeVersion) -> Committed:
    if not is_id(request.bucket_id):
        raise no_such_bucket()
    if request.version_id not in (None, NULL) and not is_id(str(request.version_id)):
        raise invalid_version_id(str(request.version_id))
    async with context.database.transaction() as session:
        if request.bypass_governance:
            await objects.allow_bypass(session)
        held = await objects.hold(session, request.bucket_id, request.key, request.version_id)
        if held is None:
            raise absent(request)
        if held.version.is_delete_marker:
            raise RequestError("MethodNotAllowed" if request.version_id else "NoSuchKey", detail=_marker(held.version))
        if (request.retention or request.legal_hold is not None) and not held.can_lock:
            raise RequestError("InvalidRequest", "Bucket is missing Object Lock Configuration")
        version = _changed(request, held.version)
        await objects.change(session, version)
    return Committed(version)


async def put_acl(context: Context, request: PutAcl) -> Empty:
    async with context.database.transaction() as session:
        known = is_id(request.bucket_id) and is_id(request.version_id)
        if not known or not await objects.put_acl(session, request.bucket_id, request.key, request.version_id, request.acl):
            raise RequestError("NoSuchKey", "The specified key does not exist.", {"Key": request.key})
    return Empty()


def _changed(request: ChangeVersion, version: Version) -> Version:
    facts, lock = version.facts, version.lock or Lock()
    if request.tags is not None:
        if request.tags.get(REPLICA_COUNT) != facts.tags.get(REPLICA_COUNT):
            raise RequestError(
                "NotImplemented", f"The tag {REPLICA_COUNT} of an object that exists cannot be changed: copy the object."
            )
        facts = msgspec.structs.replace(facts, tags=request.tags)
    if request.retention is not None:
        lock = msgspec.structs.replace(lock, mode=request.retention.mode, until=request.retention.until)
    if request.legal_hold is not None:
        lock = msgspec.structs.replace(lock, legal_hold=request.legal_hold)
    return msgspec.structs.replace(version, facts=facts, lock=None if lock == Lock() else lock)
