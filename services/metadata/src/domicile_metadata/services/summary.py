"""Where data lives: sums by backend and country, buckets, and the versions of a bucket with their copies."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Copy, ListVersions
from domicile_metadata.context import Context
from domicile_metadata.services import listing
from domicile_metadata.storage import buckets, placement, totals
from domicile_metadata.storage.totals import BackendSum, BrowsedBucket, Sums

SEPARATOR: Final = "/"  # in no tenant id


class CountrySum(msgspec.Struct, frozen=True):
    country: str
    backends: tuple[str, ...]
    copies: int
    bytes: int


class Summary(msgspec.Struct, frozen=True):
    """Counted a while ago: ``all.counted_at``."""

    all: Sums
    countries: tuple[CountrySum, ...]
    backends: tuple[BackendSum, ...]


class BucketPage(msgspec.Struct, frozen=True):
    """``next``: ``after`` of the next page, ``""`` on the last."""

    buckets: tuple[BrowsedBucket, ...]
    next: str


class BrowsedVersion(msgspec.Struct, frozen=True):
    """``version_id``: as S3 shows it. ``reason``: why its copies are where they are. ``copies``: by backend, none of a delete marker."""

    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    size: int
    etag: str
    last_modified: datetime
    storage_class: str
    reason: str
    copies: tuple[Copy, ...]


class ObjectsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after_key``, ``after_version``: exclusive; of the page before."""

    tenant: str
    bucket: str
    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_version: str = ""


class BrowsedPage(msgspec.Struct, frozen=True):
    """``prefixes``: what keys have in common up to the delimiter."""

    versions: tuple[BrowsedVersion, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    after_key: str
    after_version: str


async def summarize(context: Context, tenant_id: str | None) -> Summary:
    backends = await totals.sum_backends(context.database, tenant_id)
    by_country: defaultdict[str, list[BackendSum]] = defaultdict(list)
    for backend in backends:
        by_country[backend.country].append(backend)
    countries = [
        CountrySum(country, tuple(it.backend_id for it in there), sum(it.copies for it in there), sum(it.bytes for it in there))
        for country, there in sorted(by_country.items())
    ]
    return Summary(await totals.sum_buckets(context.database, tenant_id), tuple(countries), tuple(backends))


def in_use(summary: Summary) -> Summary:
    """What a tenant sees of it: where nothing of its own is, is not its business."""
    return msgspec.structs.replace(
        summary,
        countries=tuple(it for it in summary.countries if it.copies),
        backends=tuple(it for it in summary.backends if it.copies),
    )


async def list_buckets(context: Context, tenant_id: str | None, after: str, limit: int) -> BucketPage:
    tenant, _, name = after.partition(SEPARATOR)
    found = await totals.browse_buckets(context.database, tenant_id, None, (tenant, name), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return BucketPage(tuple(found[:limit]), f"{last.tenant_id}{SEPARATOR}{last.bucket}" if last else "")


async def show_bucket(context: Context, tenant_id: str, bucket: str) -> BrowsedBucket:
    """Raises ``NoSuchBucket``."""
    found = await totals.browse_buckets(context.database, tenant_id, bucket, ("", ""), 1)
    if not found:
        raise _no_such_bucket(tenant_id, bucket)
    return found[0]


async def list_versions(context: Context, asked: ObjectsAsked, limit: int) -> BrowsedPage:
    """Keys in byte order, versions of a key newest first. Raises ``NoSuchBucket``, ``InvalidArgument``."""
    bucket = await buckets.find_by_name(context.database, asked.tenant, asked.bucket)
    if bucket is None:
        raise _no_such_bucket(asked.tenant, asked.bucket)
    page = await listing.list_versions(
        context,
        ListVersions(
            bucket_id=bucket.bucket_id,
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            after_key=asked.after_key,
            after_version=asked.after_version,
            limit=limit,
        ),
    )
    placed = await placement.find_placements(context.database, [(bucket.bucket_id, it.version_id) for it in page.versions])
    versions = tuple(
        BrowsedVersion(
            it.object.key,
            it.shown_id,
            it.is_latest,
            it.is_delete_marker,
            it.object.size,
            it.object.etag,
            it.object.last_modified,
            it.object.storage_class,
            where.reason if where else "",
            where.copies if where else (),
        )
        for it, where in zip(page.versions, placed, strict=True)
    )
    return BrowsedPage(versions, page.prefixes, page.truncated, *(page.last if page.truncated else ("", "")))


def _no_such_bucket(tenant_id: str, bucket: str) -> RequestError:
    return RequestError("NoSuchBucket", f"The tenant {tenant_id} has no bucket {bucket}.")
