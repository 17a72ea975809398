"""What a tenant lets others do by policy, and what nobody gets by a trick."""

from __future__ import annotations

import json

import pytest

from domicile_common.testing.forms import form
from domicile_common.testing.raw_s3 import Answer, Signer, checksum
from domicile_common.testing.sharing import refused, sender

pytestmark = pytest.mark.servers

FOREVER = "2100-01-01T00:00:00Z"


def test_what_a_policy_opens_to_everybody(shared):
    shared.put("open/a")
    shared.put("shut/a")
    shared.allow("s3:GetObject", on="open/*")
    for ask in (shared.two, shared.nobody):
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
    shared.allow("s3:GetObject", "s3:ListBucket")
    for ask in (shared.two, shared.nobody):
        refused(ask("GET", "/open/nothing"), "NoSuchKey")
        assert ask("GET").texts("Key") == ["open/a", "shut/a"]
    assert shared.one("DELETE", "?policy").status == 204
    refused(shared.two("GET", "/open/a"), "NoSuchBucket")
    refused(shared.nobody("GET", "/open/a"))


def test_a_policy_for_one_tenant(shared, ids):
    shared.put()
    for principal in ({"AWS": "two"}, {"AWS": f"arn:aws:iam::{ids['two']}:root"}, {"CanonicalUser": ids["two"]}):
        shared.allow("s3:GetObject", "s3:PutObject", principal=principal)
        assert shared.two("GET", "/k").body == b"1"
        assert shared.two("PUT", "/theirs", b"2").status == 200
        refused(shared.nobody("GET", "/k"))


def test_a_policy_for_one_key_of_a_tenant(domicile, shared):
    shared.put()
    issued = domicile.admin("POST", "/credentials", {"tenant_id": "two"})
    key = Signer(issued["credential"]["access_key"], issued["secret_key"])
    shared.allow("s3:GetObject", principal={"AWS": f"arn:aws:iam::two:user/{key.access_key}"})
    assert sender(domicile.raw(), shared.name, key)("GET", "/k").body == b"1"
    refused(shared.two("GET", "/k"))


def test_a_denial_binds_the_owner_too_but_for_the_policy_itself(shared):
    shared.put()
    shared.allow("s3:*", effect="Deny")
    for method, target in (("GET", "/k"), ("PUT", "/k"), ("GET", ""), ("GET", "?acl"), ("PUT", "?cors")):
        refused(shared.one(method, target, b"2" if method == "PUT" else b""))
    assert json.loads(shared.one("GET", "?policy").body)["Statement"][0]["Effect"] == "Deny"
    assert shared.one("DELETE", "?policy").status == 204
    assert shared.one("GET", "/k").body == b"1"


def test_a_policy_belongs_to_the_owner_alone(shared):
    """Whoever may everything may not make the bucket its own by that."""
    shared.allow("s3:*")
    for ask in (shared.two, shared.nobody):
        for method in ("GET", "PUT", "DELETE"):
            answer = ask(method, "?policy", b"{}" if method == "PUT" else b"")
            assert (answer.status, answer.code) == (405, "MethodNotAllowed")


def test_what_means_nothing_to_an_operation_does_not_open_it(shared):
    shared.put("public/a")
    shared.put("private/a")
    shared.allow("s3:ListBucket", "s3:GetObject", StringLike={"s3:prefix": "public/*"})
    assert shared.two("GET", "?prefix=public/").texts("Key") == ["public/a"]
    refused(shared.two("GET", "?prefix=private/"))
    refused(shared.two("GET", "/private/a?prefix=public/"))
    shared.allow("s3:PutObject", StringLike={"s3:x-amz-copy-source": "*"})
    body, headers = form({"key": "k", "x-amz-copy-source": f"{shared.name}/public/a"}, b"what was never copied")
    refused(shared.nobody("POST", "", body, headers))


def test_conditions_on_where_a_copy_comes_from(domicile, shared):
    shared.put("public/a")
    shared.put("private/a")
    shared.set_policy(
        shared.statement("s3:GetObject", on="*"),
        shared.statement("s3:PutObject", on="*", StringLike={"s3:x-amz-copy-source": f"{shared.name}/public/*"}),
    )
    for way in (f"/{shared.name}/public/a", f"{shared.name}%2Fpublic%2Fa"):
        assert shared.two("PUT", "/copy", headers={"x-amz-copy-source": way}).status == 200
    refused(shared.two("PUT", "/copy", headers={"x-amz-copy-source": f"/{shared.name}/private/a"}))
    refused(shared.two("PUT", "/copy", b"by itself"))
    private = {"s3:x-amz-copy-source": f"{shared.name}/private/*"}
    shared.set_policy(shared.statement("s3:*"), shared.statement("s3:PutObject", on="*", effect="Deny", StringLike=private))
    assert shared.two("PUT", "/copy", headers={"x-amz-copy-source": f"/{shared.name}/public/a"}).status == 200
    for way in (f"/{shared.name}/private/a", f"{shared.name}/%70rivate/a"):
        refused(shared.two("PUT", "/copy", headers={"x-amz-copy-source": way}))


