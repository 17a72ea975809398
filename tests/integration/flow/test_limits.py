"""Quotas and rates of a tenant, as its clients meet them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from domicile_common.testing.installation import until

pytestmark = pytest.mark.servers

MOMENT = 5.0  # seconds; far below CACHE_SECONDS
PART = 5 << 20


@pytest.fixture
def limits(domicile):
    """Sets those of the tenant ``two``, which are lifted afterwards."""

    def put(**wanted):
        return domicile.admin("PUT", "/tenants/two/limits", wanted)

    yield put
    put()
    until(lambda: domicile.raw("two").send("GET", "/").status == 200, MOMENT, "the end of the limits")


def used(domicile):
    return domicile.admin("GET", "/tenants/two/limits")["usage"]


def refused(act, **asked):
    with pytest.raises(ClientError) as caught:
        act(**asked)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def test_a_quota_is_kept_and_what_was_removed_makes_room(domicile, limits):
    bucket, s3 = domicile.new_bucket("two"), domicile.client("two")
    before = used(domicile)
    s3.put_object(Bucket=bucket, Key="a", Body=b"a" * 600)
    assert used(domicile)["bytes"] == before["bytes"] + 600
    limits(bytes=before["bytes"] + 1000)
    assert refused(s3.put_object, Bucket=bucket, Key="b", Body=b"b" * 500) == (403, "QuotaExceeded")
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/a") == (403, "QuotaExceeded")
    s3.put_object(Bucket=bucket, Key="a", Body=b"a" * 900)
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_object(Bucket=bucket, Key="b", Body=b"b" * 500)
    assert used(domicile)["bytes"] == before["bytes"] + 500
    limits(bytes=before["bytes"] + 500 + PART)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = {"Bucket": bucket, "Key": "m", "UploadId": upload, "Body": b"m" * PART}
    etag = s3.upload_part(PartNumber=1, **part)["ETag"]
    assert refused(s3.upload_part, PartNumber=2, **part) == (403, "QuotaExceeded")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    assert used(domicile)["bytes"] == before["bytes"] + 500 + PART


def test_so_many_buckets_and_no_more(domicile, limits):
    limits(buckets=used(domicile)["buckets"])
    assert refused(domicile.client("two").create_bucket, Bucket="one-too-many") == (400, "TooManyBuckets")


def test_rates_take_effect_at_once_and_bind_nobody_else(domicile, limits):
    raw = domicile.raw("two")
    assert raw.send("GET", "/").status == 200
    limits(requests_per_second=0.1)
    answer = until(lambda: (it := raw.send("GET", "/")).code == "SlowDown" and it, MOMENT, "the limit")
    assert (answer.status, 1 <= int(answer.headers["retry-after"]) <= 10) == (503, True)
    assert domicile.raw("one").send("GET", "/").status == 200
