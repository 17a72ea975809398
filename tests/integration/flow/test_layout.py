"""What blobs are called at providers: a bucket may have both layouts at a time, and everything works with both."""

from __future__ import annotations

import io

import boto3.s3.transfer
import pytest

from domicile_common.stamps import blob_key
from domicile_common.testing.noise import noise

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
IN_PARTS = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


def change(domicile, bucket: str, **policy) -> None:
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", policy)


def test_a_bucket_whose_layout_changes_keeps_what_it_has_and_goes_on(domicile, s3, bucket):
    old, new = f"{bucket}-old", f"{bucket}-new"
    domicile.at("fi").create_bucket(Bucket=old)
    domicile.at("fi").put_object(Bucket=old, Key="adopted", Body=b"adopted")
    domicile.at("us").create_bucket(Bucket=new)
    bodies = {key: key.encode() for key in ("before/a", "before/b", "after/jane doe", "copied", "adopted")} | {
        "after/parts": noise(6 * MIB)
    }

    # Readable, then opaque: what is written, copied or adopted from then on.
    for key in ("before/a", "before/b", "after/jane doe"):
        s3.put_object(Bucket=bucket, Key=key, Body=bodies[key])
    domicile.idle()
    change(domicile, bucket, layout="opaque")
    assert domicile.admin("GET", f"/buckets/one/{bucket}")["layout"] == "opaque"
    s3.put_object(Bucket=bucket, Key="after/jane doe", Body=bodies["after/jane doe"])
    s3.upload_fileobj(io.BytesIO(bodies["after/parts"]), bucket, "after/parts", Config=IN_PARTS)
    s3.put_object(Bucket=bucket, Key="to be copied", Body=bodies["copied"])
    s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "to be copied"})
    s3.delete_object(Bucket=bucket, Key="to be copied")
    domicile.finished_task(domicile.begin_task("adopt", tenant="one", bucket=bucket, backend="fi", source=old))

    def copies(*readable: str) -> None:
        """Each object has both; those of the first ones are called readably at these backends, everything else is opaque."""
        domicile.idle()
        for key, body in bodies.items():
            found = domicile.verified(bucket, key)
            assert sorted(found) == ["de", "fi"]
            for backend_id, copy in found.items():
                layout = "readable" if key.startswith("before") and backend_id in readable else "opaque"
                expected = blob_key(key, copy["blob_key"].rpartition("/")[2], layout)
                assert copy["blob_key"] == ("adopted" if (key, backend_id) == ("adopted", "fi") else expected)
                assert domicile.read(copy) == body
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body

    # Copies that exist keep their names; new ones of old versions have the new layout.
    copies("fi", "de")
    change(domicile, bucket, layout="opaque", region_lock=["FI"], replica_count=1)
    domicile.idle()
    assert set(domicile.leftovers(bucket)) == {"fi"}
    change(domicile, bucket, layout="opaque")
    copies("fi")
    for backend_id in ("fi", "de"):
        scrubbed = domicile.begin_task("scrub", tenant="one", bucket=bucket, backend_id=backend_id, depth="deep")
        domicile.finished_task(scrubbed)
        assert domicile.findings(scrubbed) == {}

    # It leaves under natural names, and can be emptied.
    change(domicile, bucket, layout="readable")
    server = domicile.backends["us"]
    endpoint = {"provider": "elsewhere", "endpoint": server.endpoint, "country": "DE", "jurisdictions": ["DE"],
                "access_key": server.access_key, "secret_key": server.secret_key, "region": server.region, "quirks": server.quirks}  # fmt: skip
    exported = domicile.begin_task("export", tenant="one", bucket=bucket, to_bucket=new, endpoint=endpoint)
    assert domicile.finished_task(exported)["progress"]["verified"] == len(bodies)
    assert set(domicile.everything("us", new)) == set(bodies)
    for key in bodies:
        s3.delete_object(Bucket=bucket, Key=key)
    domicile.idle()
    assert domicile.leftovers(bucket) == {}
    s3.delete_bucket(Bucket=bucket)
