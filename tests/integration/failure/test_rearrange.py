"""What exists follows a change of policy or of a backend. Each backend is looked at directly."""

from __future__ import annotations

import pytest

from domicile_common.testing.installation import until
from domicile_common.testing.noise import noise

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
SIZES = (0, 11, 300_000, 6 * MIB)


@pytest.fixture(scope="module")
def domicile(open_installation):
    """An operator without any lock of its own."""
    with open_installation(OVERDUE_SECONDS="2") as made:
        made.admin("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1})
        yield made


@pytest.fixture
def bucket(domicile) -> str:
    """With objects of all sizes, one of them in parts, in FI and in the US."""
    name = domicile.new_bucket(location="us,fi")
    s3 = domicile.client()
    for size in SIZES:
        s3.put_object(Bucket=name, Key=f"o/{size}", Body=noise(size), Metadata={"size": str(size)})
    upload = {"Bucket": name, "Key": "o/parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=noise(5 * MIB + n))["ETag"]} for n in (1, 2)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    domicile.idle()
    assert sorted(domicile.leftovers(name)) == ["fi", "us"]
    return name


def bodies() -> dict[str, bytes]:
    return {f"o/{size}": noise(size) for size in SIZES} | {"o/parts": noise(5 * MIB + 1) + noise(5 * MIB + 2)}


def change(domicile, bucket: str, **policy) -> None:
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", policy)


def is_in(domicile, bucket: str, *backends: str) -> None:
    """Every object is there, byte by byte, and nowhere else; and it is read as before."""
    domicile.idle(60)
    assert sorted(domicile.leftovers(bucket)) == sorted(backends)
    for key, body in bodies().items():
        copies = domicile.verified(bucket, key)
        assert sorted(copies) == sorted(backends)
        assert all(domicile.read(copy) == body for copy in copies.values())
        assert domicile.client().get_object(Bucket=bucket, Key=key)["Body"].read() == body


def test_a_lock_that_comes_later_moves_what_lies_outside(domicile, bucket):
    told = domicile.admin(
        "POST", "/placement/preview", {"tenant": "one", "bucket": bucket, "policy": {"region_lock": ["FI", "DE"]}}
    )
    assert told["changed_objects"] == len(bodies())
    assert [(share["backend_id"], share["objects"]) for share in told["egress"]] == [("fi", len(bodies()))]
    change(domicile, bucket, region_lock=["FI", "DE"])
    is_in(domicile, bucket, "fi", "de")
    removed = domicile.sql(f"SELECT backend_id, is_confirmed, count(*) FROM removals WHERE bucket = '{bucket}' GROUP BY 1, 2")
    assert removed == [("us", True, len(bodies()))]


def test_what_lies_wholly_outside_comes_inside(domicile, bucket):
    """Until then it is not read from where it must not be."""
    domicile.suite.services["replicator"].kill()
    change(domicile, bucket, region_lock=["DE"], replica_count=1)
    raw = domicile.raw()
    answer = raw.send("GET", f"/{bucket}/o/11")
    assert (answer.status, answer.code) == (503, "SlowDown")
    domicile.start("replicator")
    is_in(domicile, bucket, "de")


def test_copies_are_added_and_taken_away(domicile, bucket):
    change(domicile, bucket, region_lock=["US", "FI", "DE"], replica_count=3)
    is_in(domicile, bucket, "fi", "de", "us")
    change(domicile, bucket, region_lock=["US", "FI", "DE"], replica_count=1)
    is_in(domicile, bucket, "us")


@pytest.mark.parametrize("when, step", [("after", "want"), ("before", "advance")])
def test_whoever_compares_may_die_at_any_step(domicile, bucket, when, step):
    domicile.restart("metadata", kill=(when, f"domicile_metadata.storage.rearrange:{step}"))
    change(domicile, bucket, region_lock=["FI", "DE"])
    domicile.killed("metadata")
    domicile.start("metadata")
    is_in(domicile, bucket, "fi", "de")


@pytest.mark.parametrize("when, step", [("after", "copy"), ("before", "remove"), ("after", "remove")])
def test_whoever_moves_may_die_at_any_step(domicile, bucket, when, step):
    domicile.restart("replicator", kill=(when, "--count", "2", f"domicile_replicator.execute:Executor.{step}"))
    change(domicile, bucket, region_lock=["FI", "DE"])
    domicile.killed("replicator")
    domicile.start("replicator")
    is_in(domicile, bucket, "fi", "de")


def test_a_backend_is_drained_under_load_and_lost_afterwards(domicile, bucket):
    """Last in this file: the backend is not what it was."""
    s3 = domicile.client()
    change(domicile, bucket, region_lock=["US", "FI", "DE"])
    domicile.admin("PATCH", "/backends/us", {"state": "draining"})
    for number in range(20):
        s3.put_object(Bucket=bucket, Key="o/11", Body=noise(11))
        s3.put_object(Bucket=bucket, Key=f"n/{number}", Body=b"1")
    is_in(domicile, bucket, "fi", "de")
    assert domicile.sql("SELECT count(*) FROM replicas WHERE backend_id = 'us'") == [(0,)]
    domicile.admin("PATCH", "/backends/us", {"state": "active"})
    change(domicile, bucket, region_lock=["US", "FI", "DE"], replica_count=3)
    is_in(domicile, bucket, "fi", "de", "us")
    domicile.admin("PATCH", "/backends/us", {"state": "lost", "force": True})  # its bucket asks for three
    change(domicile, bucket, region_lock=["US", "FI", "DE"])
    until(lambda: domicile.sql("SELECT count(*) FROM replicas WHERE backend_id = 'us'") == [(0,)], 60, "given up")
    assert sorted(domicile.verified(bucket, "o/300000")) == ["de", "fi"]
    (given_up,) = domicile.sql("SELECT count(*) FROM removals WHERE backend_id = 'us' AND NOT is_confirmed")
    assert given_up[0] >= len(bodies())
