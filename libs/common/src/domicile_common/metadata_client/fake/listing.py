"""Objects and versions, page by page."""

from __future__ import annotations

from collections.abc import Iterable

from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake.state import State, answers
from domicile_common.model import Version


@answers(m.ListObjects)
def list_objects(fake: State, request: m.ListObjects) -> m.ObjectPage:
    fake.bucket(request.bucket_id)
    current = {
        key: stack[-1].version
        for (bucket_id, key), stack in fake.stacks.items()
        if bucket_id == request.bucket_id and stack and not stack[-1].version.is_delete_marker
    }
    names = _rolled_up(current, request.prefix, request.delimiter, request.after)
    page = names[: request.limit]
    return m.ObjectPage(
        objects=tuple(_entry(current[name]) for name in page if name in current and not _is_prefix(name, request)),
        prefixes=tuple(name for name in page if _is_prefix(name, request)),
        truncated=len(names) > request.limit > 0,
        last=page[-1] if page else "",
    )


@answers(m.ListVersions)
def list_versions(fake: State, request: m.ListVersions) -> m.VersionPage:
    """Without delimiter only."""
    fake.bucket(request.bucket_id)
    entries = [
        m.VersionEntry(
            _entry(located.version),
            located.version.version_id,
            located.version.is_null,
            is_latest=located is stack[-1],
            is_delete_marker=located.version.is_delete_marker,
        )
        for (bucket_id, key), stack in sorted(fake.stacks.items(), key=lambda item: item[0][1].encode())
        if bucket_id == request.bucket_id and key.startswith(request.prefix)
        for located in reversed(stack)
    ]
    marks = [(entry.object.key, entry.version_id if request.after_version else "") for entry in entries]
    mark = (request.after_key, request.after_version)
    behind = len(marks) - marks[::-1].index(mark) if mark in marks else 0
    page = entries[behind : behind + request.limit]
    return m.VersionPage(
        tuple(page),
        (),
        truncated=len(entries) > behind + request.limit > 0,
        last=(page[-1].object.key, page[-1].version_id) if page else ("", ""),
    )


def _is_prefix(name: str, request: m.ListObjects) -> bool:
    return bool(request.delimiter) and name.find(request.delimiter, len(request.prefix)) >= 0


def _rolled_up(keys: Iterable[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Keys and common prefixes behind ``after``, sorted by their UTF-8 bytes. A common prefix as ``after`` skips all below it."""

    def rolled(key: str) -> str:
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        return key if at < 0 else key[: at + len(delimiter)]

    names = {rolled(key) for key in keys if key.startswith(prefix) and key.encode() > after.encode()}
    return sorted(names - ({after} if after and rolled(after) == after else set()), key=str.encode)


def _entry(version: Version) -> m.ObjectEntry:
    digest = version.digest
    return m.ObjectEntry(
        version.key,
        digest.size,
        digest.etag,
        version.committed_at,
        version.facts.storage_class,
        tuple(digest.checksums),
        digest.checksum_type if digest.checksums else "",
    )
