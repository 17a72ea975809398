"""A customer is forgotten: what the certificate says is what the backends show."""

from __future__ import annotations

import pytest

from domicile_client.certificates import verify
from domicile_common.testing.installation import until

pytestmark = pytest.mark.servers


def test_everything_of_a_bucket_is_gone_and_certified(domicile):
    s3, bucket = domicile.client(), domicile.new_bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="anna/cv", Body=body)
    s3.delete_object(Bucket=bucket, Key="anna/cv")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="anna/video")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="anna/video", UploadId=upload, PartNumber=1, Body=b"part")
    subject = {"tenant": "one", "bucket": bucket, "prefix": "anna/"}
    key = domicile.admin("GET", "/erasures/key")["public_key"]

    before = verify(domicile.admin("POST", "/erasures", subject), key)
    assert not before["complete"]
    assert (before["present"]["versions"], before["present"]["delete_markers"]) == (2, 1)
    assert before["present"]["unfinished_writes"] == 1

    listed = s3.list_object_versions(Bucket=bucket)
    for each in listed["Versions"] + listed["DeleteMarkers"]:
        s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    s3.abort_multipart_upload(Bucket=bucket, Key="anna/video", UploadId=upload)
    until(lambda: verify(domicile.admin("POST", "/erasures", subject), key)["complete"], what="all of it is gone")

    stated = verify(domicile.admin("POST", "/erasures", subject), key)
    assert {copy["key"] for copy in stated["removed"]} == {"anna/cv", "anna/video"}
    copies = [(copy["version_id"], copy["country"]) for copy in stated["removed"] if copy["key"] == "anna/cv"]
    assert sorted(copies) == sorted((v["VersionId"], country) for v in listed["Versions"] for country in ("DE", "FI"))
    assert all(copy["is_confirmed"] for copy in stated["removed"])
    assert domicile.leftovers(bucket) == {}
