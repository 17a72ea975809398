"""A service dies at the worst moment: nothing acknowledged is lost, nothing unacknowledged appears, and what was left behind is removed."""

from __future__ import annotations

import random
import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from domicile_common.testing.installation import until
from domicile_common.testing.load import Load
from domicile_common.testing.noise import noise

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def domicile(open_installation):
    limits = {"OVERDUE_SECONDS": "2", "REPLICATOR_MULTIPART_BYTES": str(5 * MIB)}
    with open_installation(**limits) as made:
        yield made


@pytest.fixture(autouse=True)
def _mended(domicile):
    yield
    domicile.mend()


@pytest.fixture
def raw(domicile):
    return domicile.raw()


def completion(*etags: str) -> bytes:
    parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1))
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def known_blobs(domicile, bucket: str, *keys: str) -> set[tuple[str, str]]:
    """Backend id and blob key of what should be there."""
    return {(name, it["blob_key"]) for key in keys for name, it in domicile.verified(bucket, key).items()}


def all_blobs(domicile, bucket: str) -> set[tuple[str, str]]:
    """Without sidecars."""
    found = {(name, key) for name, keys in domicile.leftovers(bucket).items() for key in keys}
    return {(name, key) for name, key in found if not key.startswith(".domicile/")}


def abandoned_writes_expire(domicile) -> None:
    """What time would do to the writes that nobody goes on with."""
    domicile.sql("UPDATE intents SET deadline = now()")
    until(lambda: domicile.sql("SELECT count(*) FROM intents") == [(0,)], what="the sweeper has been by")
    domicile.idle()


# --- the proxy, between BEGIN and COMMIT ---


@pytest.mark.parametrize("size", [1000, 300_000], ids=["short", "long"])
def test_a_put_that_was_not_committed_never_appears(domicile, raw, bucket, size):
    for key in ("old", "other"):
        assert raw.send("PUT", f"/{bucket}/{key}", b"before").status == 200
    known = known_blobs(domicile, bucket, "old", "other")
    for key in ("old", "new"):
        domicile.restart("proxy", kill=("before", "domicile_proxy.operations.intents:commit"))
        with pytest.raises((OSError, HTTPException)):
            raw.send("PUT", f"/{bucket}/{key}", noise(size))
        domicile.killed("proxy")
        # The orphan is there, and nobody points to it.
        assert [blob for _, blob in all_blobs(domicile, bucket) - known if blob.startswith(f"{key}/")]
    domicile.start("proxy")
    assert raw.send("GET", f"/{bucket}/old").body == b"before"
    assert raw.send("GET", f"/{bucket}/new").code == "NoSuchKey"
    assert raw.send("GET", f"/{bucket}").texts("Key") == ["old", "other"]
    abandoned_writes_expire(domicile)
    assert all_blobs(domicile, bucket) == known
    assert raw.send("GET", f"/{bucket}/old").body == b"before"
    assert raw.send("PUT", f"/{bucket}/new", b"after").status == 200
    assert raw.send("GET", f"/{bucket}/new").body == b"after"


def test_a_put_that_broke_off_before_its_last_bytes(domicile, raw, bucket):
    assert raw.send("PUT", f"/{bucket}/old", b"before").status == 200
    known = known_blobs(domicile, bucket, "old")
    domicile.restart("proxy", kill=("before", "domicile_proxy.operations.fan_out:FanOut.finish"))
    with pytest.raises((OSError, HTTPException)):
        raw.send("PUT", f"/{bucket}/old", noise(300_000))
    domicile.killed("proxy")
    domicile.start("proxy")
    assert raw.send("GET", f"/{bucket}/old").body == b"before"
    abandoned_writes_expire(domicile)
    assert all_blobs(domicile, bucket) == known


def test_a_proxy_that_is_told_to_stop_finishes_what_it_has_begun(domicile, raw, bucket):
    body = noise(30 * MIB)
    domicile.client().put_object(Bucket=bucket, Key="large", Body=body)
    host, port = raw.address.split(":")
    put = raw.prepare("PUT", f"/{bucket}/new", body)
    with socket.create_connection((host, int(port))) as reader, socket.create_connection((host, int(port))) as writer:
        reader.sendall(raw.prepare("GET", f"/{bucket}/large").head())
        writer.sendall(put.head() + put.body[: 10 * MIB])
        received = reader.recv(MIB)
        domicile.suite.services["proxy"].ask_to_stop()
        until(lambda: refuses(host, int(port)), what="nobody new is let in")
        writer.sendall(put.body[10 * MIB :])
        received += b"".join(iter(lambda: reader.recv(MIB), b""))
        assert received.partition(b"\r\n\r\n")[2] == body
        assert writer.recv(10_000).startswith(b"HTTP/1.1 200 ")
    domicile.stopped("proxy")
    domicile.start("proxy")
    assert raw.send("GET", f"/{bucket}/new").body == body