def test_conditions_on_tags(shared):
    shared.put("open", x_amz_tagging="kind=open")
    shared.put("shut", x_amz_tagging="kind=shut")
    shared.allow("s3:GetObject", on="*", StringEquals={"s3:ExistingObjectTag/kind": "open"})
    assert shared.nobody("GET", "/open").body == b"1"
    refused(shared.nobody("GET", "/shut"))
    shared.allow("s3:PutObject", "s3:PutObjectTagging", on="*", StringEquals={"s3:RequestObjectTag/kind": "open"})
    assert shared.two("PUT", "/theirs", b"1", {"x-amz-tagging": "kind=open"}).status == 200
    refused(shared.two("PUT", "/theirs", b"1", {"x-amz-tagging": "kind=shut"}))
    refused(shared.two("PUT", "/theirs", b"1"))


TAGGING = "<Tagging><TagSet><Tag><Key>kind</Key><Value>{}</Value></Tag></TagSet></Tagging>"


def test_conditions_on_tags_are_about_those_in_the_body(shared):
    shared.put()
    shared.allow("s3:PutObjectTagging", on="*", StringEquals={"s3:RequestObjectTag/kind": "open"})
    refused(shared.two("PUT", "/k?tagging", TAGGING.format("shut").encode()))
    refused(shared.two("PUT", "/k?tagging", TAGGING.format("shut").encode(), {"x-amz-tagging": "kind=open"}))
    assert shared.two("PUT", "/k?tagging", TAGGING.format("open").encode()).status == 200
    assert shared.one("GET", "/k?tagging").texts("Value") == ["open"]


def test_conditions_on_locks_are_about_those_in_the_body(make_shared):
    shared = make_shared(x_amz_bucket_object_lock_enabled="true")
    shared.put()
    hold = "<LegalHold><Status>{}</Status></LegalHold>"
    shared.allow("s3:PutObjectLegalHold", effect="Deny", on="*", StringEquals={"s3:object-lock-legal-hold": "OFF"})
    assert shared.one("PUT", "/k?legal-hold", hold.format("ON").encode()).status == 200
    refused(shared.one("PUT", "/k?legal-hold", hold.format("OFF").encode()))
    retention = f"<Retention><Mode>{{}}</Mode><RetainUntilDate>{FOREVER}</RetainUntilDate></Retention>"
    shared.allow("s3:PutObjectRetention", effect="Deny", on="*", StringEquals={"s3:object-lock-mode": "COMPLIANCE"})
    refused(shared.one("PUT", "/k?retention", retention.format("COMPLIANCE").encode()))
    assert shared.one("PUT", "/k?retention", retention.format("GOVERNANCE").encode()).status == 200


def test_locks_and_tags_of_a_write_need_leave_of_their_own(make_shared):
    shared = make_shared(x_amz_bucket_object_lock_enabled="true")
    lock = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": FOREVER}
    more = [lock, {"x-amz-object-lock-legal-hold": "ON"}, {"x-amz-tagging": "a=b"}]
    proof = {"x-amz-checksum-crc32": checksum("crc32", b"1")}
    shared.allow("s3:PutObject", on="*", principal={"AWS": "two"})
    for headers in more:
        refused(shared.two("PUT", "/k", b"1", {**headers, **proof}))
        refused(shared.two("POST", "/k?uploads", b"", headers))
    assert shared.one("GET", "?versions").texts("Key") == []
    shared.allow("s3:PutObject*", on="*", principal={"AWS": "two"})
    for headers in more[1:]:
        assert shared.two("PUT", "/k", b"1", {**headers, **proof}).status == 200


@pytest.mark.parametrize("many", [False, True])
def test_passing_over_a_retention_can_be_denied_for_single_objects(make_shared, many):
    shared = make_shared(x_amz_bucket_object_lock_enabled="true")
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": FOREVER}
    proof = {"x-amz-checksum-crc32": checksum("crc32", b"1")}
    versions = {
        key: shared.one("PUT", f"/{key}", b"1", {**lock, **proof}).headers["x-amz-version-id"] for key in ("kept", "loose")
    }
    shared.allow("s3:BypassGovernanceRetention", effect="Deny", on="kept")
    bypass = {"x-amz-bypass-governance-retention": "true"}
    if many:
        listed = "".join(
            f"<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>" for key, version in versions.items()
        )
        body = f"<Delete>{listed}</Delete>".encode()
        answer = shared.one("POST", "?delete", body, {**bypass, "x-amz-checksum-crc32": checksum("crc32", body)})
        assert answer.texts("Code") == ["AccessDenied"]
    else:
        refused(shared.one("DELETE", f"/kept?versionId={versions['kept']}", headers=bypass))
        assert shared.one("DELETE", f"/loose?versionId={versions['loose']}", headers=bypass).status == 204
    assert shared.one("GET", "?versions").texts("Key") == ["kept"]


