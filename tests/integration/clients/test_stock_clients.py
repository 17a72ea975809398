"""Stock clients, as people use them, put, list, get and delete real files: the tree of this repository, and one of 200 MB."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
PROGRAMS = Path(__file__).parent / "programs"


def files(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def assert_same(before: Path, after: Path) -> None:
    assert files(before).keys() == files(after).keys()
    _, different, unreadable = filecmp.cmpfiles(before, after, list(files(before)), shallow=False)
    assert (different, unreadable) == ([], [])


def keys(domicile, bucket: str) -> set[str]:
    pages = domicile.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def test_aws_cli_syncs_a_tree(domicile, run, bucket, tree, tmp_path):
    run("aws", "s3", "sync", "--quiet", tree, f"s3://{bucket}/tree")
    assert keys(domicile, bucket) == {f"tree/{name}" for name in files(tree)}
    assert run("aws", "s3", "sync", tree, f"s3://{bucket}/tree") == ""  # it finds nothing that differs
    listed = run("aws", "s3", "ls", "--recursive", f"s3://{bucket}/tree/odd names/")
    assert all(f"tree/odd names/{path.name}" in listed for path in (tree / "odd names").iterdir())
    run("aws", "s3", "sync", "--quiet", f"s3://{bucket}/tree", tmp_path / "back")
    assert_same(tree, tmp_path / "back")
    run("aws", "s3", "rm", "--quiet", "--recursive", f"s3://{bucket}")
    assert keys(domicile, bucket) == set()
    run("aws", "s3", "rb", f"s3://{bucket}")
    run("aws", "s3", "mb", f"s3://{bucket}")


def test_aws_cli_copies_200_mb(domicile, run, bucket, large, tmp_path):
    run("aws", "s3", "cp", "--quiet", large, f"s3://{bucket}/large")
    run("aws", "s3", "cp", "--quiet", f"s3://{bucket}/large", tmp_path / "back")
    assert filecmp.cmp(large, tmp_path / "back", shallow=False)
    (tmp_path / "back").unlink()
    domicile.verified(bucket, "large", seconds=120)
    assert domicile.peak_memory("proxy") < 150 * MIB
    assert domicile.peak_memory("replicator") < 200 * MIB
    run("aws", "s3", "rm", f"s3://{bucket}/large")


def test_aws_cli_presigns(run, bucket, tree):
    for path in (tree / "odd names").iterdir():
        run("aws", "s3", "cp", "--quiet", path, f"s3://{bucket}/{path.name}")
        url = run("aws", "s3", "presign", "--expires-in=60", f"s3://{bucket}/{path.name}").strip()
        assert urllib3.request("GET", url).data == path.read_bytes()
    assert urllib3.request("GET", url.replace("Expires=", "Expires=1")).status == 403


def test_aws_s3api(run, bucket, tree, tmp_path):
    def api(operation: str, *arguments: str | Path) -> Any:
        said = run("aws", "s3api", operation, f"--bucket={bucket}", "--output=json", *arguments)
        return json.loads(said) if said else None

    path = tree / "docs/architecture.md"
    body, key = path.read_bytes(), "--key=docs/architecture.md"
    put = api("put-object", key, f"--body={path}", "--content-type=text/markdown", "--metadata=by=us", "--tagging=kind=doc")
    assert api("head-object", key)["Metadata"] == {"by": "us"}
    api("get-object", key, f"--if-match={put['ETag']}", "--range=bytes=100-199", tmp_path / "piece")
    assert (tmp_path / "piece").read_bytes() == body[100:200]
    assert api("get-object-tagging", key)["TagSet"] == [{"Key": "kind", "Value": "doc"}]
    attributes = api("get-object-attributes", key, "--object-attributes", "ETag", "ObjectSize", "Checksum")
    assert (attributes["ObjectSize"], attributes["Checksum"]["ChecksumType"]) == (len(body), "FULL_OBJECT")
    api("copy-object", f"--copy-source={bucket}/docs/architecture.md", "--key=copy", "--storage-class=STANDARD")
    api("put-bucket-versioning", "--versioning-configuration=Status=Enabled")
    api("delete-object", "--key=copy")
    versions = api("list-object-versions", "--prefix=copy")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (1, 1)
    listed = api("list-objects-v2", "--delimiter=/", "--max-items=1")
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["docs/"]
    doomed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions["Versions"] + versions["DeleteMarkers"]]
    assert len(api("delete-objects", f"--delete={json.dumps({'Objects': doomed})}")["Deleted"]) == 2


def test_boto3_with_default_settings(domicile, bucket, tree, large, tmp_path):
    s3 = domicile.fresh_client(domicile.keys["one"])
    s3.upload_file(str(large), bucket, "large")
    for name, path in files(tree / "odd names").items():
        s3.upload_file(str(path), bucket, name)
    assert keys(domicile, bucket) == {"large", *files(tree / "odd names")}
    (tmp_path / "back").mkdir()
    s3.download_file(bucket, "large", str(tmp_path / "large"))
    assert filecmp.cmp(large, tmp_path / "large", shallow=False)
    (tmp_path / "large").unlink()
    for name in files(tree / "odd names"):
        s3.download_file(bucket, name, str(tmp_path / "back" / name))
    assert_same(tree / "odd names", tmp_path / "back")
    for copy in domicile.verified(bucket, "large", seconds=120).values():
        head = domicile.at(copy["backend_id"]).head_object(Bucket=copy["namespace"], Key=copy["blob_key"])
        assert head["ContentLength"] == 200 * MIB
    for key in keys(domicile, bucket):
        s3.delete_object(Bucket=bucket, Key=key)
    assert keys(domicile, bucket) == set()


def test_rclone_copies_checks_and_syncs(domicile, run, bucket, tree, tmp_path):
    there, quiet = f"domicile:{bucket}/tree", ("--config=", "--s3-no-check-bucket")
    run("rclone", "copy", *quiet, tree, there)
    assert keys(domicile, bucket) == {f"tree/{name}" for name in files(tree)}
    run("rclone", "check", *quiet, tree, there)
    run("rclone", "check", *quiet, "--download", tree / "odd names", f"{there}/odd names")
    assert set(run("rclone", "lsf", *quiet, "-R", "--files-only", there).splitlines()) == files(tree).keys()
    run("rclone", "sync", *quiet, there, tmp_path / "back")
    assert_same(tree, tmp_path / "back")
    (tmp_path / "back" / "odd names" / "empty").unlink()
    (tmp_path / "back" / "new").write_text("new")
    run("rclone", "sync", *quiet, tmp_path / "back", there)
    assert keys(domicile, bucket) == {f"tree/{name}" for name in files(tmp_path / "back")}
    (tmp_path / "twenty").write_bytes(os.urandom(20 * MIB))
    big = ("--s3-upload-cutoff=5M", "--s3-chunk-size=5M")
    run("rclone", "copy", *quiet, *big, tmp_path / "twenty", f"domicile:{bucket}")
    run("rclone", "check", *quiet, "--download", "--one-way", "--include=/twenty", tmp_path, f"domicile:{bucket}")
    run("rclone", "delete", *quiet, f"domicile:{bucket}")
    assert keys(domicile, bucket) == set()


def test_s3cmd_puts_lists_gets_and_deletes(domicile, run, bucket, tree, tmp_path):
    key, address = domicile.keys["one"], domicile.raw().address
    (tmp_path / "s3cfg").write_text(
        f"[default]\naccess_key = {key.access_key}\nsecret_key = {key.secret_key}\nhost_base = {address}\nhost_bucket = {address}\n"
        "use_https = False\nsignature_v2 = False\n"
    )
    s3cmd = ("s3cmd", f"--config={tmp_path / 's3cfg'}", "--no-progress")
    run(*s3cmd, "put", "--recursive", f"{tree / 'odd names'}/", f"s3://{bucket}/odd/")
    (tmp_path / "twenty").write_bytes(os.urandom(20 * MIB))  # more than a part of s3cmd's
    run(*s3cmd, "put", tmp_path / "twenty", f"s3://{bucket}/twenty")
    assert keys(domicile, bucket) == {"twenty", *(f"odd/{name}" for name in files(tree / "odd names"))}
    listed = run(*s3cmd, "ls", "--recursive", f"s3://{bucket}")
    assert all(f"s3://{bucket}/{name}" in listed for name in keys(domicile, bucket))
    (tmp_path / "back").mkdir()
    run(*s3cmd, "get", "--recursive", f"s3://{bucket}/odd/", f"{tmp_path / 'back'}/")
    assert_same(tree / "odd names", tmp_path / "back")
    run(*s3cmd, "get", f"s3://{bucket}/twenty", tmp_path / "twenty again")
    assert filecmp.cmp(tmp_path / "twenty", tmp_path / "twenty again", shallow=False)
    run(*s3cmd, "info", f"s3://{bucket}/twenty")
    run(*s3cmd, "del", "--recursive", "--force", f"s3://{bucket}")
    assert keys(domicile, bucket) == set()


def test_s5cmd_copies_syncs_and_removes(domicile, run, bucket, tree, tmp_path):
    run("s5cmd", "cp", f"{tree}/", f"s3://{bucket}/tree/")
    assert keys(domicile, bucket) == {f"tree/{name}" for name in files(tree)}
    assert run("s5cmd", "sync", f"{tree}/", f"s3://{bucket}/tree/") == ""
    assert len(run("s5cmd", "ls", f"s3://{bucket}/tree/odd names/").splitlines()) == len(files(tree / "odd names"))
    run("s5cmd", "cp", f"s3://{bucket}/tree/*", f"{tmp_path / 'back'}/")
    assert_same(tree, tmp_path / "back")
    (tmp_path / "twenty").write_bytes(os.urandom(20 * MIB))
    run("s5cmd", "cp", "--part-size=5", tmp_path / "twenty", f"s3://{bucket}/twenty")
    run("s5cmd", "mv", f"s3://{bucket}/twenty", f"s3://{bucket}/moved")
    run("s5cmd", "cp", f"s3://{bucket}/moved", tmp_path / "twenty again")
    assert filecmp.cmp(tmp_path / "twenty", tmp_path / "twenty again", shallow=False)
    run("s5cmd", "rm", f"s3://{bucket}/*")
    assert keys(domicile, bucket) == set()


def test_minio_py(run, bucket, tree, tmp_path):
    run("python", PROGRAMS / "minio_files.py", bucket, tree / "odd names", tmp_path / "back")
    assert_same(tree / "odd names", tmp_path / "back")


def test_restic_backs_up_prunes_checks_and_restores(domicile, run, bucket, tree, tmp_path):
    shutil.copytree(tree / "docs", tmp_path / "home")
    restic = ("restic", f"--repo=s3:{domicile.suite.s3_endpoint}/{bucket}/backups")
    run(*restic, "init")
    run(*restic, "backup", tmp_path / "home")
    (tmp_path / "home" / "big").write_bytes(os.urandom(20 * MIB))
    run(*restic, "backup", tmp_path / "home")
    (tmp_path / "home" / "big").unlink()
    run(*restic, "backup", tmp_path / "home")
    run(*restic, "forget", "--keep-last=1", "--prune", "--max-unused=0")
    run(*restic, "check", "--read-data")
    run(*restic, "restore", "latest", "--target", tmp_path / "back")
    assert_same(tmp_path / "home", tmp_path / "back" / (tmp_path / "home").relative_to("/"))
    assert sum(entry["Size"] for entry in domicile.client().list_objects_v2(Bucket=bucket)["Contents"]) < 20 * MIB


def test_s3fs_and_pyarrow_share_a_partitioned_data_set(run, bucket):
    run("python", PROGRAMS / "parquet.py", bucket, "100000")


def test_duckdb_reads_parquet_as_s3_and_through_presigned_urls(domicile, run, bucket):
    run("python", PROGRAMS / "duckdb_queries.py", bucket)
    urls = [run("aws", "s3", "presign", f"s3://{bucket}/{key}").strip() for key in sorted(keys(domicile, bucket))]
    run("python", PROGRAMS / "duckdb_queries.py", "presigned", *urls)
