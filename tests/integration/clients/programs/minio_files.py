"""minio-py, as its users write it: a folder goes up, is listed, tagged, copied and shared, comes back, and is removed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.deleteobjects import DeleteObject

bucket, folder, back = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
client = Minio(
    endpoint=urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=False,
)
assert client.bucket_exists(bucket_name=bucket)
assert not client.bucket_exists(bucket_name=f"{bucket}-not")
names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
for name in names:
    client.fput_object(bucket_name=bucket, object_name=name, file_path=str(folder / name), metadata={"Owner": "minio"})
assert sorted(each.object_name for each in client.list_objects(bucket_name=bucket, recursive=True)) == names
for name in names:
    assert client.stat_object(bucket_name=bucket, object_name=name).metadata["x-amz-meta-owner"] == "minio"
    client.fget_object(bucket_name=bucket, object_name=name, file_path=str(back / name))
first = names[0]
tags = Tags.new_object_tags()
tags["kind"] = "example"
client.set_object_tags(bucket_name=bucket, object_name=first, tags=tags)
assert client.get_object_tags(bucket_name=bucket, object_name=first) == {"kind": "example"}
client.copy_object(bucket_name=bucket, object_name="copies/of first", source=CopySource(bucket_name=bucket, object_name=first))
shared = client.presigned_get_object(bucket_name=bucket, object_name="copies/of first")
assert urllib3.request("GET", shared).data == (folder / first).read_bytes()
doomed = [DeleteObject(name=name) for name in [*names, "copies/of first"]]
assert list(client.remove_objects(bucket_name=bucket, delete_object_list=doomed)) == []
assert list(client.list_objects(bucket_name=bucket, recursive=True)) == []
