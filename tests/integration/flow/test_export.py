"""Leaving: a bucket under its natural names at any S3 bucket, so that a client sees the same."""

from __future__ import annotations

import io
import secrets

import boto3.s3.transfer
import pytest

from domicile_common.sealing import backend_context
from domicile_common.testing.handing_over import hand_over
from domicile_common.testing.noise import noise
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
KEYS = ("plain", "with space", "a+b", "ü/ñ", "deep/er/x", "100%", "a&b=c;d")


@pytest.fixture
def new(domicile) -> str:
    """An empty bucket at the provider of ``us``, which Domicile's backend of that name knows nothing of."""
    name = f"{domicile.prefix}-new-{secrets.token_hex(4)}"
    domicile.at("us").create_bucket(Bucket=name)
    return name


def endpoint(domicile, **changes) -> dict[str, object]:
    """The server of ``us``, as somebody who leaves would name it; it stands in Germany this time."""
    backend = domicile.backends["us"]
    return {
        "provider": "elsewhere",
        "endpoint": backend.endpoint,
        "country": "DE",
        "jurisdictions": ["DE"],
        "access_key": backend.access_key,
        "secret_key": backend.secret_key,
        "region": backend.region,
        "quirks": backend.quirks,
        **changes,
    }


def export(domicile, bucket: str, new: str, **parameters) -> dict[str, int]:
    """What the task has counted in the end."""
    wanted = {"tenant": "one", "bucket": bucket, "to_bucket": new, "endpoint": endpoint(domicile), **parameters}
    task_id = domicile.begin_task("export", **wanted)
    return {**domicile.finished_task(task_id)["progress"], "task_id": task_id}


def contents(s3, bucket: str) -> dict[str, tuple[str, bytes]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    answers = {key: s3.get_object(Bucket=bucket, Key=key) for key in keys}
    return {key: (answer["ETag"], answer["Body"].read()) for key, answer in answers.items()}


def test_a_client_sees_an_identical_bucket(domicile, s3, bucket, new):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    transfer = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(noise(11 * MIB)), bucket, "parts", Config=transfer)
    kept = {
        "ContentType": "text/x",
        "CacheControl": "max-age=9",
        "ContentLanguage": "fi",
        "Metadata": {"mtime": "1.5", "n": "a b"},
    }
    s3.put_object(Bucket=bucket, Key="kept", Body=b"1", Tagging="a=1&b=x%20y", **kept)
    counted = export(domicile, bucket, new)
    assert (counted["exported"], counted["verified"]) == (len(KEYS) + 3, len(KEYS) + 3)
    assert counted["exported_bytes"] == sum(map(len, KEYS)) + len("üñ") + 11 * MIB + 1
    there = domicile.at("us")
    assert contents(there, new) == contents(s3, bucket)
    head = there.head_object(Bucket=new, Key="kept")
    assert {name: head[name] for name in kept} == kept
    tags = there.get_object_tagging(Bucket=new, Key="kept")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "x y"}
    assert domicile.uploads("us", new) == []
    again = export(domicile, bucket, new)
    assert (again["skipped"], again.get("exported", 0)) == (len(KEYS) + 3, 0)


def test_what_was_adopted_leaves_with_its_own_bytes(domicile, s3, bucket, new):
    domicile.at("fi").create_bucket(Bucket=f"{new}-old")
    transfer = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    domicile.at("fi").upload_fileobj(io.BytesIO(noise(6 * MIB)), f"{new}-old", "parts", Config=transfer)
    task = domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=f"{new}-old")
    domicile.finished_task(task)
    assert export(domicile, bucket, new)["verified"] == 1
    assert contents(domicile.at("us"), new) == contents(s3, bucket)


