"""What stamps may restore, on a record that is in use meanwhile."""

from __future__ import annotations

import pytest

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Condition, Locate
from domicile_common.metadata_client.rebuild import Found, RestoreVersions
from domicile_common.model import Digest, Facts, Version
from domicile_common.stamps import make_stamp

pytestmark = pytest.mark.servers


def restoring(bucket, intent) -> RestoreVersions:
    """What a rebuild asks for when it comes upon the blob of a write."""
    blob = next(blob for blob in intent.blobs if blob.backend_id == "us")
    version = Version(bucket.bucket_id, "k", intent.version_id, intent.deadline, Facts(), Digest(3, "0" * 32))
    stamp = make_stamp(version, tenant_id="acme", bucket=bucket.name, policy_version=1)
    return RestoreVersions(backend_id="us", namespace=blob.namespace, blobs=(Found(blob.blob_key, stamp),))


async def test_a_write_under_way_is_its_commits_affair(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    assert (await metadata.ask(restoring(bucket, intent))).refused == {}
    with pytest.raises(RequestError, match="NoSuchKey"):
        await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    with pytest.raises(RequestError, match="NoSuchKey"):
        await metadata.ask(metadata.commit(intent, condition=Condition(if_match="*")))
    await metadata.ask(restoring(bucket, intent))
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}
    assert await metadata.sql("SELECT FROM versions") == [], "it was refused"


async def test_a_write_that_was_lost_with_its_record_comes_back(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.sql("DELETE FROM intents")
    for _ in range(2):
        await metadata.ask(restoring(bucket, intent))
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert (located.version.version_id, [it.blob.backend_id for it in located.replicas]) == (intent.version_id, ["us"])
