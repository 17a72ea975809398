"""What the suites share."""

from __future__ import annotations

from typing import Any

import pytest

from domicile_common.errors import RequestError
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Bucket, Digest, Facts, Tenant, Version

MD5 = "0123456789abcdef" * 2
INITIATOR = Tenant(tenant_id="two", name="Two", canonical_id="2" * 64)
NOWHERE = "0" * 32
PART_SIZE = 5 << 20
FACTS = Facts(headers={"content-type": "text/é"}, metadata={"a": "1"}, tags={"b": "2"}, storage_class="STANDARD_IA")


async def refused(metadata: Metadata, request: m.Request[Any]) -> str:
    """The code that a request is refused with."""
    with pytest.raises(RequestError) as caught:
        await metadata.call(request)
    return caught.value.code


async def make_bucket(metadata: Metadata, name: str = "photos", location: str = "", tenant_id: str = "acme") -> Bucket:
    return await metadata.call(m.CreateBucket(tenant_id=tenant_id, name=name, location=location))


def commit_of(intent: m.Intent, md5: str = MD5, *, condition: m.Condition | None = None, size: int = 3) -> m.Commit:
    return m.Commit(
        bucket_id=intent.bucket_id,
        version_id=intent.version_id,
        digest=Digest(size, md5, {"crc32": "AAAAAA=="}),
        stored=tuple(m.Stored(backend_id, md5) for backend_id in intent.decision.write),
        condition=condition or m.Condition(),
    )


async def put(metadata: Metadata, bucket: Bucket, key: str, md5: str = MD5, *, condition: m.Condition | None = None) -> Version:
    intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key=key, facts=FACTS))
    return (await metadata.call(commit_of(intent, md5, condition=condition))).version
