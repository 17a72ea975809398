"""What a tenant lets others do, by policy and by access control lists; what overrides it; and what nobody gets by a trick."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from domicile_common.testing.forms import form
from domicile_common.testing.raw_s3 import Answer, Signer, checksum

pytestmark = pytest.mark.servers

ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
FOREVER = "2100-01-01T00:00:00Z"
BLOCK = "<PublicAccessBlockConfiguration>{}</PublicAccessBlockConfiguration>"
OWNERSHIP = "<OwnershipControls><Rule><ObjectOwnership>{}</ObjectOwnership></Rule></OwnershipControls>"


@dataclass(frozen=True)
class Shared:
    """A bucket of tenant ``one``, and those who want something of it: ``one``, ``two`` and ``nobody`` send requests."""

    name: str
    one: Callable[..., Answer]
    two: Callable[..., Answer]
    nobody: Callable[..., Answer]

    def allow(self, *actions: str, principal: Any = "*", on: str = "", effect: str = "Allow", **condition: Any) -> None:
        """A policy of one statement; ``on``: resources below the bucket, both the bucket and all objects when there is none."""
        self.set_policy(self.statement(*actions, principal=principal, on=on, effect=effect, **condition))

    def statement(
        self, *actions: str, principal: Any = "*", on: str = "", effect: str = "Allow", **condition: Any
    ) -> dict[str, Any]:
        bucket = f"arn:aws:s3:::{self.name}"
        resources = f"{bucket}/{on}" if on else [bucket, f"{bucket}/*"]
        base = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resources}
        return base | ({"Condition": condition} if condition else {})

    def set_policy(self, *statements: Mapping[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
        assert self.one("PUT", "?policy", document).status == 204

    def put(self, key: str = "k", body: bytes = b"1", **headers: str) -> Answer:
        answer = self.one("PUT", f"/{key}", body, {name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status == 200, answer.body
        return answer


def sender(raw, name: str, signer: Signer | None) -> Callable[..., Answer]:
    def send(method: str, target: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        if signer is None:
            return raw.unsigned(method, f"/{name}{target}", body, headers)
        return raw.send(method, f"/{name}{target}", body, headers, signer=signer)

    return send


@pytest.fixture
def make(domicile) -> Callable[..., Shared]:
    def shared(**headers: str) -> Shared:
        name, raw = f"s-{domicile.new_bucket()}", domicile.raw()
        given = {header.replace("_", "-"): value for header, value in headers.items()}
        assert raw.send("PUT", f"/{name}", headers=given).status == 200
        two = domicile.raw("two").signer
        return Shared(name, sender(raw, name, raw.signer), sender(raw, name, two), sender(raw, name, None))

    return shared


@pytest.fixture
def bucket(make) -> Shared:
    return make()


@pytest.fixture(scope="module")
def ids(domicile) -> dict[str, str]:
    return {tenant: domicile.client(tenant).list_buckets()["Owner"]["ID"] for tenant in ("one", "two")}


def refused(answer: Answer, code: str = "AccessDenied") -> None:
    assert answer.code == code, (answer.status, answer.body)


# --- policies ---


def test_what_a_policy_opens_to_everybody(bucket):
    bucket.put("open/a")
    bucket.put("shut/a")
    bucket.allow("s3:GetObject", on="open/*")
    for ask in (bucket.two, bucket.nobody):
        assert ask("GET", "/open/a").body == b"1"
        assert ask("HEAD", "/open/a").status == 200
        for refusal in (
            ask("GET", "/shut/a"),
            ask("PUT", "/open/a", b"2"),
            ask("DELETE", "/open/a"),
            ask("GET"),
            ask("GET", "?acl"),
        ):
            refused(refusal)
        refused(ask("GET", "/open/nothing"))  # whoever may not list does not learn what is not there
    bucket.allow("s3:GetObject", "s3:ListBucket")
    for ask in (bucket.two, bucket.nobody):
        refused(ask("GET", "/open/nothing"), "NoSuchKey")
        assert ask("GET").texts("Key") == ["open/a", "shut/a"]
    assert bucket.one("DELETE", "?policy").status == 204
    refused(bucket.two("GET", "/open/a"), "NoSuchBucket")
    refused(bucket.nobody("GET", "/open/a"))


def test_a_policy_for_one_tenant(bucket, ids):
    bucket.put()
    for principal in ({"AWS": "two"}, {"AWS": f"arn:aws:iam::{ids['two']}:root"}, {"CanonicalUser": ids["two"]}):
        bucket.allow("s3:GetObject", "s3:PutObject", principal=principal)
        assert bucket.two("GET", "/k").body == b"1"
        assert bucket.two("PUT", "/theirs", b"2").status == 200
        refused(bucket.nobody("GET", "/k"))


def test_a_policy_for_one_key_of_a_tenant(domicile, bucket):
    bucket.put()
    issued = domicile.admin("POST", "/credentials", {"tenant_id": "two"})
    key = Signer(issued["credential"]["access_key"], issued["secret_key"])
    bucket.allow("s3:GetObject", principal={"AWS": f"arn:aws:iam::two:user/{key.access_key}"})
    assert sender(domicile.raw(), bucket.name, key)("GET", "/k").body == b"1"
    refused(bucket.two("GET", "/k"))


def test_a_denial_binds_the_owner_too_but_for_the_policy_itself(bucket):
    bucket.put()
    bucket.allow("s3:*", effect="Deny")
    for method, target in (("GET", "/k"), ("PUT", "/k"), ("GET", ""), ("GET", "?acl"), ("PUT", "?cors")):
        refused(bucket.one(method, target, b"2" if method == "PUT" else b""))
    assert json.loads(bucket.one("GET", "?policy").body)["Statement"][0]["Effect"] == "Deny"
    assert bucket.one("DELETE", "?policy").status == 204
    assert bucket.one("GET", "/k").body == b"1"


def test_a_policy_belongs_to_the_owner_alone(bucket):
    """Whoever may everything may not make the bucket its own by that."""
    bucket.allow("s3:*")
    for ask in (bucket.two, bucket.nobody):
        for method in ("GET", "PUT", "DELETE"):
            answer = ask(method, "?policy", b"{}" if method == "PUT" else b"")
            assert (answer.status, answer.code) == (405, "MethodNotAllowed")


def test_what_means_nothing_to_an_operation_does_not_open_it(bucket):
    bucket.put("public/a")
    bucket.put("private/a")
    bucket.allow("s3:ListBucket", "s3:GetObject", StringLike={"s3:prefix": "public/*"})
    assert bucket.two("GET", "?prefix=public/").texts("Key") == ["public/a"]
    refused(bucket.two("GET", "?prefix=private/"))
    refused(bucket.two("GET", "/private/a?prefix=public/"))
    bucket.allow("s3:PutObject", StringLike={"s3:x-amz-copy-source": "*"})
    body, headers = form({"key": "k", "x-amz-copy-source": f"{bucket.name}/public/a"}, b"what was never copied")
    refused(bucket.nobody("POST", "", body, headers))


def test_conditions_on_where_a_copy_comes_from(domicile, bucket):
    bucket.put("public/a")
    bucket.put("private/a")
    bucket.set_policy(
        bucket.statement("s3:GetObject", on="*"),
        bucket.statement("s3:PutObject", on="*", StringLike={"s3:x-amz-copy-source": f"{bucket.name}/public/*"}),
    )
    assert bucket.two("PUT", "/copy", headers={"x-amz-copy-source": f"/{bucket.name}/public/a"}).status == 200
    refused(bucket.two("PUT", "/copy", headers={"x-amz-copy-source": f"/{bucket.name}/private/a"}))
    refused(bucket.two("PUT", "/copy", b"by itself"))


def test_conditions_on_tags(bucket):
    bucket.put("open", x_amz_tagging="kind=open")
    bucket.put("shut", x_amz_tagging="kind=shut")
    bucket.allow("s3:GetObject", on="*", StringEquals={"s3:ExistingObjectTag/kind": "open"})
    assert bucket.nobody("GET", "/open").body == b"1"
    refused(bucket.nobody("GET", "/shut"))
    bucket.allow("s3:PutObject", "s3:PutObjectTagging", on="*", StringEquals={"s3:RequestObjectTag/kind": "open"})
    assert bucket.two("PUT", "/theirs", b"1", {"x-amz-tagging": "kind=open"}).status == 200
    refused(bucket.two("PUT", "/theirs", b"1", {"x-amz-tagging": "kind=shut"}))
    refused(bucket.two("PUT", "/theirs", b"1"))


TAGGING = "<Tagging><TagSet><Tag><Key>kind</Key><Value>{}</Value></Tag></TagSet></Tagging>"


def test_conditions_on_tags_are_about_those_in_the_body(bucket):
    bucket.put()
    bucket.allow("s3:PutObjectTagging", on="*", StringEquals={"s3:RequestObjectTag/kind": "open"})
    refused(bucket.two("PUT", "/k?tagging", TAGGING.format("shut").encode()))
    refused(bucket.two("PUT", "/k?tagging", TAGGING.format("shut").encode(), {"x-amz-tagging": "kind=open"}))
    assert bucket.two("PUT", "/k?tagging", TAGGING.format("open").encode()).status == 200
    assert bucket.one("GET", "/k?tagging").texts("Value") == ["open"]


def test_conditions_on_locks_are_about_those_in_the_body(make):
    bucket = make(x_amz_bucket_object_lock_enabled="true")
    bucket.put()
    hold = "<LegalHold><Status>{}</Status></LegalHold>"
    bucket.allow("s3:PutObjectLegalHold", effect="Deny", on="*", StringEquals={"s3:object-lock-legal-hold": "OFF"})
    assert bucket.one("PUT", "/k?legal-hold", hold.format("ON").encode()).status == 200
    refused(bucket.one("PUT", "/k?legal-hold", hold.format("OFF").encode()))
    retention = f"<Retention><Mode>{{}}</Mode><RetainUntilDate>{FOREVER}</RetainUntilDate></Retention>"
    bucket.allow("s3:PutObjectRetention", effect="Deny", on="*", StringEquals={"s3:object-lock-mode": "COMPLIANCE"})
    refused(bucket.one("PUT", "/k?retention", retention.format("COMPLIANCE").encode()))
    assert bucket.one("PUT", "/k?retention", retention.format("GOVERNANCE").encode()).status == 200


def test_locks_and_tags_of_a_write_need_leave_of_their_own(make):
    bucket = make(x_amz_bucket_object_lock_enabled="true")
    lock = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": FOREVER}
    more = [lock, {"x-amz-object-lock-legal-hold": "ON"}, {"x-amz-tagging": "a=b"}]
    proof = {"x-amz-checksum-crc32": checksum("crc32", b"1")}
    bucket.allow("s3:PutObject", on="*", principal={"AWS": "two"})
    for headers in more:
        refused(bucket.two("PUT", "/k", b"1", {**headers, **proof}))
        refused(bucket.two("POST", "/k?uploads", b"", headers))
    assert bucket.one("GET", "?versions").texts("Key") == []
    bucket.allow("s3:PutObject*", on="*", principal={"AWS": "two"})
    for headers in more[1:]:
        assert bucket.two("PUT", "/k", b"1", {**headers, **proof}).status == 200


@pytest.mark.parametrize("many", [False, True])
def test_passing_over_a_retention_can_be_denied_for_single_objects(make, many):
    bucket = make(x_amz_bucket_object_lock_enabled="true")
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": FOREVER}
    proof = {"x-amz-checksum-crc32": checksum("crc32", b"1")}
    versions = {
        key: bucket.one("PUT", f"/{key}", b"1", {**lock, **proof}).headers["x-amz-version-id"] for key in ("kept", "loose")
    }
    bucket.allow("s3:BypassGovernanceRetention", effect="Deny", on="kept")
    bypass = {"x-amz-bypass-governance-retention": "true"}
    if many:
        listed = "".join(
            f"<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>" for key, version in versions.items()
        )
        body = f"<Delete>{listed}</Delete>".encode()
        answer = bucket.one("POST", "?delete", body, {**bypass, "x-amz-checksum-crc32": checksum("crc32", body)})
        assert answer.texts("Code") == ["AccessDenied"]
    else:
        refused(bucket.one("DELETE", f"/kept?versionId={versions['kept']}", headers=bypass))
        assert bucket.one("DELETE", f"/loose?versionId={versions['loose']}", headers=bypass).status == 204
    assert bucket.one("GET", "?versions").texts("Key") == ["kept"]


def test_a_denial_for_one_version_holds_among_many_keys(bucket):
    bucket.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    kept, loose = (bucket.put().headers["x-amz-version-id"] for _ in range(2))
    bucket.allow("s3:DeleteObjectVersion", effect="Deny", on="*", StringEquals={"s3:VersionId": kept})
    refused(bucket.one("DELETE", f"/k?versionId={kept}"))
    listed = "".join(f"<Object><Key>k</Key><VersionId>{version}</VersionId></Object>" for version in (kept, loose))
    body = f"<Delete>{listed}</Delete>".encode()
    answer = bucket.one("POST", "?delete", body, {"x-amz-checksum-crc32": checksum("crc32", body)})
    assert answer.texts("Code") == ["AccessDenied"]
    assert bucket.one("GET", "?versions").texts("VersionId") == [kept]


def test_a_condition_on_the_version_of_a_source_is_about_the_source(domicile, bucket):
    bucket.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    shown, hidden = (bucket.put(body=body).headers["x-amz-version-id"] for body in (b"shown", b"hidden"))
    bucket.allow("s3:GetObjectVersion", on="*", StringEquals={"s3:VersionId": shown})
    raw, mine = domicile.raw("two"), domicile.new_bucket("two")

    def copy(version: str, query: str = "") -> Answer:
        return raw.send("PUT", f"/{mine}/copy{query}", headers={"x-amz-copy-source": f"/{bucket.name}/k?versionId={version}"})

    assert copy(shown).status == 200
    refused(copy(hidden))
    refused(copy(hidden, f"?versionId={shown}"), "InvalidArgument")


def test_tags_are_copied_only_by_those_who_may_read_them(domicile, bucket):
    bucket.put(x_amz_tagging="secret=1")
    raw, mine = domicile.raw("two"), domicile.new_bucket("two")
    copy = {"x-amz-copy-source": f"/{bucket.name}/k"}
    bucket.allow("s3:GetObject", on="*")
    refused(raw.send("PUT", f"/{mine}/k", headers=copy))
    assert raw.send("PUT", f"/{mine}/k", headers={**copy, "x-amz-tagging-directive": "REPLACE"}).status == 200
    bucket.allow("s3:GetObject", "s3:GetObjectTagging", on="*")
    assert raw.send("PUT", f"/{mine}/k", headers=copy).status == 200
    assert raw.send("GET", f"/{mine}/k?tagging").texts("Key") == ["secret"]


def test_attributes_are_for_those_who_may_read_the_object(bucket):
    bucket.put()
    asked = {"x-amz-object-attributes": "ETag,ObjectSize"}
    bucket.allow("s3:GetObjectAttributes", on="*")
    refused(bucket.two("GET", "/k?attributes", headers=asked))
    bucket.allow("s3:GetObjectAttributes", "s3:GetObject", on="*")
    assert bucket.two("GET", "/k?attributes", headers=asked).texts("ObjectSize") == ["1"]


def test_a_condition_on_what_is_there_is_for_those_who_may_read_it(bucket):
    """Else the ETag, which is the MD5 of the bytes, could be found out by trying."""
    etag = bucket.put().headers["etag"]
    bucket.allow("s3:PutObject", "s3:DeleteObject", on="*")
    for method in ("PUT", "DELETE"):
        for tag in (etag, '"0123"'):
            refused(bucket.two(method, "/k", b"2" if method == "PUT" else b"", {"if-match": tag}))
    body = f"<Delete><Object><Key>k</Key><ETag>{etag}</ETag></Object></Delete>".encode()
    answer = bucket.two("POST", "?delete", body, {"x-amz-checksum-crc32": checksum("crc32", body)})
    assert answer.texts("Code") == ["AccessDenied"]
    assert bucket.one("GET", "/k").body == b"1"
    assert bucket.two("PUT", "/k", b"2", {"if-none-match": "*"}).code == "PreconditionFailed"
    bucket.allow("s3:PutObject", "s3:GetObject", on="*")
    assert bucket.two("PUT", "/k", b"2", {"if-match": etag}).status == 200


def test_a_form_and_a_presigned_request_say_how_they_were_signed(domicile, bucket):
    bucket.allow("s3:PutObject", effect="Deny", on="*", StringNotEquals={"s3:authType": "REST-HEADER"})
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket.name}/k", b"1").status == 200
    refused(raw.presigned("PUT", f"/{bucket.name}/k", b"1"))
    bucket.allow("s3:PutObject", effect="Deny", on="*", StringEquals={"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert raw.send("PUT", f"/{bucket.name}/k", b"1").status == 200
    refused(raw.send("PUT", f"/{bucket.name}/k", b"1", payload="UNSIGNED-PAYLOAD"))
    refused(raw.presigned("PUT", f"/{bucket.name}/k", b"1"))


# --- access control lists and who owns what ---


def test_canned_lists_of_a_bucket(bucket):
    bucket.put()
    assert bucket.one("PUT", "?acl", headers={"x-amz-acl": "public-read"}).status == 200
    for ask in (bucket.two, bucket.nobody):
        assert ask("GET").texts("Key") == ["k"]
        refused(ask("GET", "/k"))
        refused(ask("PUT", "/other", b"2"))
        refused(ask("GET", "?acl"))
    assert bucket.one("PUT", "?acl", headers={"x-amz-acl": "authenticated-read"}).status == 200
    assert bucket.two("GET").status == 200
    refused(bucket.nobody("GET"))
    assert bucket.one("PUT", "?acl", headers={"x-amz-acl": "public-read-write"}).status == 200
    assert bucket.nobody("PUT", "/other", b"2").status == 200
    assert bucket.one("GET", "/other").body == b"2"
    refused(bucket.nobody("PUT", "?acl", headers={"x-amz-acl": "private"}))


def test_a_writable_bucket_lets_nobody_remove_versions_or_end_others_uploads(bucket):
    bucket.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    version = bucket.put().headers["x-amz-version-id"]
    [upload] = bucket.one("POST", "/k?uploads").texts("UploadId")
    bucket.one("PUT", "?acl", headers={"x-amz-acl": "public-read-write"})
    for ask in (bucket.two, bucket.nobody):
        refused(ask("DELETE", f"/k?versionId={version}"))
        refused(ask("DELETE", f"/k?uploadId={upload}"))
        refused(ask("GET", f"/k?uploadId={upload}"))
        assert ask("DELETE", "/k").status == 204
    assert bucket.one("GET", f"/k?versionId={version}").body == b"1"
    [mine] = bucket.two("POST", "/theirs?uploads").texts("UploadId")
    assert bucket.two("GET", f"/theirs?uploadId={mine}").status == 200
    assert bucket.two("DELETE", f"/theirs?uploadId={mine}").status == 204


def test_a_grant_on_one_object(bucket, ids):
    bucket.put("granted", x_amz_grant_read=f'id="{ids["two"]}"')
    bucket.put("shut")
    assert bucket.two("GET", "/granted").body == b"1"
    refused(bucket.two("GET", "/shut"))
    refused(bucket.two("GET", "/granted?acl"))
    refused(bucket.two("PUT", "/granted", b"2"))
    refused(bucket.nobody("GET", "/granted"))
    shown = bucket.one("GET", "/granted?acl")
    assert shown.texts("Permission") == ["READ"]
    assert shown.texts("ID") == [ids["one"], ids["two"]]
    assert bucket.one("PUT", "/granted?acl", headers={"x-amz-grant-read": ALL_USERS}).status == 200
    assert bucket.nobody("GET", "/granted").body == b"1"


def test_an_object_of_another_tenant_is_opened_by_its_own_list(bucket, ids):
    bucket.allow("s3:PutObject", "s3:GetObject", principal={"AWS": "two"}, on="*")
    assert bucket.two("PUT", "/theirs", b"2").status == 200
    refused(bucket.one("GET", "/theirs"))
    assert bucket.two("GET", "/theirs?acl").texts("ID")[0] == ids["two"]
    assert bucket.two("PUT", "/shown", b"2", {"x-amz-acl": "bucket-owner-read"}).status == 200
    assert bucket.one("GET", "/shown").body == b"2"
    refused(bucket.one("PUT", "/shown?acl", headers={"x-amz-acl": "private"}))
    assert bucket.one("DELETE", "/theirs").status == 204


@pytest.mark.parametrize(
    ("ownership", "acl", "owner"),
    [
        ("ObjectWriter", "bucket-owner-full-control", "two"),
        ("BucketOwnerPreferred", "bucket-owner-full-control", "one"),
        ("BucketOwnerPreferred", "private", "two"),
        ("BucketOwnerEnforced", "bucket-owner-full-control", "one"),
        ("BucketOwnerEnforced", "", "one"),
    ],
)
def test_ownership_controls(bucket, ids, ownership, acl, owner):
    assert bucket.one("PUT", "?ownershipControls", OWNERSHIP.format(ownership).encode()).status == 200
    assert bucket.one("GET", "?ownershipControls").texts("ObjectOwnership") == [ownership]
    bucket.allow("s3:PutObject", "s3:GetObjectAcl", on="*")
    assert bucket.two("PUT", "/k", b"2", {"x-amz-acl": acl} if acl else {}).status == 200
    assert (bucket.one if owner == "one" else bucket.two)("GET", "/k?acl").texts("ID")[0] == ids[owner]


def test_lists_are_off_where_the_bucket_owner_owns_all(bucket):
    bucket.put("granted", x_amz_acl="public-read")
    assert bucket.nobody("GET", "/granted").body == b"1"
    assert bucket.one("PUT", "?ownershipControls", OWNERSHIP.format("BucketOwnerEnforced").encode()).status == 200
    refused(bucket.nobody("GET", "/granted"))
    refused(bucket.one("PUT", "/k", b"1", {"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    refused(bucket.one("PUT", "?acl", headers={"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    refused(bucket.one("PUT", "/granted?acl", headers={"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    assert bucket.one("DELETE", "?ownershipControls").status == 204
    refused(bucket.one("GET", "?ownershipControls"), "OwnershipControlsNotFoundError")
    assert bucket.nobody("GET", "/granted").body == b"1"
    bucket.one("PUT", "?acl", headers={"x-amz-acl": "public-read"})
    answer = bucket.one("PUT", "?ownershipControls", OWNERSHIP.format("BucketOwnerEnforced").encode())
    refused(answer, "InvalidBucketAclWithObjectOwnership")


# --- what overrides both ---


def test_public_access_can_be_blocked_whatever_was_opened(bucket):
    bucket.put("listed", x_amz_acl="public-read")
    bucket.put("allowed")
    bucket.allow("s3:GetObject", on="allowed")
    for key in ("listed", "allowed"):
        assert bucket.nobody("GET", f"/{key}").body == b"1"
    assert bucket.one("GET", "?policyStatus").texts("IsPublic") == ["true"]
    block(bucket, "IgnorePublicAcls")
    refused(bucket.nobody("GET", "/listed"))
    assert bucket.nobody("GET", "/allowed").body == b"1"
    block(bucket, "RestrictPublicBuckets")
    refused(bucket.nobody("GET", "/allowed"))
    refused(bucket.two("GET", "/allowed"))
    assert bucket.nobody("GET", "/listed").body == b"1"
    assert bucket.one("GET", "/allowed").body == b"1"
    bucket.allow("s3:GetObject", on="allowed", principal={"AWS": "two"})
    assert bucket.two("GET", "/allowed").body == b"1"
    assert bucket.one("DELETE", "?publicAccessBlock").status == 204
    refused(bucket.one("GET", "?publicAccessBlock"), "NoSuchPublicAccessBlockConfiguration")


def block(bucket: Shared, *names: str) -> None:
    document = BLOCK.format("".join(f"<{name}>true</{name}>" for name in names))
    assert bucket.one("PUT", "?publicAccessBlock", document.encode()).status == 200


def test_public_access_can_be_blocked_before_it_is_opened(bucket):
    bucket.put()
    block(bucket, "BlockPublicAcls", "BlockPublicPolicy")
    public = {"x-amz-acl": "public-read"}
    refused(bucket.one("PUT", "?acl", headers=public))
    refused(bucket.one("PUT", "/k?acl", headers=public))
    refused(bucket.one("PUT", "/new", b"1", public))
    refused(bucket.one("POST", "/new?uploads", headers=public))
    refused(bucket.one("PUT", "/new", headers={**public, "x-amz-copy-source": f"/{bucket.name}/k"}))
    refused(bucket.one("PUT", "/new", b"1", {"x-amz-grant-read": ALL_USERS}))
    document = json.dumps({"Version": "2012-10-17", "Statement": bucket.statement("s3:GetObject", on="*")})
    refused(bucket.one("PUT", "?policy", document.encode()))
    refused(bucket.one("GET", "?policy"), "NoSuchBucketPolicy")
    assert bucket.one("GET").texts("Key") == ["k"]
    bucket.allow("s3:GetObject", on="*", principal={"AWS": "two"})


# --- what is told to whom ---


def test_headers_of_an_answer_can_be_overridden_by_those_with_a_key_only(domicile, bucket):
    """Else a link could make a web page of anybody's public object."""
    bucket.put()
    bucket.allow("s3:GetObject", on="*")
    asked = "/k?response-content-type=text/html"
    for method in ("GET", "HEAD"):
        assert bucket.nobody(method, asked).status == 400
    refused(bucket.nobody("GET", asked), "InvalidRequest")
    for answer in (bucket.two("GET", asked), domicile.raw("two").presigned("GET", f"/{bucket.name}{asked}")):
        assert answer.headers["content-type"] == "text/html"


