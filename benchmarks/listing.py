"""``make bench-listing``: pages of ListObjectsV2 and ListObjectVersions of a small and of a large bucket, side by side through the proxy.

The keys are put into PostgreSQL directly: what lies at the backends has no part in a listing.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import free_layout, machine, say
from benchmarks.load import Target

from domicile_local.launcher import Launcher, running
from domicile_local.servers import postgres
from domicile_local.settings import Settings

SMALL = 1_000
FOLDERS = 1_000
FILL = """
WITH bucket AS (
    SELECT bucket_id FROM buckets WHERE name = '{bucket}'
), keys AS (
    SELECT convert_to('dir' || lpad((n % {folders})::text, 3, '0') || '/' || lpad(n::text, 7, '0'), 'UTF8') AS key
      FROM generate_series(0, {count} - 1) AS n
), made AS (
    INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null)
    SELECT bucket_id, gen_random_uuid(), key, 3, repeat('0', 32), 'STANDARD',
           '{{"size": 3, "md5": "00000000000000000000000000000000", "checksums": {{"crc32": "AAAAAA=="}}}}', '{{}}', '{{}}', true
      FROM bucket, keys
    RETURNING bucket_id, key, version_id
), current AS (
    INSERT INTO objects SELECT * FROM made RETURNING 1
)
SELECT count(*) FROM current"""


@dataclass(frozen=True)
class Page:
    """What is asked of the bucket with ``count`` keys. ``operation``: boto3's name."""

    name: str
    asked: dict[str, str]
    operation: str = "list_objects_v2"


PAGES = (
    Page("first page", {}),
    Page("page in the middle", {"StartAfter": "dir500/"}),
    Page("prefix of one folder", {"Prefix": "dir500/"}),
    Page("prefix that nothing has", {"Prefix": "none/"}),
    Page("delimiter: the folders", {"Delimiter": "/"}),
    Page("delimiter in one folder", {"Delimiter": "/", "Prefix": "dir500/"}),
    Page("delimiter 0: many prefixes", {"Delimiter": "0"}),
    Page("versions, first page", {}, "list_object_versions"),
    Page("versions, page in the middle", {"KeyMarker": "dir500/"}, "list_object_versions"),
)


def fill(launcher: Launcher, target: Target, bucket: str, count: int) -> None:
    target.client().create_bucket(Bucket=bucket)
    url = launcher.run_env["DATABASE_URL"]
    postgres.query(url, FILL.format(bucket=bucket, folders=min(FOLDERS, count), count=count))
    for table in ("versions", "objects"):
        postgres.query(url, f"ANALYZE {table}")


def seconds_for(target: Target, bucket: str, page: Page, times: int) -> tuple[float, int]:
    """The median over ``times`` requests, and the bytes of the answer."""
    params: dict[str, Any] = {"Bucket": bucket, "EncodingType": "url", **page.asked}
    path = target.client().generate_presigned_url(page.operation, Params=params).removeprefix(target.endpoint)
    connection = http.client.HTTPConnection(target.address, timeout=60)
    taken, size = [], 0
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        taken.append(time.perf_counter() - began)
        if answer.status != http.client.OK:
            raise RuntimeError(f"{page.name}: {answer.status}")
    connection.close()
    return statistics.median(taken), size


def compare(launcher: Launcher, count: int, times: int) -> str:
    env = launcher.run_env
    target = Target("proxy", env["DOMICILE_S3_ENDPOINT"], env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"])
    sizes = {f"keys-{number}": number for number in (SMALL, count)}
    for bucket, number in sizes.items():
        say(f"filling a bucket with {number:,} keys")
        fill(launcher, target, bucket, number)
    lines = [
        machine(times).replace("rounds", "requests"),
        "",
        f"| page | {' | '.join(f'{number:,} keys' for number in sizes.values())} |",
        "|---|---|---|",
    ]
    for page in PAGES:
        shown = [seconds_for(target, bucket, page, times) for bucket in sizes]
        lines.append(f"| {page.name} | {' | '.join(f'{each * 1e3:.1f} ms, {size / 1024:.0f} KiB' for each, size in shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30, help="requests per page")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="domicile-bench-") as folder:
        settings = Settings(state=Path(folder) / "state", layout=free_layout())
        with running(settings, say) as launcher:
            result = compare(launcher, arguments.keys, arguments.times)
    print(f"\n{result}")


if __name__ == "__main__":
    main()
