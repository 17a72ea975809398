"""Whoever adopts or exports may die at any step: somebody else goes on, nothing is done twice or left out."""

from __future__ import annotations

import secrets

import pytest

pytestmark = pytest.mark.servers

OBJECTS = {f"n/{number:02}": b"%d" % number for number in range(40)}


@pytest.fixture(scope="module")
def domicile(open_installation):
    with open_installation() as made:
        yield made


@pytest.fixture
def outside(domicile) -> str:
    """The name of a bucket that ``fi`` and ``de`` have without Domicile's knowing."""
    name = f"{domicile.prefix}-out-{secrets.token_hex(4)}"
    for backend_id in ("fi", "de"):
        domicile.at(backend_id).create_bucket(Bucket=name)
    return name


def contents(s3, bucket: str) -> dict[str, bytes]:
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.parametrize(
    "service, when, step",
    [
        ("replicator", "before", "domicile_replicator.adopt:_Adopting._adopt"),
        ("replicator", "after", "domicile_replicator.adopt:_Adopting._adopt"),
        ("metadata", "after", "domicile_metadata.storage.adoption:adopt"),
    ],
)
def test_an_adoption_goes_on_where_it_was(domicile, outside, service, when, step):
    for key, body in OBJECTS.items():
        domicile.at("fi").put_object(Bucket=outside, Key=key, Body=body)
    bucket = domicile.new_bucket()
    domicile.restart(service, kill=(when, step))
    task_id = domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=outside)
    domicile.killed(service)
    domicile.sql("UPDATE tasks SET lease_until = now() WHERE state = 'running'")
    domicile.start(service)
    progress = domicile.finished_task(task_id)["progress"]
    assert (progress["listed"], progress["indexed"]) == (len(OBJECTS), len(OBJECTS))
    domicile.idle(60)
    assert contents(domicile.client(), bucket) == OBJECTS
    assert len(domicile.blobs("de", domicile.namespace("de", bucket))) == len(OBJECTS)
    [(versions, adopted)] = domicile.sql(
        f"""SELECT count(DISTINCT version_id), count(*) FILTER (WHERE adopted_etag IS NOT NULL)
              FROM replicas JOIN buckets USING (bucket_id) WHERE name = '{bucket}'"""
    )
    assert (versions, adopted) == (len(OBJECTS), len(OBJECTS))


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_export_goes_on_where_it_was(domicile, outside, when):
    s3, bucket = domicile.client(), domicile.new_bucket()
    for key, body in OBJECTS.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    domicile.idle()
    domicile.restart("replicator", kill=(when, "--count", "25", "domicile_replicator.execute:Executor.export"))
    task_id = domicile.begin_task("export", tenant="one", bucket=bucket, backend="de", to_bucket=outside)
    domicile.killed("replicator")
    assert 0 < len(domicile.everything("de", outside)) < len(OBJECTS)
    domicile.sql("UPDATE tasks SET lease_until = now() WHERE state = 'running'")
    domicile.start("replicator")
    progress = domicile.finished_task(task_id)["progress"]
    assert progress["skipped"] > 0
    assert progress["skipped"] + progress["exported"] == len(OBJECTS)
    assert contents(domicile.at("de"), outside) == OBJECTS
    assert domicile.uploads("de", outside) == []


def test_a_removal_that_a_worker_had_begun_spares_what_came_into_its_place(domicile, outside):
    """Deleted through Domicile; before a worker gets there, somebody puts another object in its place."""
    at, s3, bucket = domicile.at("fi"), domicile.client(), domicile.new_bucket()
    at.put_object(Bucket=outside, Key="k", Body=b"ours")
    domicile.finished_task(domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=outside))
    domicile.idle()
    domicile.suite.services["replicator"].kill()
    s3.delete_object(Bucket=bucket, Key="k")
    at.put_object(Bucket=outside, Key="k", Body=b"theirs")
    domicile.start("replicator")
    domicile.idle()
    assert at.get_object(Bucket=outside, Key="k")["Body"].read() == b"theirs"
    assert domicile.blobs("de", domicile.namespace("de", bucket)) == {}
    task_id = domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=outside)
    assert domicile.finished_task(task_id)["progress"]["indexed"] == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"
