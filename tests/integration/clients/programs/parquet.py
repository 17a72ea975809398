"""s3fs and pyarrow, as analysts write it: a partitioned Parquet data set is written through s3fs and read back in three ways."""

from __future__ import annotations

import os
import sys
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import s3fs
from pyarrow.fs import S3FileSystem

bucket, rows = sys.argv[1], int(sys.argv[2])
place = f"{bucket}/sales"
table = pa.table(
    {
        "country": [("FI", "DE", "US")[number % 3] for number in range(rows)],
        "year": [2024 + number % 2 for number in range(rows)],
        "day": [date(2024, 1, 1) + timedelta(days=number % 700) for number in range(rows)],
        "amount": list(range(rows)),
    }
)
through_s3fs = s3fs.S3FileSystem()
pq.write_to_dataset(table, place, partition_cols=["country", "year"], filesystem=through_s3fs)
assert sorted(path.rpartition("/")[2] for path in through_s3fs.ls(place)) == ["country=DE", "country=FI", "country=US"]
assert len(through_s3fs.glob(f"{place}/*/*/*.parquet")) == 6

through_arrow = S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
wanted = [{"amount": number, "country": "FI"} for number in range(0, rows, 3) if number % 2]
for filesystem in (through_s3fs, through_arrow):
    found = ds.dataset(place, filesystem=filesystem, partitioning="hive").to_table(
        columns=["amount", "country"], filter=(pc.field("country") == "FI") & (pc.field("year") == 2025)
    )
    assert found.sort_by("amount").to_pylist() == wanted
    assert pq.read_table(place, filesystem=filesystem).num_rows == rows

# pyarrow writes by itself too, in parts once a file is large; and what is overwritten stays away
pq.write_table(table, f"{place}-one/all.parquet", filesystem=through_arrow)
ds.write_dataset(
    table, place, filesystem=through_arrow, format="parquet", partitioning=["country"], existing_data_behavior="delete_matching"
)
with through_s3fs.open(f"{place}-one/all.parquet", "rb") as file:
    assert pq.read_metadata(file).num_rows == rows
through_s3fs.mv(f"{place}-one/all.parquet", f"{place}-one/moved.parquet")
assert through_s3fs.ls(f"{place}-one", refresh=True) == [f"{place}-one/moved.parquet"]
through_s3fs.rm(f"{place}-one", recursive=True)
assert not through_s3fs.exists(f"{place}-one")
