"""What an operator has: health, metrics, one trace from the client's request to the job, jobs by backend."""

from __future__ import annotations

import json
import secrets

import httpx
import pytest

from domicile_common.testing.installation import until

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("service", ["metadata", "proxy", "replicator", "discovery"])
def test_every_service_tells_how_it_is(domicile, service):
    health = domicile.suite.services[service].health
    for path in ("healthz", "readyz", "metrics"):
        answer = httpx.get(f"{health}/{path}", trust_env=False)
        assert (path, answer.status_code) == (path, 200)
    assert "python_info" in answer.text


def test_metrics_count_what_was_done(domicile, s3, bucket):
    def counted(service: str, name: str) -> float:
        lines = httpx.get(f"{domicile.suite.services[service].health}/metrics", trust_env=False).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and "_created" not in line)

    before = counted("replicator", "domicile_replicator_jobs")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    domicile.verified(bucket, "k")
    until(lambda: counted("replicator", "domicile_replicator_jobs") > before, what="the job is counted")


def test_one_trace_leads_from_the_request_to_the_job(domicile, bucket):
    trace = secrets.token_hex(16)
    header = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    assert domicile.raw().send("PUT", f"/{bucket}/k", b"1", header).status == 200
    domicile.verified(bucket, "k")
    until(lambda: trace in domicile.logs()["replicator"], what="the job's log line")
    lines = [json.loads(line) for line in domicile.logs()["replicator"].splitlines() if trace in line]
    assert any(line["event"] == "job done" for line in lines)
    assert all("level" in line and line["service"] == "replicator" for line in lines)


def test_every_log_line_is_json(domicile, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    for log in domicile.logs().values():
        for line in log.splitlines():
            assert json.loads(line)["event"]


def test_the_shared_installation_has_no_error_in_its_logs(domicile, s3, bucket):
    """Whatever ran here before: nothing that a client did is an error of ours."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    errors = [
        line
        for log in domicile.logs().values()
        for line in log.splitlines()
        if json.loads(line)["level"] in {"error", "critical"}
    ]
    assert errors == []
