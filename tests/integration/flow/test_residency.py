"""A bucket locked to FI and DE: no byte of it ever arrives in the US, whatever is down. Each backend is listed directly."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.links import Link, Links
from domicile_common.testing.noise import noise
from domicile_common.testing.private import private_backend
from domicile_local.errors import SuiteError
from domicile_local.servers import ports
from domicile_local.servers.s3 import S3Server

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
LOCKED = "FI,DE"


@dataclass
class World:
    """An operator without any lock of its own, so that only the buckets' locks stand in the way. ``fi`` can be killed, ``de`` cut off."""

    domicile: Installation
    fi: S3Server
    de: Link


@pytest.fixture(scope="module")
def world(tmp_path_factory, open_installation, backends):
    real = {backend.backend_id: backend for backend in backends}
    with (
        private_backend(tmp_path_factory.mktemp("fi"), "fi", "FI") as fi,
        Links({"de": (ports.take(), real["de"].port)}) as links,
        open_installation(backends=[fi.backend, real["de"], real["us"]], links={"de": links.by_name["de"].port}) as domicile,
    ):
        domicile.admin("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1})
        yield World(domicile, fi, links.by_name["de"])


@pytest.fixture
def domicile(world):
    return world.domicile


@pytest.fixture
def bucket(domicile):
    return domicile.new_bucket(location=LOCKED)


def nothing_in_the_us(domicile, *buckets: str) -> bool:
    names = {domicile.namespace("us", bucket) for bucket in buckets}
    return names.isdisjoint(domicile.namespaces("us"))


def use(s3, bucket: str, name: str) -> dict[str, bytes]:
    """Everything that writes; answers what should be there now."""
    large = noise(9 * MIB)
    s3.put_object(Bucket=bucket, Key=f"{name}/small", Body=b"1")
    s3.put_object(Bucket=bucket, Key=f"{name}/large", Body=large)
    s3.put_object(Bucket=bucket, Key=f"{name}/small", Body=b"2")
    s3.copy_object(Bucket=bucket, Key=f"{name}/copy", CopySource={"Bucket": bucket, "Key": f"{name}/large"})
    upload = {"Bucket": bucket, "Key": f"{name}/parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=large)["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    s3.put_object(Bucket=bucket, Key=f"{name}/deleted", Body=b"3")
    s3.delete_object(Bucket=bucket, Key=f"{name}/deleted")
    return {f"{name}/small": b"2", f"{name}/large": large, f"{name}/copy": large, f"{name}/parts": large}


def test_without_a_lock_the_us_is_used(domicile):
    """What the other tests look at would show it."""
    free = domicile.new_bucket()
    domicile.admin("PUT", f"/policies/buckets/one/{free}", {"replica_count": 3})
    domicile.client().put_object(Bucket=free, Key="k", Body=b"1")
    assert sorted(domicile.verified(free, "k")) == ["de", "fi", "us"]
    assert not nothing_in_the_us(domicile, free)
    assert domicile.leftovers(free)["us"]


def test_a_locked_bucket_stays_inside_its_lock(domicile, bucket):
    s3 = domicile.client()
    expected = use(s3, bucket, "a")
    domicile.idle()
    for key, body in expected.items():
        copies = domicile.verified(bucket, key)
        assert sorted(copies) == ["de", "fi"]
        assert all(domicile.read(copy) == body for copy in copies.values())
    assert sorted(domicile.leftovers(bucket)) == ["de", "fi"]
    assert nothing_in_the_us(domicile, bucket)


def test_a_lock_is_kept_while_fi_is_down(world, domicile, bucket):
    s3 = domicile.client()
    expected = use(s3, bucket, "before")
    domicile.idle()
    world.fi.kill()
    try:
        expected |= use(s3, bucket, "while")
        for key, body in expected.items():
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        late = domicile.new_bucket(location=LOCKED)
        s3.put_object(Bucket=late, Key="k", Body=b"1")
        assert nothing_in_the_us(domicile, bucket, late)
        states = {name: replica["state"] for name, replica in domicile.replicas(bucket, "while/small").items()}
        assert states == {"de": "verified", "fi": "wanted"}
    finally:
        world.fi.start()
        world.fi.wait_ready()
    domicile.idle(60)
    for key, body in expected.items():
        assert all(domicile.read(copy) == body for copy in domicile.verified(bucket, key).values())
    assert nothing_in_the_us(domicile, bucket, late)


def test_nothing_is_written_when_all_that_is_inside_is_down(world, domicile, bucket):
    """Refused, and not somewhere else."""
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/before", b"1").status == 200
    domicile.idle()
    world.fi.kill()
    world.de.cut()
    try:
        for size in (1, 9 * MIB):
            answer = until(lambda size=size: raw.send("PUT", f"/{bucket}/while", noise(size)))
            assert (answer.status, answer.code) in {(503, "SlowDown"), (503, "ServiceUnavailable")}
        assert raw.send("GET", f"/{bucket}/before").status == 503
        assert raw.send("HEAD", f"/{bucket}/before").status == 200
        assert nothing_in_the_us(domicile, bucket)
    finally:
        world.de.heal()
        world.fi.start()
        world.fi.wait_ready()
    until(lambda: raw.send("PUT", f"/{bucket}/after", b"2").status == 200)
    assert raw.send("GET", f"/{bucket}/before").body == b"1"
    assert raw.send("GET", f"/{bucket}/while").code == "NoSuchKey"
    domicile.idle(60)
    assert nothing_in_the_us(domicile, bucket)


OUTSIDE = """INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state)
             SELECT bucket_id, gen_random_uuid(), 'us', 'n', 'k', '{state}' FROM buckets WHERE countries = ARRAY['FI', 'DE']"""
MOVED = """UPDATE replicas SET backend_id = 'us'
            WHERE backend_id = 'fi' AND bucket_id IN (SELECT bucket_id FROM buckets WHERE countries = ARRAY['FI', 'DE'])"""


def test_postgresql_refuses_the_row(domicile, bucket):
    domicile.client().put_object(Bucket=bucket, Key="k", Body=b"1")
    domicile.verified(bucket, "k")
    for state in ("wanted", "stored", "verified", "lost"):
        with pytest.raises(SuiteError, match="backend us is outside the lock"):
            domicile.sql(OUTSIDE.format(state=state))
    with pytest.raises(SuiteError, match="backend us is outside the lock"):
        domicile.sql(MOVED)
    assert sorted(domicile.replicas(bucket, "k")) == ["de", "fi"]


def test_a_tenant_s_lock_binds_its_buckets(domicile, bucket):
    domicile.admin("PUT", "/policies/tenants/two", {"region_lock": ["FI", "DE"]})
    two = domicile.raw("two")
    for location, code in (("US", "InvalidLocationConstraint"), ("FI,US", "InvalidLocationConstraint"), ("DE,FI", "")):
        document = f"<CreateBucketConfiguration><LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
        assert two.send("PUT", f"/{bucket}", document.encode()).code == code
    with pytest.raises(SuiteError, match="409"):
        domicile.admin("PUT", f"/policies/buckets/two/{bucket}", {"region_lock": ["FI", "DE", "US"]})