def test_whoever_expects_another_owner_gets_nothing(bucket, ids):
    bucket.put()
    for owner, status in ((ids["one"], 200), (ids["two"], 403)):
        assert bucket.one("GET", "/k", headers={"x-amz-expected-bucket-owner": owner}).status == status


def test_one_s_own_bucket_hides_another_s_and_two_public_ones_hide_each_other(domicile, bucket):
    bucket.put()
    bucket.allow("s3:GetObject", on="*")
    assert bucket.two("GET", "/k").body == b"1"
    domicile.client("two").create_bucket(Bucket=bucket.name)
    refused(bucket.two("GET", "/k"), "NoSuchKey")
    assert bucket.nobody("GET", "/k").body == b"1"
    domicile.client("two").put_bucket_acl(Bucket=bucket.name, ACL="public-read")
    refused(bucket.nobody("GET", "/k"))
    domicile.client("two").delete_bucket(Bucket=bucket.name)
    assert bucket.nobody("GET", "/k").body == b"1"


def test_nobody_without_a_key_learns_what_there_is(bucket):
    bucket.put()
    for method, target in (("GET", "/k"), ("GET", "/nothing"), ("PUT", "/k"), ("DELETE", "/k"), ("GET", ""), ("GET", "?policy")):
        answers = [ask(method, target) for ask in (bucket.nobody, sender_of_nothing(bucket))]
        assert [(it.status, it.code, sorted(it.headers)) for it in answers] == [
            (403, "AccessDenied", sorted(answers[0].headers))
        ] * 2


def sender_of_nothing(bucket: Shared) -> Callable[..., Answer]:
    """To a bucket that nobody has."""

    def send(method: str, target: str) -> Answer:
        return bucket.nobody(method, f"-and-more{target}")

    return send
