"""What a tenant lets others do by access control lists, what overrides them and policies, and what is told to whom."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from domicile_common.testing.raw_s3 import Answer
from domicile_common.testing.sharing import Shared, refused

pytestmark = pytest.mark.servers

ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
BLOCK = "<PublicAccessBlockConfiguration>{}</PublicAccessBlockConfiguration>"
OWNERSHIP = "<OwnershipControls><Rule><ObjectOwnership>{}</ObjectOwnership></Rule></OwnershipControls>"

# --- access control lists and who owns what ---


def test_canned_lists_of_a_bucket(shared):
    shared.put()
    assert shared.one("PUT", "?acl", headers={"x-amz-acl": "public-read"}).status == 200
    for ask in (shared.two, shared.nobody):
        assert ask("GET").texts("Key") == ["k"]
        refused(ask("GET", "/k"))
        refused(ask("PUT", "/other", b"2"))
        refused(ask("GET", "?acl"))
    assert shared.one("PUT", "?acl", headers={"x-amz-acl": "authenticated-read"}).status == 200
    assert shared.two("GET").status == 200
    refused(shared.nobody("GET"))
    assert shared.one("PUT", "?acl", headers={"x-amz-acl": "public-read-write"}).status == 200
    assert shared.nobody("PUT", "/other", b"2").status == 200
    assert shared.one("GET", "/other").body == b"2"
    refused(shared.nobody("PUT", "?acl", headers={"x-amz-acl": "private"}))


def test_a_list_in_headers_and_one_in_the_body_exclude_each_other(shared):
    shared.put()
    for target in ("?acl", "/k?acl"):
        document = shared.one("GET", target).body
        refused(shared.one("PUT", target, document, {"x-amz-acl": "public-read"}), "UnexpectedContent")
        assert shared.one("PUT", target, document).status == 200


def test_what_a_canned_list_gives_a_bucket_s_owner_is_ignored_for_the_bucket(make_shared):
    bucket = make_shared(x_amz_acl="bucket-owner-full-control")
    assert bucket.one("GET", "?acl").texts("Permission") == ["FULL_CONTROL"]


def test_a_writable_bucket_lets_nobody_remove_versions_or_end_others_uploads(shared):
    shared.one("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    version = shared.put().headers["x-amz-version-id"]
    [upload] = shared.one("POST", "/k?uploads").texts("UploadId")
    shared.one("PUT", "?acl", headers={"x-amz-acl": "public-read-write"})
    for ask in (shared.two, shared.nobody):
        refused(ask("DELETE", f"/k?versionId={version}"))
        refused(ask("DELETE", f"/k?uploadId={upload}"))
        refused(ask("GET", f"/k?uploadId={upload}"))
        assert ask("DELETE", "/k").status == 204
    assert shared.one("GET", f"/k?versionId={version}").body == b"1"
    [mine] = shared.two("POST", "/theirs?uploads").texts("UploadId")
    assert shared.two("GET", f"/theirs?uploadId={mine}").status == 200
    assert shared.two("DELETE", f"/theirs?uploadId={mine}").status == 204


def test_a_grant_on_one_object(shared, ids):
    shared.put("granted", x_amz_grant_read=f'id="{ids["two"]}"')
    shared.put("shut")
    assert shared.two("GET", "/granted").body == b"1"
    refused(shared.two("GET", "/shut"))
    refused(shared.two("GET", "/granted?acl"))
    refused(shared.two("PUT", "/granted", b"2"))
    refused(shared.nobody("GET", "/granted"))
    shown = shared.one("GET", "/granted?acl")
    assert shown.texts("Permission") == ["READ"]
    assert shown.texts("ID") == [ids["one"], ids["two"]]
    assert shared.one("PUT", "/granted?acl", headers={"x-amz-grant-read": ALL_USERS}).status == 200
    assert shared.nobody("GET", "/granted").body == b"1"


def test_an_object_of_another_tenant_is_opened_by_its_own_list(shared, ids):
    shared.allow("s3:PutObject", "s3:GetObject", principal={"AWS": "two"}, on="*")
    assert shared.two("PUT", "/theirs", b"2").status == 200
    refused(shared.one("GET", "/theirs"))
    assert shared.two("GET", "/theirs?acl").texts("ID")[0] == ids["two"]
    assert shared.two("PUT", "/shown", b"2", {"x-amz-acl": "bucket-owner-read"}).status == 200
    assert shared.one("GET", "/shown").body == b"2"
    refused(shared.one("PUT", "/shown?acl", headers={"x-amz-acl": "private"}))
    assert shared.one("DELETE", "/theirs").status == 204


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
def test_ownership_controls(shared, ids, ownership, acl, owner):
    assert shared.one("PUT", "?ownershipControls", OWNERSHIP.format(ownership).encode()).status == 200
    assert shared.one("GET", "?ownershipControls").texts("ObjectOwnership") == [ownership]
    shared.allow("s3:PutObject", "s3:GetObjectAcl", on="*")
    assert shared.two("PUT", "/k", b"2", {"x-amz-acl": acl} if acl else {}).status == 200
    assert (shared.one if owner == "one" else shared.two)("GET", "/k?acl").texts("ID")[0] == ids[owner]


def test_lists_are_off_where_the_bucket_owner_owns_all(shared):
    shared.put("granted", x_amz_acl="public-read")
    assert shared.nobody("GET", "/granted").body == b"1"
    assert shared.one("PUT", "?ownershipControls", OWNERSHIP.format("BucketOwnerEnforced").encode()).status == 200
    refused(shared.nobody("GET", "/granted"))
    refused(shared.one("PUT", "/k", b"1", {"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    refused(shared.one("PUT", "?acl", headers={"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    refused(shared.one("PUT", "/granted?acl", headers={"x-amz-acl": "public-read"}), "AccessControlListNotSupported")
    assert shared.one("DELETE", "?ownershipControls").status == 204
    refused(shared.one("GET", "?ownershipControls"), "OwnershipControlsNotFoundError")
    assert shared.nobody("GET", "/granted").body == b"1"
    shared.one("PUT", "?acl", headers={"x-amz-acl": "public-read"})
    answer = shared.one("PUT", "?ownershipControls", OWNERSHIP.format("BucketOwnerEnforced").encode())
    refused(answer, "InvalidBucketAclWithObjectOwnership")


# --- what overrides both ---


def test_public_access_can_be_blocked_whatever_was_opened(shared):
    shared.put("listed", x_amz_acl="public-read")
    shared.put("allowed")
    shared.allow("s3:GetObject", on="allowed")
    for key in ("listed", "allowed"):
        assert shared.nobody("GET", f"/{key}").body == b"1"
    assert shared.one("GET", "?policyStatus").texts("IsPublic") == ["true"]
    block(shared, "IgnorePublicAcls")
    refused(shared.nobody("GET", "/listed"))
    assert shared.nobody("GET", "/allowed").body == b"1"
    block(shared, "RestrictPublicBuckets")
    refused(shared.nobody("GET", "/allowed"))
    refused(shared.two("GET", "/allowed"))
    assert shared.nobody("GET", "/listed").body == b"1"
    assert shared.one("GET", "/allowed").body == b"1"
    shared.allow("s3:GetObject", on="allowed", principal={"AWS": "two"})
    assert shared.two("GET", "/allowed").body == b"1"
    assert shared.one("DELETE", "?publicAccessBlock").status == 204
    refused(shared.one("GET", "?publicAccessBlock"), "NoSuchPublicAccessBlockConfiguration")


def block(bucket: Shared, *names: str) -> None:
    document = BLOCK.format("".join(f"<{name}>true</{name}>" for name in names))
    assert bucket.one("PUT", "?publicAccessBlock", document.encode()).status == 200


def test_public_access_can_be_blocked_before_it_is_opened(shared):
    shared.put()
    block(shared, "BlockPublicAcls", "BlockPublicPolicy")
    public = {"x-amz-acl": "public-read"}
    refused(shared.one("PUT", "?acl", headers=public))
    refused(shared.one("PUT", "/k?acl", headers=public))
    refused(shared.one("PUT", "/new", b"1", public))
    refused(shared.one("POST", "/new?uploads", headers=public))
    refused(shared.one("PUT", "/new", headers={**public, "x-amz-copy-source": f"/{shared.name}/k"}))
    refused(shared.one("PUT", "/new", b"1", {"x-amz-grant-read": ALL_USERS}))
    document = json.dumps({"Version": "2012-10-17", "Statement": shared.statement("s3:GetObject", on="*")})
    refused(shared.one("PUT", "?policy", document.encode()))
    refused(shared.one("GET", "?policy"), "NoSuchBucketPolicy")
    assert shared.one("GET").texts("Key") == ["k"]
    shared.allow("s3:GetObject", on="*", principal={"AWS": "two"})


# --- what is told to whom ---


def test_headers_of_an_answer_can_be_overridden_by_those_with_a_key_only(domicile, shared):
    """Else a link could make a web page of anybody's public object."""
    shared.put()
    shared.allow("s3:GetObject", on="*")
    asked = "/k?response-content-type=text/html"
    for method in ("GET", "HEAD"):
        assert shared.nobody(method, asked).status == 400
    refused(shared.nobody("GET", asked), "InvalidRequest")
    for answer in (shared.two("GET", asked), domicile.raw("two").presigned("GET", f"/{shared.name}{asked}")):
        assert answer.headers["content-type"] == "text/html"


