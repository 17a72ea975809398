"""A copy of a large object that breaks off is gone on with: what the target has is not sent again, what was read is not read again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from domicile_common.backends.quirks import QUIRKS
from domicile_common.testing.installation import Installation, until
from domicile_common.testing.links import Link, Links
from domicile_local.servers import ports

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
PART = 5 * MIB
PARTS = 10
SIZE = PARTS * PART - 1000


@dataclass
class World:
    """``link``: from the suite to DE, where all copies go. ``source``: to FI, where all is written."""

    domicile: Installation
    link: Link
    source: Link


@pytest.fixture(scope="module")
def world(open_installation, backends) -> Iterator[World]:
    real = {backend.backend_id: backend for backend in backends}
    with (
        Links({name: (ports.take(), real[name].port) for name in ("fi", "de")}) as links,
        open_installation(
            links={name: link.port for name, link in links.by_name.items()},
            OVERDUE_SECONDS="2",
            REPLICATOR_MULTIPART_BYTES=str(PART),
        ) as domicile,
    ):
        yield World(domicile, links.by_name["de"], links.by_name["fi"])


@pytest.fixture(autouse=True)
def _mended(world):
    yield
    world.source.heal()
    world.domicile.mend()


def put(domicile, bucket: str, body: bytes, *, in_parts: bool) -> None:
    s3 = domicile.client()
    if not in_parts:
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        return
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body[(n - 1) * PART : n * PART])["ETag"]}
        for n in range(1, PARTS + 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


@pytest.mark.parametrize("in_parts", [False, True], ids=["whole", "in parts"])
def test_a_killed_worker_costs_one_part(world, in_parts):
    """90 % are there. The worker is killed while the next part is on its way."""
    domicile, body = world.domicile, random.Random(in_parts).randbytes(SIZE)
    bucket = domicile.new_bucket(location="fi,de")
    domicile.restart("replicator", kill=("before", "--count", str(PARTS - 1), "domicile_replicator.feed:Feed.pour"))
    put(domicile, bucket, body, in_parts=in_parts)
    domicile.killed("replicator", seconds=60)
    [_] = domicile.uploads("de", domicile.namespace("de", bucket))
    before = world.link.sent()
    domicile.start("replicator")
    copies = domicile.verified(bucket, "k", seconds=60)
    rest = 2 * PART if QUIRKS[domicile.backends["de"].quirks].multipart else 2 * PART + SIZE
    assert world.link.sent() - before < rest + PART
    assert domicile.read(copies["de"]) == body
    assert domicile.uploads("de", domicile.namespace("de", bucket)) == []


def test_a_source_that_breaks_off_is_followed_by_the_next_from_that_byte(world):
    domicile, body = world.domicile, random.Random(7).randbytes(SIZE)
    domicile.admin("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1})
    bucket = domicile.new_bucket(location="fi,us,de")
    put(domicile, bucket, body, in_parts=False)
    assert sorted(domicile.verified(bucket, "k", seconds=60)) == ["fi", "us"]
    before = world.link.sent()
    world.source.break_after(SIZE // 2)
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"replica_count": 3})
    until(lambda: "de" in domicile.replicas(bucket, "k"), what="the third copy is owed")
    copies = domicile.verified(bucket, "k", seconds=60)
    lines = [json.loads(line) for line in domicile.logs()["replicator"].splitlines() if '"a source does not serve"' in line]
    assert [(line["backend"], 0 < line["byte"] < SIZE) for line in lines] == [("fi", True)]
    assert domicile.read(copies["de"]) == body
    assert world.link.sent() - before < SIZE + PART
