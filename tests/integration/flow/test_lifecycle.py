"""What answers tell of lifecycle rules: of the rules themselves, of objects that expire, and of uploads that end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.servers

RULES: dict[str, Any] = {
    "Rules": [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 3}},
        {
            "ID": "open",
            "Status": "Enabled",
            "Filter": {"Prefix": "a/"},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        },
    ]
}


@pytest.fixture
def ruled(s3, bucket) -> str:
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=RULES)
    return bucket


def test_terraform_is_told_of_the_default_that_it_waits_for(s3, bucket):
    """https://github.com/hashicorp/terraform-provider-aws/issues/49019."""
    default = {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
    put = s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=RULES, **default)
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert default.items() <= put.items()
    assert default.items() <= got.items()
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=RULES, TransitionDefaultMinimumObjectSize="varies_by_storage_class"
        )


def test_whatever_makes_an_object_tells_when_it_expires(s3, ruled):
    upload = {"Bucket": ruled, "Key": "a/parts", "UploadId": s3.create_multipart_upload(Bucket=ruled, Key="a/parts")["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]}
    made = [
        s3.put_object(Bucket=ruled, Key="a/k", Body=b"1"),
        s3.copy_object(Bucket=ruled, Key="a/copy", CopySource=f"{ruled}/a/k"),
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}),
    ]
    assert all('rule-id="old"' in answer["Expiration"] for answer in made)
    assert "Expiration" not in s3.copy_object(Bucket=ruled, Key="copy", CopySource=f"{ruled}/a/k")


def test_an_upload_tells_when_it_ends(s3, ruled):
    begun = s3.create_multipart_upload(Bucket=ruled, Key="a/k")
    listed = s3.list_parts(Bucket=ruled, Key="a/k", UploadId=begun["UploadId"])
    for answer in (begun, listed):
        assert answer["AbortRuleId"] == "open"
        assert timedelta(days=1) < answer["AbortDate"] - datetime.now(UTC) <= timedelta(days=3)
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=ruled, Key="k")