def test_whoever_expects_another_owner_gets_nothing(shared, ids):
    shared.put()
    for owner, status in ((ids["one"], 200), (ids["two"], 403)):
        assert shared.one("GET", "/k", headers={"x-amz-expected-bucket-owner": owner}).status == status


def test_one_s_own_bucket_hides_another_s_and_two_public_ones_hide_each_other(domicile, shared):
    shared.put()
    shared.allow("s3:GetObject", on="*")
    assert shared.two("GET", "/k").body == b"1"
    domicile.client("two").create_bucket(Bucket=shared.name)
    refused(shared.two("GET", "/k"), "NoSuchKey")
    assert shared.nobody("GET", "/k").body == b"1"
    domicile.client("two").put_bucket_acl(Bucket=shared.name, ACL="public-read")
    refused(shared.nobody("GET", "/k"))
    domicile.client("two").delete_bucket(Bucket=shared.name)
    assert shared.nobody("GET", "/k").body == b"1"


def test_nobody_without_a_key_learns_what_there_is(shared):
    shared.put()
    for method, target in (("GET", "/k"), ("GET", "/nothing"), ("PUT", "/k"), ("DELETE", "/k"), ("GET", ""), ("GET", "?policy")):
        answers = [ask(method, target) for ask in (shared.nobody, sender_of_nothing(shared))]
        assert [(it.status, it.code, sorted(it.headers)) for it in answers] == [
            (403, "AccessDenied", sorted(answers[0].headers))
        ] * 2


def sender_of_nothing(bucket: Shared) -> Callable[..., Answer]:
    """To a bucket that nobody has."""

    def send(method: str, target: str) -> Answer:
        return bucket.nobody(method, f"-and-more{target}")

    return send
