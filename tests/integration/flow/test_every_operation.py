"""Every operation of the proxy's table and whoever may ask for it. What each gets follows from the operation's access class."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from domicile_common.access.actions import NEEDS
from domicile_common.access.engine import OWNERS_ONLY
from domicile_common.testing.forms import conditions_of, form, signed_fields
from domicile_common.testing.installation import Installation
from domicile_common.testing.raw_s3 import Answer, Signer, checksum
from domicile_proxy.s3.operation import TABLE, Access, Operation, Row

pytestmark = pytest.mark.servers

READS = frozenset({Access.READ, Access.LIST})
SERVICE = frozenset({"ListBuckets", "CreateBucket"})
_names = itertools.count()


@dataclass(frozen=True)
class Sample:
    """How an operation is asked for, beside what its row of the table says, and what its owner gets: ``""`` for a success."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""


NOTHING = Sample()
UNSERVED = Sample(answer="NotImplemented")


def xml(text: str) -> Sample:
    return Sample(text.encode())


def absent(code: str) -> Sample:
    return Sample(answer=code)


RULE = "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
EXPIRY = "<Rule><ID>r</ID><Status>Enabled</Status><Filter/><Expiration><Days>9</Days></Expiration></Rule>"
ORIGIN = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
ONE_KEY = b"<Delete><Object><Key>key</Key></Object></Delete>"
TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"

# Whoever adds an operation says here how it is asked for; without that, the first test fails.
SAMPLES: dict[str, Sample] = {
    "ListBuckets": NOTHING,
    "CreateBucket": NOTHING,
    "HeadBucket": NOTHING,
    "DeleteBucket": absent("BucketNotEmpty"),
    "ListObjects": NOTHING,
    "ListObjectsV2": NOTHING,
    "ListObjectVersions": NOTHING,
    "ListMultipartUploads": NOTHING,
    "DeleteObjects": Sample(ONE_KEY, {"x-amz-checksum-crc32": checksum("crc32", ONE_KEY)}),
    "GetBucketLocation": NOTHING,
    "GetBucketAccelerateConfiguration": NOTHING,
    "GetBucketAcl": NOTHING,
    "GetBucketCors": absent("NoSuchCORSConfiguration"),
    "GetBucketEncryption": absent("ServerSideEncryptionConfigurationNotFoundError"),
    "GetBucketLifecycleConfiguration": absent("NoSuchLifecycleConfiguration"),
    "GetBucketLogging": NOTHING,
    "GetBucketNotificationConfiguration": NOTHING,
    "GetObjectLockConfiguration": NOTHING,
    "GetBucketOwnershipControls": absent("OwnershipControlsNotFoundError"),
    "GetBucketPolicy": absent("NoSuchBucketPolicy"),
    "GetBucketPolicyStatus": NOTHING,
    "GetPublicAccessBlock": absent("NoSuchPublicAccessBlockConfiguration"),
    "GetBucketReplication": absent("ReplicationConfigurationNotFoundError"),
    "GetBucketRequestPayment": NOTHING,
    "GetBucketTagging": absent("NoSuchTagSet"),
    "GetBucketVersioning": NOTHING,
    "GetBucketWebsite": absent("NoSuchWebsiteConfiguration"),
    "PutBucketAcl": Sample(headers={"x-amz-acl": "private"}),
    "PutBucketCors": xml(f"<CORSConfiguration>{ORIGIN}</CORSConfiguration>"),
    "PutBucketLifecycleConfiguration": xml(f"<LifecycleConfiguration>{EXPIRY}</LifecycleConfiguration>"),
    "PutBucketOwnershipControls": xml(f"<OwnershipControls>{RULE}</OwnershipControls>"),
    "PutBucketPolicy": Sample(b"the stage makes one that suits its bucket"),
    "PutPublicAccessBlock": xml("<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>"),
    "PutBucketTagging": xml(TAGS),
    "PutBucketVersioning": xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    "PutObjectLockConfiguration": xml("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"),
    "PostObject": Sample(b"the stage makes one that its caller signs"),
    "DeleteBucketCors": NOTHING,
    "DeleteBucketLifecycle": NOTHING,
    "DeleteBucketOwnershipControls": NOTHING,
    "DeleteBucketPolicy": NOTHING,
    "DeleteBucketTagging": NOTHING,
    "DeletePublicAccessBlock": NOTHING,
    "GetObject": NOTHING,
    "HeadObject": NOTHING,
    "GetObjectAcl": NOTHING,
    "GetObjectPlacement": NOTHING,
    "GetObjectAttributes": Sample(headers={"x-amz-object-attributes": "ETag"}),
    "GetObjectTagging": NOTHING,
    "GetObjectLegalHold": absent("NoSuchObjectLockConfiguration"),
    "GetObjectRetention": absent("NoSuchObjectLockConfiguration"),
    "GetObjectTorrent": absent("NoSuchKey"),
    "PutObject": Sample(b"new"),
    "CopyObject": Sample(headers={"x-amz-metadata-directive": "REPLACE"}),
    "DeleteObject": NOTHING,
    "PutObjectAcl": Sample(headers={"x-amz-acl": "private"}),
    "PutObjectTagging": xml(TAGS),
    "DeleteObjectTagging": NOTHING,
    "PutObjectLegalHold": xml("<LegalHold><Status>OFF</Status></LegalHold>"),
    "PutObjectRetention": xml("<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate></Retention>"),
    "CreateMultipartUpload": NOTHING,
    "UploadPart": Sample(b"another part"),
    "UploadPartCopy": NOTHING,
    "ListParts": NOTHING,
    "CompleteMultipartUpload": xml("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>ETAG</ETag></Part></CompleteMultipartUpload>"),
    "AbortMultipartUpload": NOTHING,
    **dict.fromkeys(
        (
            "CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration", "CreateSession",
            "DeleteBucketAnalyticsConfiguration", "DeleteBucketEncryption", "DeleteBucketIntelligentTieringConfiguration",
            "DeleteBucketInventoryConfiguration", "DeleteBucketMetadataConfiguration", "DeleteBucketMetadataTableConfiguration",
            "DeleteBucketMetricsConfiguration", "DeleteBucketReplication", "DeleteBucketWebsite", "GetBucketAbac",
            "GetBucketAnalyticsConfiguration", "GetBucketIntelligentTieringConfiguration", "GetBucketInventoryConfiguration",
            "GetBucketMetadataConfiguration", "GetBucketMetadataTableConfiguration", "GetBucketMetricsConfiguration", "PutBucketAbac", "PutBucketAccelerateConfiguration", "PutBucketAnalyticsConfiguration", "PutBucketEncryption",
            "PutBucketIntelligentTieringConfiguration", "PutBucketInventoryConfiguration", "PutBucketLogging",
            "PutBucketMetricsConfiguration", "PutBucketNotificationConfiguration", "PutBucketReplication", "PutBucketRequestPayment",
            "PutBucketWebsite", "RenameObject", "RestoreObject", "SelectObjectContent", "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration", "UpdateObjectEncryption",
            "DeleteObjectAnnotation", "GetObjectAnnotation", "PutObjectAnnotation", "UpdateBucketMetadataAnnotationTableConfiguration",
        ),
        UNSERVED,
    ),
}  # fmt: skip