def refuses(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_slow_upload_outlives_its_first_deadline(domicile, raw, bucket):
    domicile.restart("metadata", INTENT_SECONDS="3")
    request = raw.prepare("PUT", f"/{bucket}/k", noise(300_000))
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request.head() + request.body[:200_000])
        [(first,)] = until(lambda: domicile.sql("SELECT deadline FROM intents"), what="the write has begun")
        until(lambda: domicile.sql("SELECT now()")[0][0] > first, what="its first deadline has passed")
        connection.sendall(request.body[200_000:])
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200 ")
    assert raw.send("GET", f"/{bucket}/k").body == noise(300_000)


@pytest.mark.parametrize("sent", [100, 200_000])
def test_a_client_that_falls_silent_is_not_waited_for(domicile, raw, bucket, sent):
    domicile.restart("proxy", CLIENT_IDLE_SECONDS="0.5")
    request = raw.prepare("PUT", f"/{bucket}/k", noise(sent + 1000))
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.head() + request.body[:sent])
        answer = b"".join(iter(lambda: connection.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>RequestTimeout</Code>" in answer
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


def begun_upload(raw, bucket: str) -> tuple[str, bytes]:
    """The target of an upload of two parts, and the document that completes it."""
    [upload] = raw.send("POST", f"/{bucket}/k?uploads").texts("UploadId")
    target = f"/{bucket}/k?uploadId={upload}"
    etags = [
        raw.send("PUT", f"{target}&partNumber={number}", noise(size)).headers["etag"] for number, size in ((1, 5 * MIB), (2, 9))
    ]
    return target, completion(*etags)


@pytest.mark.parametrize("retried", [True, False], ids=["retried", "given up"])
def test_a_completion_that_was_not_committed_never_appears(domicile, raw, bucket, retried):
    assert raw.send("PUT", f"/{bucket}/k", b"before").status == 200
    known = known_blobs(domicile, bucket, "k")
    target, document = begun_upload(raw, bucket)
    domicile.restart("proxy", kill=("after", "domicile_proxy.operations.multipart_completion:complete_at"))
    with pytest.raises((OSError, HTTPException)):
        raw.send("POST", target, document)
    domicile.killed("proxy")
    assert len(all_blobs(domicile, bucket) - known) == 1  # the blob has come into being at its backend
    domicile.start("proxy")
    assert raw.send("GET", f"/{bucket}/k").body == b"before"
    if retried:
        assert raw.send("POST", target, document).status == 200
        assert raw.send("GET", f"/{bucket}/k").body == noise(5 * MIB) + noise(9)
        known = known_blobs(domicile, bucket, "k")
        domicile.idle()
    else:
        abandoned_writes_expire(domicile)
        assert raw.send("POST", target, document).code == "NoSuchUpload"
        assert raw.send("GET", f"/{bucket}/k").body == b"before"
    assert all_blobs(domicile, bucket) == known


def test_a_completion_whose_answer_was_lost_can_be_repeated(domicile, raw, bucket):
    target, document = begun_upload(raw, bucket)
    domicile.restart("proxy", kill=("before", "domicile_proxy.operations.multipart_completion:answer_completed"))
    with pytest.raises((OSError, HTTPException)):
        raw.send("POST", target, document)
    domicile.killed("proxy")
    domicile.start("proxy")
    assert raw.send("GET", f"/{bucket}/k").body == noise(5 * MIB) + noise(9)
    assert raw.send("POST", target, document).status == 200
    domicile.idle()
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, "k")


# --- the relay, between publish and mark ---


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_relay_that_did_not_mark_what_it_published(domicile, raw, bucket, when):
    """The messages go out again, and every copy is made once. No reconciler runs that could mend what the relay loses."""
    domicile.idle()  # the bucket is told of
    domicile.restart("metadata", METADATA_ROLES="api")
    keys = [f"k{number}" for number in range(8)]
    for key in keys:
        assert raw.send("PUT", f"/{bucket}/{key}", key.encode()).status == 200
    [(owed,)] = domicile.sql("SELECT count(*) FROM outbox")
    assert owed == len(keys)
    relaying = {"METADATA_ROLES": "api,relay"}
    domicile.restart("metadata", kill=(when, "domicile_metadata.relay:Relay.publish"), wait=False, **relaying)
    domicile.killed("metadata")
    assert domicile.sql("SELECT count(*) FROM outbox") == [(owed,)]
    domicile.start("metadata", **relaying)
    until(lambda: domicile.sql("SELECT count(*) FROM outbox") == [(0,)], what="the outbox is empty")
    for key in keys:
        copies = domicile.verified(bucket, key)
        assert sorted(copies) == ["de", "fi"]
        assert all(domicile.read(copy) == key.encode() for copy in copies.values())
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, *keys)
    assert len(all_blobs(domicile, bucket)) == 2 * len(keys)


# --- the replicator, in the middle of a copy ---


