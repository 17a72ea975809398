"""PostgreSQL is gone with all that it held; the backends are not."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from domicile_common.testing.installation import until
from domicile_local.register import register_backends, register_default_policy, register_tenant

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
PARTS = (random.Random(1).randbytes(5 * MIB), random.Random(2).randbytes(1000))


@pytest.fixture(scope="module")
def domicile(open_installation):
    with open_installation(REPLICATOR_TASK_SECONDS="0.2", SCHEDULE_SECONDS="0.5") as made:
        yield made


@pytest.fixture
def copy_namespace(domicile):
    """Copies a physical bucket to another at the same backend, as if it were another installation's."""
    made = []

    def copy(backend_id: str, namespace: str, name: str) -> None:
        s3 = domicile.at(backend_id)
        s3.create_bucket(Bucket=name)
        made.append((backend_id, name))
        for key in domicile.everything(backend_id, namespace):
            s3.copy_object(Bucket=name, Key=key, CopySource={"Bucket": namespace, "Key": key})

    yield copy
    for backend_id, name in made:
        for key in domicile.everything(backend_id, name):
            domicile.at(backend_id).delete_object(Bucket=name, Key=key)
        domicile.at(backend_id).delete_bucket(Bucket=name)


def lose_everything(domicile) -> None:
    """The database is empty, and an operator has registered tenants, keys and backends anew."""
    domicile.idle()
    for service in domicile.suite.services.values():
        service.kill()
    domicile.sql("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "SELECT 1")
    metadata = domicile.suite.services["metadata"]
    metadata.start()
    metadata.wait_ready()
    with domicile.suite.admin() as admin:
        register_backends(admin, domicile.backends.values())
        register_default_policy(admin)
        for tenant, key in domicile.keys.items():
            register_tenant(admin, tenant, key)
    domicile.mend()


def rebuild(domicile) -> dict[str, int]:
    task_id = domicile.admin("POST", "/tasks", {"kind": "rebuild", "parameters": {"requests_per_second": 10_000}})["task_id"]
    until(
        lambda: domicile.admin("GET", f"/tasks/{task_id}")["state"] == "done",
        90,
        lambda: str(domicile.admin("GET", f"/tasks/{task_id}")),
    )
    return domicile.admin("GET", f"/tasks/{task_id}")["progress"]


def contents(s3, bucket: str) -> dict[str, tuple]:
    """Version (or key) → everything that a client sees of it, but for the instant of its commit."""
    seen = {}
    for entry in s3.list_object_versions(Bucket=bucket).get("Versions", []):
        place = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        answer = s3.get_object(**place)
        lock = (answer.get("ObjectLockMode"), answer.get("ObjectLockRetainUntilDate"), answer.get("ObjectLockLegalHoldStatus"))
        tags = s3.get_object_tagging(**place)["TagSet"]
        seen[entry["Key"], entry["VersionId"]] = (
            answer["Body"].read(), answer["ETag"], answer["ContentType"], answer["Metadata"], answer.get("StorageClass", ""),
            lock, tags, entry["IsLatest"],
        )  # fmt: skip
    return seen


def fill(domicile) -> dict[tuple[str, str], dict]:
    """(tenant, bucket) → its contents."""
    s3, other = domicile.client("one"), domicile.client("two")
    plain, versioned, locked = domicile.new_bucket(), domicile.new_bucket(location="fi,de"), "locked-bucket"
    same = {"Bucket": plain}
    other.create_bucket(**same)
    other.put_object(**same, Key="a", Body=b"of another tenant")
    for number in range(3):
        s3.put_object(**same, Key="a", Body=b"%d" % number, Metadata={"number": str(number)}, ContentType="text/plain")
    s3.put_object(**same, Key="ä/../~ %2F//b", Body=b"odd key", Tagging="x=1")
    s3.put_object(**same, Key="empty", Body=b"")
    domicile.admin("PUT", f"/policies/buckets/one/{plain}", {"layout": "opaque"})
    s3.put_object(**same, Key="gone", Body=b"gone")
    s3.delete_object(**same, Key="gone")
    upload = {**same, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    s3.put_object(**same, Key="parts", Body=b"while the upload was under way")
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]} for n, body in enumerate(PARTS, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    for number in range(4):
        s3.put_object(Bucket=versioned, Key="v", Body=b"%d" % number)
    s3.put_object_tagging(Bucket=versioned, Key="v", Tagging={"TagSet": [{"Key": "late", "Value": "tag"}]})
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    until_when = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    s3.put_object(Bucket=locked, Key="l", Body=b"locked", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until_when)
    s3.put_object_legal_hold(Bucket=locked, Key="l", LegalHold={"Status": "ON"})
    domicile.idle()
    where = [("one", plain), ("one", versioned), ("one", locked), ("two", plain)]
    return {(tenant, bucket): contents(domicile.client(tenant), bucket) for tenant, bucket in where}


def test_everything_that_was_acknowledged_is_back(domicile, copy_namespace):
    before = fill(domicile)
    namespaces = {backend_id: domicile.namespaces(backend_id) for backend_id in domicile.backends}
    copies = domicile.sql("SELECT count(*) FROM replicas WHERE state IN ('stored', 'verified')")[0][0]
    for backend_id, names in namespaces.items():
        for name in names:
            copy_namespace(backend_id, name, f"other-{name}")
    lose_everything(domicile)
    assert domicile.client().list_buckets()["Buckets"] == []

    counts = rebuild(domicile)

    assert counts == {"copies": copies}
    after = {(tenant, bucket): contents(domicile.client(tenant), bucket) for tenant, bucket in before}
    assert after == before
    assert {backend_id: domicile.namespaces(backend_id) for backend_id in domicile.backends} == namespaces
    assert domicile.sql("SELECT DISTINCT state, verified_at FROM replicas") == [("stored", None)], "nobody has read them yet"
    assert rebuild(domicile)["copies"] == copies
    assert {(tenant, bucket): contents(domicile.client(tenant), bucket) for tenant, bucket in before} == before

    s3 = domicile.client()
    (plain, versioned, locked) = [bucket for tenant, bucket in before if tenant == "one"]
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=locked, Key="l", VersionId=s3.head_object(Bucket=locked, Key="l")["VersionId"])
    s3.put_object(Bucket=plain, Key="a", Body=b"new")
    s3.put_object(Bucket=versioned, Key="v", Body=b"new")
    assert s3.get_object(Bucket=plain, Key="a")["Body"].read() == b"new"
    assert s3.get_object(Bucket=versioned, Key="v")["Body"].read() == b"new"
    assert len(s3.list_object_versions(Bucket=plain, Prefix="a")["Versions"]) == 1
    s3.delete_object(Bucket=plain, Key="parts")
    rebuild(domicile)
    domicile.idle()
    assert "parts" not in [entry["Key"] for entry in s3.list_objects_v2(Bucket=plain)["Contents"]], "removed after the rebuild"
    assert s3.get_object(Bucket=plain, Key="a")["Body"].read() == b"new"
    for backend_id in domicile.backends:
        body = {"kind": "scrub", "parameters": {"backend_id": backend_id, "depth": "deep"}}
        task_id = domicile.admin("POST", "/tasks", body)["task_id"]
        until(lambda task_id=task_id: domicile.admin("GET", f"/tasks/{task_id}")["state"] == "done", 60, "read")
    domicile.idle()
    assert domicile.sql("SELECT DISTINCT state FROM replicas") == [("verified",)]
    assert domicile.admin("GET", "/findings")["findings"] == []


