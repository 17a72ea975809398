"""Keys and their versions: what every GET and DELETE asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Delete, Deleted, Empty, Locate, PutAcl
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services.answers import Answer
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.storage import objects
from domicile_metadata.storage.objects import Found

NULL: Final = "null"  # how S3 names the version that a key has without versioning


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
    if found.version is None and request.version_id is None:
        return RequestError("NoSuchKey", "The specified key does not exist.", {"Key": request.key})
    if found.version is None:
        return RequestError(
            "NoSuchVersion", "The specified version does not exist.", {"Key": request.key, "VersionId": str(request.version_id)}
        )
    if found.version.is_delete_marker and request.version_id is None:
        marker = {
            "Key": request.key,
            "DeleteMarker": "true",
            "VersionId": NULL if found.version.is_null else found.version.version_id,
        }
        return RequestError("NoSuchKey", "The specified key does not exist.", marker)
    return found


def invalid_version_id(version_id: str) -> RequestError:
    return RequestError(
        "InvalidArgument", "Invalid version id specified", {"ArgumentName": "versionId", "ArgumentValue": version_id[:100]}
    )


async def delete(context: Context, requests: Sequence[Delete]) -> list[Answer]:
    """Removes null versions. No bucket is versioned yet, so a version that is named otherwise is one that does not exist."""
    keys = [
        (request.bucket_id, request.key)
        for request in requests
        if is_id(request.bucket_id) and request.version_id in {None, NULL}
    ]
    async with context.database.transaction() as session:
        homes = await objects.delete_null_versions(session, keys, context.settings.removal_grace_seconds)
    return [_deleted(request, homes) for request in requests]


def _deleted(request: Delete, homes: set[str]) -> Answer:
    if request.version_id not in {None, NULL}:
        return (
            Deleted(version_id=request.version_id)
            if is_id(str(request.version_id))
            else invalid_version_id(str(request.version_id))
        )
    return Deleted(version_id=request.version_id) if request.bucket_id in homes else no_such_bucket()


async def put_acl(context: Context, request: PutAcl) -> Empty:
    async with context.database.transaction() as session:
        known = is_id(request.bucket_id) and is_id(request.version_id)
        if not known or not await objects.put_acl(session, request.bucket_id, request.version_id, request.acl):
            raise RequestError("NoSuchKey", "The specified key does not exist.")
    return Empty()
