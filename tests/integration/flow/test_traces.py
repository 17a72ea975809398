"""One trace from a client's request to its last verified copy, as a collector gets it over OTLP from real services."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from domicile_common.testing.collector import Collector
from domicile_common.testing.installation import until
from domicile_common.tracing import new_trace
from domicile_local.servers import ports

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def traced(open_installation, collector):
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with open_installation(**settings) as made:
        yield made


def test_a_put_is_one_tree_over_http_and_amqp_to_the_last_copy(traced, collector):
    bucket, asked = traced.new_bucket(location="fi,de"), new_trace()
    raw = traced.raw()
    answer = raw.send("PUT", f"/{bucket}/what-nobody-shall-read", body=b"x" * 100, headers={"traceparent": str(asked)})
    assert answer.status == 200
    traced.verified(bucket, "what-nobody-shall-read")
    put = "proxy: PutObject"
    job = f"{put} > proxy: metadata commit > metadata: commit > metadata: publish domicile.jobs > replicator: job de"
    wanted = {
        put,
        f"{put} > proxy: metadata begin > metadata: begin",
        f"{put} > proxy: PUT fi",
        f"{job} > replicator: metadata wanted > metadata: wanted",
        f"{job} > replicator: GET fi",
        f"{job} > replicator: PUT de",
        f"{job} > replicator: metadata report > metadata: report",
    }
    until(lambda: wanted <= collector.paths(asked.trace_id), what=lambda: f"{wanted - collector.paths(asked.trace_id)}")
    spans = collector.traces[asked.trace_id]
    assert {span.parent_id for span in spans.values()} - spans.keys() == {asked.span_id}  # all else hangs together
    assert [line.split()[0] for line in collector.tree(asked.trace_id).splitlines()[:2]] == ["trace", "PutObject"]

    secrets = [b"what-nobody-shall-read", bucket.encode(), traced.keys["one"].secret_key.encode()]
    assert not [secret for body in collector.bodies for secret in secrets if secret in body]


def test_a_deletion_is_followed_until_the_bytes_are_gone(traced, collector):
    bucket, asked = traced.new_bucket(location="fi,de"), new_trace()
    traced.client().put_object(Bucket=bucket, Key="k", Body=b"x")
    traced.verified(bucket, "k")
    assert traced.raw().send("DELETE", f"/{bucket}/k", headers={"traceparent": str(asked)}).status == 204
    traced.idle()
    removed = (
        "proxy: DeleteObject > proxy: metadata delete > metadata: delete > metadata: publish domicile.jobs > replicator: job {0}"
    )
    wanted = {f"{removed.format(backend)} > replicator: DELETE {backend}" for backend in ("fi", "de")}
    until(lambda: wanted <= collector.paths(asked.trace_id), what=lambda: f"{wanted - collector.paths(asked.trace_id)}")


def test_a_late_retry_still_belongs_to_the_put(traced, collector):
    """What RabbitMQ has lost is announced again from the record, under the same trace."""
    bucket, asked = traced.new_bucket(location="fi,de"), new_trace()
    traced.suite.services["replicator"].kill()
    try:
        assert traced.raw().send("PUT", f"/{bucket}/k", body=b"x", headers={"traceparent": str(asked)}).status == 200
        traced.sql("DELETE FROM outbox", "UPDATE replicas SET next_attempt_at = now() WHERE state = 'wanted' RETURNING 1")
    finally:
        traced.mend()
    traced.verified(bucket, "k")
    until(lambda: any(path.endswith("replicator: PUT de") for path in collector.paths(asked.trace_id)))


def test_what_the_caller_does_not_sample_is_not_exported(traced, collector):
    bucket, asked = traced.new_bucket(), new_trace()._replace(flags="00")
    raw = traced.raw()
    assert raw.send("PUT", f"/{bucket}/k", body=b"x", headers={"traceparent": str(asked)}).status == 200
    after = new_trace()
    assert raw.send("HEAD", f"/{bucket}/k", headers={"traceparent": str(after)}).status == 200
    until(lambda: "proxy: HeadObject" in collector.paths(after.trace_id))
    assert not collector.paths(asked.trace_id)


def test_a_dead_collector_costs_nobody_an_answer(traced):
    bucket = traced.new_bucket()
    try:
        traced.restart("proxy", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{ports.take()}")
        assert traced.raw().send("PUT", f"/{bucket}/k", body=b"x").status == 200
    finally:
        traced.mend()