def rename(domicile, bucket: str) -> None:
    """What is written to the bucket from now on goes to other physical buckets, as after a rebuild that has found later names."""
    values = domicile.suite.services["metadata"].wiring.values
    asked = {"tenant_id": "one", "bucket": bucket, "backends": ["fi", "de"], "counters": {"fi": 1, "de": 1}}
    answer = httpx.post(
        f"http://127.0.0.1:{values['METADATA_PORT']}/internal/restore-bucket",
        json=[asked],
        headers={"authorization": f"Bearer {values['DOMICILE_SERVICE_TOKEN']}"},
    )
    assert answer.json()[0]["ok"] == {}, "no reason why not"


def test_all_physical_buckets_of_a_bucket_are_gone_through(domicile):
    s3, bucket = domicile.client(), domicile.new_bucket()
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"first")
    domicile.idle()
    rename(domicile, bucket)
    for key in ("b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"second")
    domicile.idle()
    before, copies = contents(s3, bucket), domicile.sql("SELECT count(DISTINCT namespace), count(*) FROM replicas")
    names = domicile.sql(f"SELECT count(DISTINCT namespace) FROM replicas JOIN buckets USING (bucket_id) WHERE name = '{bucket}'")
    assert names == [(4,)]
    lose_everything(domicile)
    counts = rebuild(domicile)
    assert domicile.sql("SELECT count(DISTINCT namespace), count(*) FROM replicas") == copies
    assert counts["copies"] == copies[0][1]
    assert contents(domicile.client(), bucket) == before
    domicile.client().delete_object(Bucket=bucket, Key="a")
    for backend_id in domicile.backends:
        body = {"kind": "scrub", "parameters": {"backend_id": backend_id, "tenant": "one", "bucket": bucket}}
        task_id = domicile.admin("POST", "/tasks", body)["task_id"]
        until(lambda task_id=task_id: domicile.admin("GET", f"/tasks/{task_id}")["state"] == "done", 60, "looked through")
    domicile.idle()
    assert contents(domicile.client(), bucket).keys() == {key for key in before if key[0] != "a"}


def test_what_is_not_restored_is_reported(domicile, copy_namespace):
    bucket = domicile.new_bucket()
    domicile.client().put_object(Bucket=bucket, Key="a", Body=b"a")
    domicile.idle()
    at, copy = next(iter(domicile.replicas(bucket, "a").items()))
    domicile.at(at).put_object(Bucket=copy["namespace"], Key=f"b/{'0' * 32}", Body=b"b")
    misnamed = f"{domicile.prefix}-{'0' * 16}-acme"
    copy_namespace(at, copy["namespace"], misnamed)
    counts = rebuild(domicile)
    assert counts["unknown"] == 2
    found = domicile.admin("GET", "/findings")["findings"]
    assert {(it["kind"], it["done"], it["namespace"]) for it in found} == {
        ("unknown", "reported", copy["namespace"]),
        ("unknown", "reported", misnamed),
    }
    assert {it["blob_key"] for it in found} == {f"b/{'0' * 32}", copy["blob_key"]}
