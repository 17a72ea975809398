"""From a commit to verified copies, and from a deletion to nothing left: what the backends hold is looked at directly."""

from __future__ import annotations

import hashlib

import pytest

from domicile_common.stamps import read_sidecar, read_stamp, sidecar_key
from domicile_common.testing.noise import noise

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("size", [0, 11, 64 * 1024 + 1, 3_000_000])
def test_both_backends_hold_the_same_bytes(domicile, s3, bucket, size):
    s3.put_object(Bucket=bucket, Key="a/b", Body=noise(size), ContentType="text/x", Metadata={"m": "1"})
    copies = domicile.verified(bucket, "a/b")
    assert {copy["country"] for copy in copies.values()} == {"DE", "FI"}
    assert [domicile.read(copy) == noise(size) for copy in copies.values()] == [True, True]
    for backend_id, copy in copies.items():
        assert copy["blob_key"].startswith("a/b/")
        head = domicile.at(backend_id).head_object(Bucket=copy["namespace"], Key=copy["blob_key"])
        assert head["ContentType"] == "text/x"
        assert list(domicile.blobs(backend_id, copy["namespace"])) == [copy["blob_key"]]
    assert domicile.uploads("fi", copies["fi"]["namespace"]) == domicile.uploads("de", copies["de"]["namespace"]) == []


def test_the_record_could_be_rebuilt_from_either_backend(domicile, s3, bucket):
    """Each copy has its stamp, with it or beside it: whose it is, its exact key, what its bytes are."""
    for key, size in (("small ü", 100), ("large/", 1_000_000)):
        s3.put_object(Bucket=bucket, Key=key, Body=noise(size), Metadata={"m": "1"})
        for copy in domicile.verified(bucket, key).values():
            stamp = stamp_of(domicile, copy)
            assert (stamp.tenant_id, stamp.bucket, stamp.key) == ("one", bucket, key)
            assert stamp.digest.md5 == hashlib.md5(noise(size), usedforsecurity=False).hexdigest()
            assert stamp.facts.metadata == {"m": "1"}


def stamp_of(domicile, copy):
    """The sidecar if there is one, else the header."""
    sidecar = sidecar_key(copy["blob_key"].rpartition("/")[2])
    if sidecar in domicile.everything(copy["backend_id"], copy["namespace"]):
        return read_sidecar(domicile.read({**copy, "blob_key": sidecar}))
    head = domicile.at(copy["backend_id"]).head_object(Bucket=copy["namespace"], Key=copy["blob_key"])
    return read_stamp(head["ResponseMetadata"]["HTTPHeaders"])


def test_a_deletion_removes_both(domicile, s3, bucket):
    for key, size in (("small", 10), ("large", 1_000_000)):
        s3.put_object(Bucket=bucket, Key=key, Body=noise(size))
        domicile.verified(bucket, key)
    assert sorted(domicile.leftovers(bucket)) == ["de", "fi"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "small"}, {"Key": "large"}]})
    domicile.idle()
    assert domicile.leftovers(bucket) == {}
    assert bucket not in str(domicile.sql("SELECT name FROM replicas JOIN buckets USING (bucket_id)"))


def test_an_overwrite_removes_what_it_replaces(domicile, s3, bucket):
    for round_ in range(5):
        s3.put_object(Bucket=bucket, Key="k", Body=b"round %d" % round_)
    copies = domicile.verified(bucket, "k")
    domicile.idle()
    for backend_id, copy in copies.items():
        assert domicile.blobs(backend_id, copy["namespace"]).keys() == {copy["blob_key"]}
        assert domicile.read(copy) == b"round 4"


def test_what_is_deleted_before_it_was_copied_leaves_nothing(domicile, s3, bucket):
    """The copy and the removal race; whichever wins, both backends end up empty."""
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=str(number), Body=noise(200_000))
        s3.delete_object(Bucket=bucket, Key=str(number))
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


def test_an_object_may_ask_for_a_copy_less(domicile, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="replica-count=1")
    domicile.idle()
    assert len(domicile.replicas(bucket, "k")) == 1
    assert len(domicile.leftovers(bucket)) == 1


def test_a_bucket_prefers_the_countries_in_its_order(domicile, s3):
    for location, first in (("fi,de", "fi"), ("de,fi", "de")):
        bucket = domicile.new_bucket(location=location)
        s3.put_object(Bucket=bucket, Key="k", Body=b"1")
        placement = domicile.admin("GET", "/placement", tenant="one", bucket=bucket, key="k")
        assert placement["version"]["decision"]["write"] == [first]


def test_physical_names_are_explained_in_both_directions(domicile, bucket):
    for backend_id in ("fi", "de", "us"):
        name = domicile.namespace(backend_id, bucket)
        assert name.startswith(f"{domicile.prefix}-")
        if backend_id != "us":
            [explained] = domicile.admin("GET", "/namespaces/explain", namespace=name)["namespaces"]
            assert (explained["tenant_id"], explained["bucket"], explained["backend_id"]) == ("one", bucket, backend_id)


def test_many_objects_converge(domicile, s3, bucket):
    for number in range(60):
        s3.put_object(Bucket=bucket, Key=f"n/{number}", Body=noise(number))
    domicile.idle(60)
    for backend_id in ("fi", "de"):
        assert sorted(domicile.blobs(backend_id, domicile.namespace(backend_id, bucket)).values()) == list(range(60))
