"""DuckDB with its httpfs extension: Parquet is written and read as s3://, and read through presigned URLs.

Argument: a bucket; ``presigned``: reads the URLs that follow instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs

ROWS = 100_000

connection = duckdb.connect()
(extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
connection.execute(f"LOAD '{extension}'")


def ask(statement: str) -> list[tuple[object, ...]]:
    return connection.execute(statement).fetchall()


if sys.argv[1] == "presigned":
    assert ask(f"SELECT count(*), sum(amount) FROM read_parquet({sys.argv[2:]})") == [(ROWS, ROWS * (ROWS - 1) // 2)]
else:
    place = f"s3://{sys.argv[1]}/rows"
    ask(f"""CREATE SECRET (TYPE s3, URL_STYLE 'path', USE_SSL false, ENDPOINT '{urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc}',
            KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}')""")
    ask(f"""COPY (SELECT range AS amount, ['FI', 'DE', 'US'][1 + range % 3] AS country FROM range({ROWS}))
            TO '{place}' (FORMAT parquet, PARTITION_BY country)""")
    files = f"read_parquet('{place}/*/*.parquet', hive_partitioning = true)"
    assert ask(f"SELECT count(*), sum(amount) FROM {files}") == [(ROWS, ROWS * (ROWS - 1) // 2)]
    assert ask(f"SELECT count(*), min(amount) FROM {files} WHERE country = 'DE' AND amount >= 1000") == [(33_000, 1000)]
