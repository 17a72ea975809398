"""What tenants may use, and do use."""

from __future__ import annotations

from typing import NamedTuple

from domicile_common.errors import RequestError
from domicile_common.metadata_client.fake.state import State
from domicile_common.model import Bucket


class Usage(NamedTuple):
    bytes: int
    objects: int


def usage(fake: State, tenant_id: str) -> Usage:
    """Of all versions, and of parts that are not yet one; delete markers are no objects."""
    own = {bucket.bucket_id for bucket in fake.buckets.values() if bucket.tenant_id == tenant_id}
    versions = [it.version for (bucket_id, _), stack in fake.stacks.items() if bucket_id in own for it in stack]
    sizes = [version.digest.size for version in versions if not version.is_delete_marker]
    parts = [
        entry.part.size
        for upload_id, entries in fake.parts.items()
        if fake.uploads[upload_id].bucket_id in own
        for entry in entries.values()
    ]
    return Usage(sum(sizes) + sum(parts), len(sizes))


def check(fake: State, bucket: Bucket, before: Usage, after: Usage) -> None:
    """Raises ``QuotaExceeded``. Whoever adds nothing may, however much it uses."""
    quota = fake.quotas.get(bucket.tenant_id)
    if quota and any(limit is not None and new > max(limit, old) for limit, old, new in zip(quota, before, after, strict=True)):
        raise RequestError("QuotaExceeded")