def test_a_denial_for_one_version_holds_among_many_keys(shared):
    shared.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    kept, loose = (shared.put().headers["x-amz-version-id"] for _ in range(2))
    shared.allow("s3:DeleteObjectVersion", effect="Deny", on="*", StringEquals={"s3:VersionId": kept})
    refused(shared.one("DELETE", f"/k?versionId={kept}"))
    listed = "".join(f"<Object><Key>k</Key><VersionId>{version}</VersionId></Object>" for version in (kept, loose))
    body = f"<Delete>{listed}</Delete>".encode()
    answer = shared.one("POST", "?delete", body, {"x-amz-checksum-crc32": checksum("crc32", body)})
    assert answer.texts("Code") == ["AccessDenied"]
    assert shared.one("GET", "?versions").texts("VersionId") == [kept]


def test_a_condition_on_the_version_of_a_source_is_about_the_source(domicile, shared):
    shared.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    shown, hidden = (shared.put(body=body).headers["x-amz-version-id"] for body in (b"shown", b"hidden"))
    shared.allow("s3:GetObjectVersion", on="*", StringEquals={"s3:VersionId": shown})
    raw, mine = domicile.raw("two"), domicile.new_bucket("two")

    def copy(version: str, query: str = "") -> Answer:
        return raw.send("PUT", f"/{mine}/copy{query}", headers={"x-amz-copy-source": f"/{shared.name}/k?versionId={version}"})

    assert copy(shown).status == 200
    refused(copy(hidden))
    refused(copy(hidden, f"?versionId={shown}"), "InvalidArgument")


def test_tags_are_copied_only_by_those_who_may_read_them(domicile, shared):
    shared.put(x_amz_tagging="secret=1")
    raw, mine = domicile.raw("two"), domicile.new_bucket("two")
    copy = {"x-amz-copy-source": f"/{shared.name}/k"}
    shared.allow("s3:GetObject", on="*")
    refused(raw.send("PUT", f"/{mine}/k", headers=copy))
    assert raw.send("PUT", f"/{mine}/k", headers={**copy, "x-amz-tagging-directive": "REPLACE"}).status == 200
    shared.allow("s3:GetObject", "s3:GetObjectTagging", on="*")
    assert raw.send("PUT", f"/{mine}/k", headers=copy).status == 200
    assert raw.send("GET", f"/{mine}/k?tagging").texts("Key") == ["secret"]


def test_attributes_are_for_those_who_may_read_the_object(shared):
    shared.put()
    asked = {"x-amz-object-attributes": "ETag,ObjectSize"}
    shared.allow("s3:GetObjectAttributes", on="*")
    refused(shared.two("GET", "/k?attributes", headers=asked))
    shared.allow("s3:GetObjectAttributes", "s3:GetObject", on="*")
    assert shared.two("GET", "/k?attributes", headers=asked).texts("ObjectSize") == ["1"]


def test_a_condition_on_what_is_there_is_for_those_who_may_read_it(shared):
    """Else the ETag, which is the MD5 of the bytes, could be found out by trying."""
    etag = shared.put().headers["etag"]
    shared.allow("s3:PutObject", "s3:DeleteObject", on="*")
    for method in ("PUT", "DELETE"):
        for tag in (etag, '"0123"'):
            refused(shared.two(method, "/k", b"2" if method == "PUT" else b"", {"if-match": tag}))
    body = f"<Delete><Object><Key>k</Key><ETag>{etag}</ETag></Object></Delete>".encode()
    answer = shared.two("POST", "?delete", body, {"x-amz-checksum-crc32": checksum("crc32", body)})
    assert answer.texts("Code") == ["AccessDenied"]
    assert shared.one("GET", "/k").body == b"1"
    assert shared.two("PUT", "/k", b"2", {"if-none-match": "*"}).code == "PreconditionFailed"
    shared.allow("s3:PutObject", "s3:GetObject", on="*")
    assert shared.two("PUT", "/k", b"2", {"if-match": etag}).status == 200


def test_a_form_and_a_presigned_request_say_how_they_were_signed(domicile, shared):
    shared.allow("s3:PutObject", effect="Deny", on="*", StringNotEquals={"s3:authType": "REST-HEADER"})
    raw = domicile.raw()
    assert raw.send("PUT", f"/{shared.name}/k", b"1").status == 200
    refused(raw.presigned("PUT", f"/{shared.name}/k", b"1"))
    shared.allow("s3:PutObject", effect="Deny", on="*", StringEquals={"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert raw.send("PUT", f"/{shared.name}/k", b"1").status == 200
    refused(raw.send("PUT", f"/{shared.name}/k", b"1", payload="UNSIGNED-PAYLOAD"))
    refused(raw.presigned("PUT", f"/{shared.name}/k", b"1"))
