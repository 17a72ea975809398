"""The header x-domicile-wait: the answer comes when the copies are there, or time is up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from domicile_common.testing.installation import until

pytestmark = pytest.mark.servers

BOTH = 'reached=?1, copies=2, countries=("DE" "FI")'
ONE_ONLY = 'reached=?0, copies=1, countries=("FI")'


@pytest.fixture
def raw(domicile):
    return domicile.raw()


def asked(wait: str, **others: str) -> dict[str, str]:
    return {"x-domicile-wait": wait, **others}


def test_a_write_is_answered_when_its_copies_are_verified(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/source", b"1")
    [upload] = raw.send("POST", f"/{bucket}/parts?uploads").texts("UploadId")
    etag = raw.send("PUT", f"/{bucket}/parts?uploadId={upload}&partNumber=1", b"1").headers["etag"]
    parts = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    writes = {
        "short": ("PUT", "short", b"1", asked("copies=2")),
        "long": ("PUT", "long", bytes(300_000), asked("countries=2")),
        "copy": ("PUT", "copy", b"", asked('countries=("FI" "DE")', **{"x-amz-copy-source": f"/{bucket}/source"})),
        "parts": ("POST", f"parts?uploadId={upload}", parts.encode(), asked("copies=2, countries=2, timeout=60")),
    }
    for key, (method, target, body, headers) in writes.items():
        answer = raw.send(method, f"/{bucket}/{target}", body, headers)
        assert (answer.status, answer.headers["x-domicile-wait"]) == (200, BOTH), key
        assert {copy["state"] for copy in domicile.replicas(bucket, key).values()} == {"verified"}


def test_what_is_there_can_be_waited_for(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    for method, target in (("HEAD", "k"), ("GET", "k?placement")):
        answer = raw.send(method, f"/{bucket}/{target}", headers=asked("copies=2"))
        assert (answer.status, answer.headers["x-domicile-wait"]) == (200, BOTH)
    shown = domicile.admin("GET", "/wait", tenant="one", bucket=bucket, key="k", copies="2")
    assert (shown["reached"], shown["backends"]) == (True, ["de", "fi"])


def test_without_the_header_nothing_is_said(raw, bucket):
    assert "x-domicile-wait" not in raw.send("PUT", f"/{bucket}/k", b"1").headers
    assert "x-domicile-wait" not in raw.send("HEAD", f"/{bucket}/k").headers


@pytest.mark.parametrize("value", ["", "copies", "copies=0", "copies=2;timeout=1", "copies=3", "countries=3", "countries=(US)", "copies=2, timeout=301"])  # fmt: skip
def test_what_cannot_be_waited_for_is_refused_before_anything_is_stored(raw, bucket, value):
    assert raw.send("PUT", f"/{bucket}/k", b"1", asked(value)).code == "InvalidArgument"
    assert raw.send("GET", f"/{bucket}").texts("Key") == []


def test_other_operations_do_not_take_it(raw, bucket):
    for method, target in (("GET", "k"), ("DELETE", "k"), ("POST", "k?uploads"), ("GET", "")):
        assert raw.send(method, f"/{bucket}/{target}", headers=asked("copies=2")).code == "NotImplemented"


def test_it_is_for_the_owner_alone(domicile, raw, bucket):
    raw.send("PUT", f"/{bucket}/k", b"1")
    policy = f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::{bucket}/*"}}]}}'
    assert raw.send("PUT", f"/{bucket}?policy", policy.encode()).status == 204
    other = domicile.raw("two")
    assert until(lambda: other.send("PUT", f"/{bucket}/k", b"2").status == 200)
    assert other.send("PUT", f"/{bucket}/k", b"3", asked("copies=2")).code == "AccessDenied"
    assert other.send("HEAD", f"/{bucket}/k", headers=asked("copies=2")).status == 403


def test_a_write_is_stored_though_its_copies_are_late(open_installation):
    with open_installation() as domicile:
        bucket, raw = domicile.new_bucket(location="fi,de"), domicile.raw()
        domicile.suite.services["replicator"].kill()
        answer = raw.send("PUT", f"/{bucket}/k", b"1", asked("copies=2, timeout=1"))
        assert (answer.status, answer.headers["x-domicile-wait"]) == (200, ONE_ONLY)
        assert raw.send("GET", f"/{bucket}/k").body == b"1"
        with ThreadPoolExecutor() as pool:  # and when the proxy is told to stop, it says what there is, and ends
            waiting = pool.submit(raw.send, "PUT", f"/{bucket}/k", b"2", asked("copies=2, timeout=300"))
            until(lambda: raw.send("GET", f"/{bucket}/k").body == b"2", what="it is written")
            domicile.suite.services["proxy"].ask_to_stop()
            assert (waiting.result().status, waiting.result().headers["x-domicile-wait"]) == (200, ONE_ONLY)
        domicile.stopped("proxy")