def test_every_operation_has_its_sample():
    assert {row.operation.name for row in TABLE} == SAMPLES.keys()
    assert {row.operation.name for row in TABLE if not row.operation.served} == {
        name for name, sample in SAMPLES.items() if sample is UNSERVED
    }


STATE = """
    WITH here AS (SELECT bucket_id FROM buckets WHERE name = 'NAME')
    SELECT 'bucket', buckets::text FROM buckets JOIN here USING (bucket_id)
     UNION ALL SELECT 'setting', bucket_settings::text FROM bucket_settings JOIN here USING (bucket_id)
     UNION ALL SELECT 'object', objects::text FROM objects JOIN here USING (bucket_id)
     UNION ALL SELECT 'version', versions::text FROM versions JOIN here USING (bucket_id)
     UNION ALL SELECT 'intent', intents::text FROM intents JOIN here USING (bucket_id)
     UNION ALL SELECT 'part', parts::text FROM parts JOIN here USING (bucket_id)
"""

# --- the stage: a bucket with an object, and with an upload that has a part ---


class Stage:
    """``bucket``: of tenant ``one``, with object lock. ``open_to``: the tenant that its policy allows everything."""

    def __init__(self, domicile: Installation, callers: Mapping[str, Signer | None], open_to: str = "") -> None:
        self.domicile = domicile
        self._callers = callers
        self._raw = domicile.raw()
        self.bucket = f"every-{next(_names)}"
        self._done("PUT", f"/{self.bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"})
        self._done("PUT", f"/{self.bucket}/key", b"bytes")
        [self._upload] = self._done("POST", f"/{self.bucket}/key?uploads").texts("UploadId")
        part = self._done("PUT", f"/{self.bucket}/key?partNumber=1&uploadId={self._upload}", b"a part")
        self._etag = part.headers["etag"]
        if open_to:
            self._done("PUT", f"/{self.bucket}?policy", self._policy(open_to))

    def _done(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        answer = self._raw.send(method, target, body, headers)
        assert answer.status < 300, answer.body
        return answer

    def _policy(self, tenant: str) -> bytes:
        resources = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        statement = {"Effect": "Allow", "Principal": {"AWS": tenant}, "Action": "s3:*", "Resource": resources}
        return json.dumps({"Version": "2012-10-17", "Statement": statement}).encode()

    def ask(self, row: Row, who: str) -> Answer:
        operation, signer = row.operation, self._callers[who]
        sample = SAMPLES[operation.name]
        headers = {**sample.headers, **({"x-amz-copy-source": f"/{self.bucket}/key"} if row.copies else {})}
        body = sample.body.replace(b"ETAG", self._etag.encode())
        if operation.name == "PutBucketPolicy":
            body = self._policy("two")
        if operation.name == "PostObject":
            body, headers = self._form(signer)
            return self._raw.unsigned(row.method, self._target(row), body, headers)
        if signer is None:
            return self._raw.unsigned(row.method, self._target(row), body, headers)
        return self._raw.send(row.method, self._target(row), body, headers, signer=signer)

    def _target(self, row: Row) -> str:
        new = f"new-{next(_names)}"
        values = {"uploadId": self._upload, "partNumber": "1", "list-type": "2", "select-type": "2", "bucket": new}
        query = "&".join(f"{marker}={values.get(marker, '')}" for marker in sorted(row.markers))
        bucket = new if row.operation.name == "CreateBucket" else self.bucket
        path = {"service": "/", "bucket": f"/{bucket}", "object": f"/{bucket}/key"}[row.operation.level]
        return f"{path}?{query}" if query else path

    def _form(self, signer: Signer | None) -> tuple[bytes, dict[str, str]]:
        fields = {"key": "key"}
        return form(signed_fields(signer, conditions_of(self.bucket, fields), fields) if signer else fields, b"posted")

    def state(self) -> list[tuple[Any, ...]]:
        """All that the record says of the bucket."""
        return sorted(self.domicile.sql(STATE.replace("NAME", self.bucket)))


@pytest.fixture(scope="module")
def callers(domicile) -> dict[str, Signer | None]:
    def key(tenant: str, access: str) -> Signer:
        issued = domicile.admin("POST", "/credentials", {"tenant_id": tenant, "access": access})
        return Signer(issued["credential"]["access_key"], issued["secret_key"])

    return {
        "owner": key("one", "full"),
        "reader": key("one", "read"),
        "other": key("two", "full"),
        "other reader": key("two", "read"),
        "anonymous": None,
    }


@pytest.fixture(scope="module")
def stages(domicile, callers) -> Callable[..., Stage]:
    """Makes stages; whoever changes nothing may share one."""
    shared: dict[str, Stage] = {}

    def stage(operation: Operation, open_to: str = "") -> Stage:
        if operation.served and operation.access not in READS:
            return Stage(domicile, callers, open_to)
        if open_to not in shared:
            shared[open_to] = Stage(domicile, callers, open_to)
        return shared[open_to]

    return stage


# --- what each of them gets ---


def outcome(answer: Answer) -> str:
    """The error's code; HEAD has none, and is told by its status."""
    if answer.status < 300:
        return ""
    return answer.code or {403: "AccessDenied", 404: "NoSuchBucket"}.get(answer.status, str(answer.status))


def expected(operation: Operation, who: str) -> str:
    done = SAMPLES[operation.name].answer
    if who == "anonymous":
        return "AccessDenied"
    if who.endswith("reader") and operation.access not in READS:
        return "AccessDenied"
    if who.startswith("other") and operation.name not in SERVICE:
        return "NoSuchBucket"
    return done


def expected_of_guest(operation: Operation, who: str) -> str:
    """Of somebody whom the bucket's policy allows everything."""
    need = NEEDS.get(operation.name)
    if (who.endswith("reader") and operation.access not in READS) or who == "anonymous":
        return "AccessDenied"
    if operation.name in SERVICE:
        return ""
    if need is None:
        return "AccessDenied"
    return "MethodNotAllowed" if need.action in OWNERS_ONLY else SAMPLES[operation.name].answer


def form_of(row: Row) -> str:
    return " ".join((row.method, row.operation.name, *sorted(row.markers)))


@pytest.mark.parametrize("row", TABLE, ids=form_of)
def test_who_may_do_what(stages, row):
    stage = stages(row.operation)
    before = stage.state()
    refused = [who for who in ("anonymous", "other", "other reader", "reader") if expected(row.operation, who)]
    answers = {who: outcome(stage.ask(row, who)) for who in refused}
    assert stage.state() == before
    answers |= {who: outcome(stage.ask(row, who)) for who in ("reader", "other", "other reader", "owner") if who not in answers}
    assert answers == {who: expected(row.operation, who) for who in answers}


@pytest.mark.parametrize("row", [row for row in TABLE if row.operation.name not in SERVICE], ids=form_of)
def test_who_may_do_what_where_a_policy_lets_a_tenant_in(stages, row):
    stage = stages(row.operation, open_to="two")
    before = stage.state()
    answers = {who: outcome(stage.ask(row, who)) for who in ("anonymous", "other reader")}
    assert stage.state() == before
    answers["other"] = outcome(stage.ask(row, "other"))
    assert answers == {who: expected_of_guest(row.operation, who) for who in answers}


def test_nothing_of_all_that_was_an_error_of_ours(domicile, stages):
    errors = [line for line in domicile.logs()["proxy"].splitlines() if json.loads(line)["level"] in {"error", "critical"}]
    assert errors == []
