"""What ``make run`` puts in when it starts for the first time, so that every page has something true to show.

Two buckets of tenant ``demo``, copied as its policy asks; at one backend a bucket that Domicile knows nothing of, to explore and to adopt;
and two snapshots of that account, before and after it changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3

from domicile_local.admin import Admin
from domicile_local.servers import s3
from domicile_local.servers.reach import S3Backend
from domicile_local.settings import backends_in

THREADS = 4
LETTERS = {
    f"letters/{year}/{number:02}.txt": b"Dear reader,\n" * (number * number)
    for year in (2024, 2025, 2026)
    for number in range(1, 13)
}
UNMANAGED = "old-archive"
OLD = {
    f"{folder}/{number:03}.{kind}": bytes([number]) * (1000 * number + 17)
    for folder, kind in (("invoices/2024", "pdf"), ("invoices/2025", "pdf"), ("photos", "jpg"), ("exports/daily", "csv"))
    for number in range(1, 16)
}
CHANGES = {f"invoices/2026/{number:03}.pdf": bytes([number]) * 40_000 for number in range(1, 6)} | {
    "photos/001.jpg": b"retouched" * 9000
}
GONE = ("exports/daily/001.csv", "exports/daily/002.csv")


def add_samples(env: Mapping[str, str]) -> None:
    """``env``: as in run.env. On backends that are the suite's own, and empty."""
    session = boto3.Session(env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"], region_name="us-east-1")
    _add_buckets(session.client("s3", endpoint_url=env["DOMICILE_S3_ENDPOINT"]))
    with Admin(env["DOMICILE_METADATA_URL"], env["ADMIN_API_KEY"]) as admin:
        add_unmanaged(admin, next(backend for backend in backends_in(env) if backend.backend_id == "de"))


def _add_buckets(client: Any) -> None:
    client.create_bucket(Bucket="letters", CreateBucketConfiguration={"LocationConstraint": "fi,de"})
    _upload(client, "letters", LETTERS)
    client.create_bucket(Bucket="ledger")
    client.put_bucket_versioning(Bucket="ledger", VersioningConfiguration={"Status": "Enabled"})
    for balance in (100, 250, 175):
        client.put_object(Bucket="ledger", Key="balance.json", Body=f'{{"balance": {balance}}}\n', ContentType="application/json")
    client.put_object(Bucket="ledger", Key="closed.json", Body="{}")
    client.delete_object(Bucket="ledger", Key="closed.json")


def add_unmanaged(admin: Admin, backend: S3Backend) -> None:
    """A bucket of the provider's own, and what somebody kept of it at two moments."""
    client = s3.client(backend)
    client.create_bucket(Bucket=UNMANAGED)
    _upload(client, UNMANAGED, OLD)
    _keep(admin, backend, "Before the year was closed")
    _upload(client, UNMANAGED, CHANGES)
    for key in GONE:
        client.delete_object(Bucket=UNMANAGED, Key=key)
    _keep(admin, backend, "After the year was closed")


def _upload(client: Any, bucket: str, objects: Mapping[str, bytes]) -> None:
    put = partial(client.put_object, Bucket=bucket)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda item: put(Key=item[0], Body=item[1]), objects.items()))


def _keep(admin: Admin, backend: S3Backend, title: str) -> None:
    pages = s3.client(backend).get_paginator("list_objects_v2").paginate(Bucket=UNMANAGED)
    objects = [
        {
            "bucket": UNMANAGED,
            "key": entry["Key"],
            "size": entry["Size"],
            "etag": entry["ETag"],
            "last_modified": entry["LastModified"].isoformat(),
        }
        for page in pages
        for entry in page.get("Contents", [])
    ]
    made = admin.call("POST", "/snapshots", {"endpoint": backend.endpoint, "keys": "kept", "title": title})
    path = f"/snapshots/{made['snapshot_id']}"
    admin.call("PUT", f"{path}/pieces/0", {"buckets": [{"bucket": UNMANAGED, "region": backend.region}], "objects": objects})
    admin.call("POST", f"{path}/finish", {})
