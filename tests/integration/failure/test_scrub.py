"""What is planted, changed or taken away directly at a backend is found and put right; and nothing else is touched."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter

import pytest

from domicile_common.testing.installation import Installation, until

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def domicile(open_installation):
    with open_installation(REPLICATOR_TASK_SECONDS="0.2", SCHEDULE_SECONDS="0.5") as made:
        yield made


@pytest.fixture
def bucket(domicile) -> str:
    return domicile.new_bucket()


def begin(domicile: Installation, backend_id: str, **parameters: object) -> str:
    body = {"kind": "scrub", "parameters": {"backend_id": backend_id, "requests_per_second": 10_000, **parameters}}
    return str(domicile.admin("POST", "/tasks", body)["task_id"])


def done(domicile: Installation, task_id: str, seconds: float = 60) -> Counter[str]:
    """The counts of a task, once it is done."""
    until(
        lambda: domicile.admin("GET", f"/tasks/{task_id}")["state"] == "done",
        seconds,
        lambda: str(domicile.admin("GET", f"/tasks/{task_id}")),
    )
    return Counter(domicile.admin("GET", f"/tasks/{task_id}")["progress"])


def scrub(domicile: Installation, backend_id: str, **parameters: object) -> Counter[str]:
    return done(domicile, begin(domicile, backend_id, **parameters))


def findings(domicile: Installation, task: str = "") -> list[tuple[str, str, bool]]:
    """(kind, what was done, over or not) of each, oldest first."""
    listed = domicile.admin("GET", "/findings", all="yes", limit="1000")["findings"]
    return [(it["kind"], it["done"], it["resolved_at"] is not None) for it in reversed(listed)]


def forget(domicile: Installation) -> None:
    domicile.sql("DELETE FROM findings")


def put(domicile: Installation, bucket: str, key: str, body: bytes) -> dict[str, dict]:
    domicile.client().put_object(Bucket=bucket, Key=key, Body=body)
    return domicile.verified(bucket, key)


def overwrite(domicile: Installation, replica: dict, body: bytes) -> None:
    domicile.at(replica["backend_id"]).put_object(Bucket=replica["namespace"], Key=replica["blob_key"], Body=body)


def is_good(domicile: Installation, bucket: str, key: str, body: bytes) -> None:
    """Wherever it should be, byte by byte."""
    copies = domicile.verified(bucket, key)
    assert len(copies) == 2
    assert all(domicile.read(copy) == body for copy in copies.values())
    assert domicile.client().get_object(Bucket=bucket, Key=key)["Body"].read() == body


def test_whatever_was_planted_is_put_right_by_one_scrub(domicile, bucket):
    body = random.Random(1).randbytes(2 * MIB)
    bodies = {"changed": body, "shorter": body[:1000], "gone": b"gone", "untouched": b"good"}
    copies = {key: put(domicile, bucket, key, body) for key, body in bodies.items()}
    at = next(iter(copies["gone"]))
    here = {key: replicas[at] for key, replicas in copies.items()}
    namespace = here["gone"]["namespace"]
    s3 = domicile.at(at)
    overwrite(domicile, here["changed"], body[:-1] + bytes([body[-1] ^ 1]))
    overwrite(domicile, here["shorter"], b"short")
    s3.delete_object(Bucket=namespace, Key=here["gone"]["blob_key"])
    put(domicile, bucket, "removed", b"1")
    zombie = domicile.replicas(bucket, "removed")[at]["blob_key"]
    domicile.client().delete_object(Bucket=bucket, Key="removed")
    domicile.idle()
    foreign = ("holiday.jpg", f"a/b/{'0' * 31}1", f"x/{'f' * 32}/y", zombie)
    for key in foreign:
        s3.put_object(Bucket=namespace, Key=key, Body=b"planted")
    s3.create_multipart_upload(Bucket=namespace, Key="planted/upload")
    forget(domicile)

    counts = scrub(domicile, at, tenant="one", bucket=bucket)
    scrub(domicile, at, tenant="one", bucket=bucket, depth="deep")  # where ETags prove nothing, only the bytes tell

    assert counts["listed"] >= len(bodies) + len(foreign) - 1
    for key, expected in bodies.items():
        is_good(domicile, bucket, key, expected)
    domicile.idle()
    assert sorted(domicile.blobs(at, namespace)) == sorted(replica["blob_key"] for replica in here.values())
    assert domicile.uploads(at, namespace) == []
    found = Counter(kind for kind, _, _ in findings(domicile))
    assert found == {"corrupt": 2, "missing": 1, "foreign": 3, "orphaned": 1, "upload": 1}
    until(lambda: all(over for _, _, over in findings(domicile)), what="all findings over")
    forget(domicile)
    assert not any(scrub(domicile, at, tenant="one", bucket=bucket)[kind] for kind in found)
    assert findings(domicile) == []


def test_a_deep_scrub_finds_what_no_listing_shows(domicile, bucket):
    """An ETag of parts tells nothing about a body that was cut otherwise."""
    body = random.Random(2).randbytes(6 * MIB)
    upload = {"Bucket": bucket, "Key": "parts"}
    s3 = domicile.client()
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    cuts = (body[: 5 * MIB], body[5 * MIB :])
    parts = [{"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=cut)["ETag"]} for n, cut in enumerate(cuts, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    copies = domicile.verified(bucket, "parts")
    at, copy = next(iter(copies.items()))
    overwrite(domicile, copy, bytes(len(body)))
    forget(domicile)
    assert scrub(domicile, at, tenant="one", bucket=bucket)["corrupt"] == 0
    assert scrub(domicile, at, tenant="one", bucket=bucket, depth="deep")["corrupt"] == 1
    is_good(domicile, bucket, "parts", body)
    before = domicile.replicas(bucket, "parts")[at]["verified_at"]
    counts = scrub(domicile, at, tenant="one", bucket=bucket, depth="deep")
    assert (counts["read"], counts["bytes"], counts["corrupt"]) == (1, len(body), 0)
    assert domicile.replicas(bucket, "parts")[at]["verified_at"] > before
    assert scrub(domicile, at, tenant="one", bucket=bucket, depth="deep", older_than=3600)["read"] == 0


def test_the_only_copy_stays_where_it_is(domicile):
    """It is shown, and believed again once its bytes are right."""
    bucket = domicile.new_bucket()
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"replica_count": 1})
    (copy,) = put(domicile, bucket, "only", b"right").values()
    overwrite(domicile, copy, b"wrong")
    forget(domicile)
    depths = ("light", "deep")  # as above
    assert sum(scrub(domicile, copy["backend_id"], tenant="one", bucket=bucket, depth=it)["corrupt"] for it in depths) == 1
    until(lambda: domicile.replicas(bucket, "only")[copy["backend_id"]]["attempt"] > 0, 30, "tried to repair it")
    assert domicile.read(copy) == b"wrong"
    assert findings(domicile) == [("corrupt", "repair", False)]
    answer = domicile.raw().send("GET", f"/{bucket}/only")
    assert (answer.status, answer.code) == (503, "SlowDown")
    overwrite(domicile, copy, b"right")
    domicile.sql(f"UPDATE replicas SET next_attempt_at = now() WHERE state = 'lost' AND namespace = '{copy['namespace']}'")
    domicile.verified(bucket, "only")
    assert domicile.client().get_object(Bucket=bucket, Key="only")["Body"].read() == b"right"


def test_a_version_that_the_record_has_never_heard_of_is_only_reported(domicile, bucket):
    """As after a restore of an old backup of PostgreSQL."""
    copies = put(domicile, bucket, "precious", b"1")
    at, copy = next(iter(copies.items()))
    domicile.sql(
        f"""DELETE FROM replicas WHERE namespace IN (SELECT namespace FROM namespaces WHERE bucket = '{bucket}')""",
        f"""DELETE FROM objects WHERE bucket_id = (SELECT bucket_id FROM buckets WHERE name = '{bucket}')""",
        f"""DELETE FROM versions WHERE bucket_id = (SELECT bucket_id FROM buckets WHERE name = '{bucket}')""",
        "SELECT 1",
    )
    forget(domicile)
    there = domicile.at(at).list_objects_v2(Bucket=copy["namespace"])["KeyCount"]  # with its sidecar, where headers are not kept
    for _ in range(2):
        assert scrub(domicile, at, tenant="one", bucket=bucket)["unknown"] == there
    assert findings(domicile) == [("unknown", "reported", False)] * there
    assert domicile.read(copy) == b"1"
    assert scrub(domicile, at, tenant="one", bucket=bucket, unknown="remove")["unknown"] >= 1
    assert domicile.blobs(at, copy["namespace"]) == {}
    assert all(over for _, _, over in findings(domicile))


def test_a_worker_that_dies_in_the_middle_is_followed_by_one_that_goes_on(domicile, bucket):
    for number in range(3):
        put(domicile, domicile.new_bucket(), str(number), b"1")
    at, copy = next(iter(put(domicile, bucket, "gone", b"gone").items()))
    domicile.at(at).delete_object(Bucket=copy["namespace"], Key=copy["blob_key"])
    homes = len(domicile.sql(f"SELECT 1 FROM namespaces WHERE backend_id = '{at}'"))
    domicile.restart("replicator", kill=("after", "--count", "3", "domicile_replicator.tasks:Run.save"))
    task_id = begin(domicile, at)
    domicile.killed("replicator")
    assert domicile.admin("GET", f"/tasks/{task_id}")["progress"]["buckets"] == 3
    domicile.start("replicator")
    domicile.sql("UPDATE tasks SET lease_until = now()", "SELECT 1")
    counts = done(domicile, task_id)
    assert (counts["buckets"], counts["missing"]) == (homes, 1)
    is_good(domicile, bucket, "gone", b"gone")


def test_a_task_is_handed_back_when_its_worker_stops(domicile, bucket):
    for number in range(3):
        put(domicile, bucket, str(number), b"1")
    at = next(iter(domicile.replicas(bucket, "0")))
    task_id = begin(domicile, at, requests_per_second=0.5)
    until(lambda: domicile.admin("GET", f"/tasks/{task_id}")["state"] == "running", what="begun")
    domicile.suite.services["replicator"].stop()
    assert domicile.admin("GET", f"/tasks/{task_id}")["state"] == "waiting"
    domicile.admin("PATCH", f"/tasks/{task_id}", {"action": "cancel"})
    domicile.mend()


def test_two_scrubs_at_once_beside_writes_and_deletes_touch_nothing(domicile, bucket):
    """Whatever is being written or removed at the moment, no scrub finds anything in it."""
    domicile.idle()
    forget(domicile)
    raised: list[BaseException] = []
    stop = threading.Event()
    last: dict[str, bytes] = {}

    def write(worker: int) -> None:
        s3, random_numbers = domicile.fresh_client(domicile.keys["one"]), random.Random(worker)
        try:
            while not stop.is_set():
                key = f"{worker}/{random_numbers.randrange(5)}"
                if random_numbers.random() < 0.4:
                    s3.delete_object(Bucket=bucket, Key=key)
                    last.pop(key, None)
                else:
                    body = random_numbers.randbytes(random_numbers.randrange(2000))
                    s3.put_object(Bucket=bucket, Key=key, Body=body)
                    last[key] = body
        except BaseException as error:  # noqa: BLE001 - shown by the test
            raised.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            for task_id in [begin(domicile, at, tenant="one", bucket=bucket) for at in ("fi", "fi", "de", "de")]:
                done(domicile, task_id)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert raised == []
    assert findings(domicile) == []
    domicile.idle(60)
    assert len(last) > 3
    for key, body in last.items():
        is_good(domicile, bucket, key, body)


def test_scrubs_come_by_themselves(domicile, bucket):
    at, copy = next(iter(put(domicile, bucket, "gone", b"gone").items()))
    domicile.at(at).delete_object(Bucket=copy["namespace"], Key=copy["blob_key"])
    domicile.restart("metadata", SCRUB_LIGHT_SECONDS="1")
    is_repaired = lambda: copy["blob_key"] in domicile.blobs(at, copy["namespace"])  # noqa: E731
    until(is_repaired, 60, "repaired by a scrub that nobody began")
    domicile.mend()
    is_good(domicile, bucket, "gone", b"gone")


def test_the_physical_bucket_of_one_that_is_gone_goes_when_it_is_empty(domicile):
    s3 = domicile.client()
    bucket = domicile.new_bucket()
    places = {name: copy["namespace"] for name, copy in put(domicile, bucket, "k", b"first").items()}
    (kept_at, kept), (gone_at, gone) = places.items()
    domicile.at(kept_at).put_object(Bucket=kept, Key="somebody-elses", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    former = "SELECT count(*) FROM replicas WHERE bucket_id NOT IN (SELECT bucket_id FROM buckets)"
    until(lambda: domicile.sql(former) == [(0,)], 60, "all removals are confirmed")
    asked = {"tenant": "one", "bucket": bucket}
    if domicile.backends[gone_at].quirks == "seaweedfs":  # where a bucket's policy binds its owner
        kept_there = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": f"arn:aws:s3:::{gone}"}
        domicile.at(gone_at).put_bucket_policy(
            Bucket=gone, Policy=json.dumps({"Version": "2012-10-17", "Statement": [kept_there]})
        )
        assert scrub(domicile, gone_at, **asked)["buckets_removed"] == 0
        domicile.at(gone_at).delete_bucket_policy(Bucket=gone)
    assert scrub(domicile, gone_at, **asked)["buckets_removed"] == 1
    assert scrub(domicile, kept_at, **asked, foreign="report")["buckets_removed"] == 0
    assert gone not in names(domicile, gone_at)
    assert kept in names(domicile, kept_at)
    s3.create_bucket(Bucket=bucket)
    again = {name: copy["namespace"] for name, copy in put(domicile, bucket, "k", b"second").items()}
    assert again[kept_at] == kept
    assert again[gone_at] != gone
    scrub(domicile, gone_at, **asked)
    assert again[gone_at] in names(domicile, gone_at)
    is_good(domicile, bucket, "k", b"second")


def names(domicile: Installation, backend_id: str) -> set[str]:
    return {it["Name"] for it in domicile.at(backend_id).list_buckets()["Buckets"]}