def test_what_is_there_already_stays_unless_the_operator_says_otherwise(domicile, s3, bucket, new):
    domicile.at("us").put_object(Bucket=new, Key="k", Body=b"theirs")
    s3.put_object(Bucket=bucket, Key="k", Body=b"ours")
    counted = export(domicile, bucket, new)
    assert (counted["conflict"], domicile.findings(counted["task_id"])) == (1, {"k": "conflict"})
    assert domicile.at("us").get_object(Bucket=new, Key="k")["Body"].read() == b"theirs"
    assert export(domicile, bucket, new, overwrite=True)["exported"] == 1
    assert domicile.at("us").get_object(Bucket=new, Key="k")["Body"].read() == b"ours"


def test_a_key_that_the_target_cannot_hold_is_reported_and_holds_up_nothing(domicile, s3, bucket, new):
    long = "x" * 300  # the target keeps keys as paths of a file system
    for key in ("a", long, "z"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    counted = export(domicile, bucket, new)
    assert (counted["exported"], counted["failed"]) == (2, 1)
    assert domicile.findings(counted["task_id"]) == {long: "failed"}
    assert sorted(domicile.everything("us", new)) == ["a", "z"]


def test_a_target_outside_the_lock_needs_a_word_of_the_operator(domicile, s3, bucket, new):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    abroad = endpoint(domicile, country="US", jurisdictions=["US"])
    wanted = {"tenant": "one", "bucket": bucket, "to_bucket": new}
    for target in ({"endpoint": abroad}, {"backend": "us"}):
        with pytest.raises(SuiteError, match="allow_outside_lock"):
            domicile.begin_task("export", **wanted, **target)
    task_id = domicile.begin_task("export", **wanted, backend="us", allow_outside_lock=True)
    assert domicile.finished_task(task_id)["progress"]["exported"] == 1
    assert "lets a bucket leave its lock" in domicile.logs()["metadata"]


def test_a_lock_that_comes_later_ends_the_export(domicile, s3, bucket, new):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    domicile.suite.services["replicator"].kill()
    try:
        wanted = {"tenant": "one", "bucket": bucket, "to_bucket": new, "endpoint": endpoint(domicile)}
        task_id = domicile.begin_task("export", **wanted)
        domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"region_lock": ["FI"], "replica_count": 1})
    finally:
        domicile.start("replicator")
    with pytest.raises(AssertionError, match="AccessDenied"):
        domicile.finished_task(task_id)
    assert domicile.everything("us", new) == {}


def test_the_secret_is_sealed_never_shown_and_forgotten(domicile, s3, bucket, new):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    secret = domicile.backends["us"].secret_key
    domicile.suite.services["replicator"].kill()
    try:
        sealed = hand_over(secret, backend_context(""), **domicile.admin("GET", "/handover"))
        there = endpoint(domicile, secret_key=None, sealed_secret_key=sealed)
        task_id = domicile.begin_task("export", tenant="one", bucket=bucket, to_bucket=new, endpoint=there)
        kept = domicile.sql("SELECT sealed_secret FROM task_secrets")
        assert len(kept) == 1
        shown = domicile.admin("GET", f"/tasks/{task_id}")
        assert secret not in str(shown)
        assert secret not in str(
            domicile.sql("SELECT tasks::text, task_secrets::text FROM tasks LEFT JOIN task_secrets USING (task_id)")
        )
    finally:
        domicile.start("replicator")
    domicile.finished_task(task_id)
    assert domicile.sql("SELECT * FROM task_secrets") == []
    assert not any(secret in log for log in domicile.logs().values())


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"bucket": "not-there"}, "NoSuchBucket"),
        ({"backend": "fi"}, "Either"),
        ({"endpoint": None}, "Either"),
        ({"endpoint": None, "backend": "nowhere"}, "NoSuchBackend"),
    ],
)
def test_what_makes_no_sense_is_refused(domicile, bucket, new, changes, code):
    wanted = {"tenant": "one", "bucket": bucket, "to_bucket": new, "endpoint": endpoint(domicile)}
    with pytest.raises(SuiteError, match=code):
        domicile.begin_task("export", **wanted | changes)


def test_a_target_that_is_not_there_fails_with_its_name(domicile, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with pytest.raises(AssertionError, match="There is no bucket nobodys-bucket"):
        export(domicile, bucket, "nobodys-bucket")
