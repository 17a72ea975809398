"""Tenants are strangers, and what an operator changes about their keys takes effect within a moment."""

from __future__ import annotations

import pytest

from domicile_common.testing.installation import until
from domicile_common.testing.raw_s3 import Signer
from domicile_local.admin import Admin
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.servers

MOMENT = 5.0
"""Seconds; far below the proxy's CACHE_SECONDS, so that only an invalidation explains it."""


@pytest.fixture
def signer(domicile):
    """Turns what the admin API answers into a client's keys."""

    def make(issued) -> Signer:
        return Signer(issued["credential"]["access_key"], issued["secret_key"])

    return make


@pytest.fixture
def key(domicile, signer):
    """A further key of tenant ``one``, which the proxy knows already."""
    made = signer(domicile.admin("POST", "/credentials", {"tenant_id": "one"}))
    assert domicile.raw().send("GET", "/", signer=made).status == 200
    return made


def test_the_same_name_is_another_bucket_for_another_tenant(domicile):
    name = domicile.new_bucket("one")
    domicile.client("two").create_bucket(Bucket=name)
    for tenant in ("one", "two"):
        domicile.client(tenant).put_object(Bucket=name, Key="k", Body=f"of {tenant}".encode())
        domicile.client(tenant).put_object(Bucket=name, Key=f"only-{tenant}", Body=b"")
    for tenant in ("one", "two"):
        s3 = domicile.client(tenant)
        assert s3.get_object(Bucket=name, Key="k")["Body"].read() == f"of {tenant}".encode()
        assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]] == ["k", f"only-{tenant}"]
    for backend_id in ("fi", "de"):
        assert domicile.namespace(backend_id, name, "one") != domicile.namespace(backend_id, name, "two")
    for key in ("k", "only-one"):
        domicile.client("one").delete_object(Bucket=name, Key=key)
    domicile.client("one").delete_bucket(Bucket=name)
    assert domicile.client("two").get_object(Bucket=name, Key="k")["Body"].read() == b"of two"


def test_a_tenant_sees_its_own_buckets_and_id_only(domicile):
    name = domicile.new_bucket("one")
    mine, theirs = (domicile.client(tenant).list_buckets() for tenant in ("one", "two"))
    assert name in [bucket["Name"] for bucket in mine["Buckets"]]
    assert name not in [bucket["Name"] for bucket in theirs["Buckets"]]
    assert mine["Owner"]["ID"] != theirs["Owner"]["ID"]


def test_a_disabled_key_is_refused_and_an_enabled_one_let_in_again(domicile, key):
    for state, code in (("disabled", "InvalidAccessKeyId"), ("active", "")):
        domicile.admin("PATCH", f"/credentials/{key.access_key}", {"state": state})
        until(lambda code=code: domicile.raw().send("GET", "/", signer=key).code == code, MOMENT, f"the key is {state}")


def test_a_rotated_key_works_beside_the_new_one_for_the_overlap(domicile, signer, key):
    new = signer(domicile.admin("POST", f"/credentials/{key.access_key}/rotate", {"overlap_seconds": 3600}))
    assert domicile.raw().send("GET", "/", signer=new).status == 200
    assert domicile.raw().send("GET", "/", signer=key).status == 200
    newest = signer(domicile.admin("POST", f"/credentials/{new.access_key}/rotate", {"overlap_seconds": 1}))
    assert domicile.raw().send("GET", "/", signer=newest).status == 200
    until(lambda: domicile.raw().send("GET", "/", signer=new).code == "InvalidAccessKeyId", MOMENT, "its overlap is over")
    assert domicile.raw().send("GET", "/", signer=key).status == 200


def test_a_key_for_reading_reads(domicile, signer, bucket):
    domicile.client().put_object(Bucket=bucket, Key="k", Body=b"1")
    raw, reader = domicile.raw(), signer(domicile.admin("POST", "/credentials", {"tenant_id": "one", "access": "read"}))
    assert raw.send("GET", f"/{bucket}/k", signer=reader).body == b"1"
    assert raw.send("GET", f"/{bucket}", signer=reader).texts("Key") == ["k"]
    refused = [
        ("PUT", f"/{bucket}/k"),
        ("DELETE", f"/{bucket}/k"),
        ("POST", f"/{bucket}/k?uploads"),
        ("PUT", "/another"),
        ("DELETE", f"/{bucket}"),
    ]
    assert {raw.send(method, target, signer=reader).code for method, target in refused} == {"AccessDenied"}
    assert raw.send("GET", f"/{bucket}/k").body == b"1"


def test_a_disabled_tenant_is_locked_out(domicile):
    domicile.add_tenant("three")
    name = domicile.new_bucket("three")
    domicile.client("three").put_object(Bucket=name, Key="k", Body=b"1")
    raw = domicile.raw("three")
    domicile.admin("PATCH", "/tenants/three", {"state": "disabled"})
    until(lambda: raw.send("GET", f"/{name}/k").code == "InvalidAccessKeyId", MOMENT, "the tenant is locked out")
    domicile.admin("PATCH", "/tenants/three", {"state": "active"})
    until(lambda: raw.send("GET", f"/{name}/k").body == b"1", MOMENT, "the tenant is let in")


def test_secrets_are_shown_once_and_never_kept_in_clear(domicile, key):
    secrets = [key.secret_key, *(each.secret_key for each in (*domicile.keys.values(), *domicile.backends.values()))]
    listed = str(domicile.admin("GET", "/credentials", tenant="one", limit="1000") | domicile.admin("GET", "/backends"))
    assert key.access_key in listed
    rows = str(domicile.sql("SELECT credentials::text FROM credentials UNION ALL SELECT backends::text FROM backends"))
    assert key.access_key in rows
    for text in (listed, rows, *domicile.logs().values()):
        assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize("wrong", ["", "wrong"])
def test_the_admin_api_needs_its_key(domicile, wrong):
    with Admin(domicile.suite.metadata_url, wrong) as admin, pytest.raises(SuiteError, match="401"):
        admin.call("GET", "/tenants")