@pytest.mark.parametrize("place", [("after", "--count", "2", "domicile_replicator.feed:Feed.pour"), ("before", "domicile_replicator.upload:complete"), ("after", "domicile_replicator.upload:complete")], ids=["between parts", "before completing", "after completing"])  # fmt: skip
def test_a_replicator_that_dies_in_the_middle_of_a_large_copy(domicile, bucket, place):
    body = noise(18 * MIB)
    domicile.restart("replicator", kill=place)
    domicile.client().put_object(Bucket=bucket, Key="k", Body=body)
    domicile.killed("replicator")
    [target] = [name for name, it in domicile.replicas(bucket, "k").items() if it["state"] != "verified"]
    namespace = domicile.namespace(target, bucket)
    half_done = place[-1].endswith("pour") or place[0] == "before"
    assert len(domicile.uploads(target, namespace)) == half_done
    domicile.start("replicator")
    copies = domicile.verified(bucket, "k", seconds=60)
    assert all(domicile.read(copy) == body for copy in copies.values())
    assert domicile.uploads(target, namespace) == []
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, "k")


def test_another_replicator_takes_over(domicile, bucket):
    """Two work side by side; the one that has the job dies with it."""
    body = noise(12 * MIB)
    with domicile.another("replicator"):
        domicile.restart("replicator", kill=("before", "domicile_replicator.execute:Executor.copy"))
        for number in range(6):  # so that the one that dies gets one of them
            domicile.client().put_object(Bucket=bucket, Key=f"k{number}", Body=body)
        domicile.killed("replicator")
        for number in range(6):
            copies = domicile.verified(bucket, f"k{number}", seconds=60)
            assert all(domicile.read(copy) == body for copy in copies.values())


def test_a_replicator_that_reported_and_did_not_acknowledge(domicile, raw, bucket):
    domicile.restart("replicator", kill=("after", "domicile_replicator.consume:Jobs.handle"))
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    domicile.killed("replicator")
    domicile.start("replicator")
    domicile.idle()
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, "k")


# --- metadata, between commit and answer, and away ---


def test_nothing_is_answered_from_memory_while_metadata_is_away(domicile, raw, bucket):
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    assert raw.send("GET", f"/{bucket}/k").body == b"1"
    domicile.suite.services["metadata"].kill()
    with ThreadPoolExecutor() as pool:
        requests = [("GET", "k"), ("HEAD", "k"), ("PUT", "other"), ("DELETE", "k"), ("GET", "")]
        answers = [
            pool.submit(raw.send, method, f"/{bucket}/{key}", b"2" if method == "PUT" else b"") for method, key in requests
        ]
        assert {answer.result().status for answer in answers} == {503}
    domicile.start("metadata")
    assert raw.send("GET", f"/{bucket}/k").body == b"1"
    assert raw.send("GET", f"/{bucket}").texts("Key") == ["k"]


def test_a_commit_whose_answer_was_lost(domicile, raw, bucket):
    assert raw.send("PUT", f"/{bucket}/k", b"before").status == 200
    domicile.verified(bucket, "k")
    domicile.restart("metadata", kill=("after", "domicile_metadata.services.commit:commit"))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(raw.send, "PUT", f"/{bucket}/k", noise(300_000))
        domicile.killed("metadata")
        domicile.start("metadata")
        assert answer.result().status == 503
    # It was committed all the same: what is listed is what is read.
    assert raw.send("GET", f"/{bucket}/k").body == noise(300_000)
    assert raw.send("GET", f"/{bucket}").texts("Size") == ["300000"]
    abandoned_writes_expire(domicile)
    assert raw.send("GET", f"/{bucket}/k").body == noise(300_000)
    assert raw.send("PUT", f"/{bucket}/k", b"again").status == 200
    domicile.idle()
    assert raw.send("GET", f"/{bucket}/k").body == b"again"
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, "k")


def test_an_intent_whose_answer_was_lost(domicile, raw, bucket):
    """The proxy asks again, for a while: the first intent is swept in any case."""
    domicile.restart("metadata", kill=("after", "domicile_metadata.services.begin:begin"))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(raw.send, "PUT", f"/{bucket}/k", b"1")
        domicile.killed("metadata")
        domicile.start("metadata")
        status = answer.result().status
    assert status in {200, 503}
    keys = ["k"] if status == 200 else []
    assert raw.send("GET", f"/{bucket}").texts("Key") == keys
    abandoned_writes_expire(domicile)
    assert all_blobs(domicile, bucket) == known_blobs(domicile, bucket, *keys)


# --- any of them, at any moment ---


def test_services_die_at_random_under_load(domicile, bucket):
    load, chance = Load(domicile, bucket), random.Random(1)
    with load.running():
        for _ in range(2):
            for service in chance.sample(["proxy", "metadata", "replicator"], 3):
                load.goes_on(chance.randrange(5, 15))
                domicile.restart(service)
        load.goes_on()
    assert {status for _, status in load.seen} <= {0, 200, 204, 404, 503}
    abandoned_writes_expire(domicile)
    load.check()
