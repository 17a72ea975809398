"""Who is let in, and who is not."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domicile_common.access import acl as lists
from domicile_common.access.actions import NEEDS
from domicile_common.access.documents import Caller
from domicile_common.access.engine import Ask, Target, allows, denies, is_public, may_know_of, needs_target
from domicile_common.bucket_settings import Acl, BucketSettings, Grant, PublicAccessBlock
from domicile_common.errors import RequestError
from domicile_common.model import Bucket, EffectivePolicy, Tenant

MAIN, ALT = Tenant("main", "Main", "a" * 64), Tenant("alt", "Alt", "b" * 64)
OWNER = Caller("main", "a" * 64, "AK")
OTHER = Caller("alt", "b" * 64, "BK")
NOBODY = Caller()
CALLERS = {"owner": OWNER, "other": OTHER, "nobody": NOBODY}


def bucket(**settings: Any) -> Bucket:
    policy = EffectivePolicy(replica_count=1, write_quorum=1, version=1)
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Bucket("b" * 32, "main", "bucket", made, "", policy, {}, owner=MAIN, settings=BucketSettings(**settings))


def ask(operation: str, key: str = "key", **facts: str) -> Ask:
    need = NEEDS[operation]
    return Ask(need, key, facts={name: (value,) for name, value in facts.items()})


def policy(effect: str = "Allow", action: str = "*", principal: Any = "*", **more: Any) -> str:
    return json.dumps({"Statement": {"Effect": effect, "Action": action, "Principal": principal, "Resource": "*"} | more})


def let_in(what: Bucket, operation: str, target: Target | None = None) -> set[str]:
    about = ask(operation, "key" if "Object" in operation else "")
    return {name for name, caller in CALLERS.items() if allows(caller, what, about, target)}


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_only_the_owner_may_anything_at_first(operation):
    assert let_in(bucket(), operation, Target()) == {"owner"}


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_a_policy_opens_and_shuts(operation):
    assert let_in(bucket(policy=policy()), operation, Target()) == {"owner", "other", "nobody"}
    assert let_in(bucket(policy=policy(principal={"AWS": "alt"})), operation, Target()) == {"owner", "other"}
    everybody_out = let_in(bucket(policy=policy("Deny"), acl=lists.canned("public-read-write", MAIN)), operation, Target())
    assert everybody_out == ({"owner"} if operation in {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"} else set())


BUCKET_LISTS = [
    ("private", "ListObjects", {"owner"}),
    ("public-read", "ListObjects", {"owner", "other", "nobody"}),
    ("public-read", "PutObject", {"owner"}),
    ("public-read", "GetObject", {"owner"}),
    ("public-read", "GetBucketAcl", {"owner"}),
    ("public-read-write", "PutObject", {"owner", "other", "nobody"}),
    ("public-read-write", "DeleteObject", {"owner", "other", "nobody"}),
    ("public-read-write", "PutBucketAcl", {"owner"}),
    ("public-read-write", "DeleteBucket", {"owner"}),
    ("authenticated-read", "ListObjects", {"owner", "other"}),
]


@pytest.mark.parametrize(("name", "operation", "outcome"), BUCKET_LISTS)
def test_canned_lists_of_buckets(name, operation, outcome):
    acl = lists.canned(name, MAIN)
    assert let_in(bucket(acl=acl), operation, Target()) == outcome
    assert let_in(bucket(acl=acl, ownership="BucketOwnerEnforced"), operation, Target()) == {"owner"}
    assert let_in(bucket(acl=acl, public_access_block=PublicAccessBlock(ignore_public_acls=True)), operation, Target()) == {
        "owner"
    }


OBJECT_LISTS = [
    ("private", MAIN, "GetObject", {"owner"}),
    ("public-read", MAIN, "GetObject", {"owner", "other", "nobody"}),
    ("public-read", MAIN, "GetObjectAcl", {"owner"}),
    ("authenticated-read", MAIN, "HeadObject", {"owner", "other"}),
    ("private", ALT, "GetObject", {"other"}),
    ("private", ALT, "GetObjectAcl", {"other"}),
    ("private", ALT, "PutObjectAcl", {"other"}),
    ("private", ALT, "DeleteObject", {"owner"}),
    ("bucket-owner-read", ALT, "GetObject", {"owner", "other"}),
    ("bucket-owner-read", ALT, "PutObjectAcl", {"other"}),
    ("bucket-owner-full-control", ALT, "PutObjectAcl", {"owner", "other"}),
    ("public-read", ALT, "GetObject", {"owner", "other", "nobody"}),
]


@pytest.mark.parametrize(("name", "writer", "operation", "outcome"), OBJECT_LISTS)
def test_canned_lists_of_objects(name, writer, operation, outcome):
    acl = lists.canned(name, writer, MAIN)
    assert let_in(bucket(mixed=True), operation, Target(acl)) == outcome
    assert let_in(bucket(mixed=True, ownership="BucketOwnerEnforced"), operation, Target(acl)) == {"owner"}


def test_a_policy_opens_only_the_bucket_owners_objects():
    theirs = Target(lists.canned("private", ALT, MAIN))
    assert let_in(bucket(policy=policy(), mixed=True), "GetObject", theirs) == {"other"}
    assert let_in(bucket(policy=policy("Deny"), mixed=True), "GetObject", theirs) == set()


def test_who_owns_an_object_may_always_mend_its_list():
    bare = Target(Acl(ALT.canonical_id, ALT.name))
    assert let_in(bucket(mixed=True), "PutObjectAcl", bare) == {"other"}
    assert let_in(bucket(mixed=True), "GetObject", bare) == set()


@pytest.mark.parametrize(
    ("permission", "operations"),
    [
        ("READ", {"ListObjects"}),
        ("WRITE", {"PutObject"}),
        ("READ_ACP", {"GetBucketAcl"}),
        ("WRITE_ACP", {"PutBucketAcl"}),
        ("FULL_CONTROL", {"ListObjects", "PutObject", "GetBucketAcl", "PutBucketAcl"}),
    ],
)
def test_explicit_grants(permission, operations):
    what = bucket(acl=Acl(MAIN.canonical_id, MAIN.name, (Grant(permission, ALT.canonical_id, ALT.name),)))
    tried = ("ListObjects", "PutObject", "GetBucketAcl", "PutBucketAcl", "DeleteBucket", "GetBucketPolicy")
    assert {operation for operation in tried if "other" in let_in(what, operation)} == operations
    assert all("nobody" not in let_in(what, operation) for operation in tried)


def test_public_buckets_can_be_restricted_to_their_owner():
    block = PublicAccessBlock(restrict_public_buckets=True)
    assert let_in(bucket(policy=policy(), public_access_block=block), "GetObject", Target()) == {"owner"}
    named = bucket(policy=policy(principal={"AWS": "alt"}), public_access_block=block)
    assert let_in(named, "GetObject", Target()) == {"owner", "other"}


def test_tags_of_the_object_count():
    condition = {"StringEquals": {"s3:ExistingObjectTag/kind": "open"}}
    what = bucket(policy=policy(action="s3:GetObject", Condition=condition))
    assert let_in(what, "GetObject", Target(tags={"kind": "open"})) == {"owner", "other", "nobody"}
    assert let_in(what, "GetObject", Target(tags={"kind": "shut"})) == {"owner"}
    assert needs_target(OWNER, what, ask("GetObject"))


def test_the_object_is_looked_at_only_where_it_counts():
    plain, get, put = bucket(), ask("GetObject"), ask("PutObject")
    assert not needs_target(OWNER, plain, get)
    assert not needs_target(OWNER, bucket(policy=policy()), get)
    assert needs_target(OTHER, plain, get)
    assert needs_target(NOBODY, plain, get)
    assert needs_target(OWNER, bucket(mixed=True), get)
    assert not needs_target(OTHER, plain, put)


def test_naming_a_version_is_an_action_of_its_own():
    what = bucket(policy=policy(action="s3:GetObject"))
    assert allows(OTHER, what, Ask(NEEDS["GetObject"], "key"), Target())
    assert not allows(OTHER, what, Ask(NEEDS["GetObject"], "key", version="v"), Target())


def test_a_list_lets_nobody_remove_a_version_for_good():
    what = bucket(acl=lists.canned("public-read-write", MAIN))
    assert allows(OTHER, what, Ask(NEEDS["DeleteObject"], "key"))
    assert not allows(OTHER, what, Ask(NEEDS["DeleteObject"], "key", version="v"))
    assert allows(OWNER, what, Ask(NEEDS["DeleteObject"], "key", version="v"))


def test_a_condition_on_the_version_is_about_the_one_that_is_named():
    shown = bucket(policy=policy(action="s3:GetObjectVersion", Condition={"StringEquals": {"s3:VersionId": "open"}}))
    get = NEEDS["GetObject"]
    assert allows(OTHER, shown, Ask(get, "key", version="open"), Target())
    assert not allows(OTHER, shown, Ask(get, "key", version="shut", facts={"s3:versionid": ("open",)}), Target())


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListMultipartUploads"])
def test_what_means_nothing_to_an_operation_opens_nothing(operation):
    """Else ``?prefix=public/`` would open any object to those who may only list ``public/``."""
    what = bucket(policy=policy(Condition={"StringLike": {"s3:prefix": "public/*"}}))
    assert allows(OTHER, what, ask("ListObjects", "", **{"s3:prefix": "public/a"}))
    assert not allows(OTHER, what, ask(operation, **{"s3:prefix": "public/a"}), Target())


def test_attributes_of_an_object_are_for_those_who_may_read_it():
    both = bucket(policy=policy(action=["s3:GetObject", "s3:GetObjectAttributes"]))
    assert let_in(both, "GetObjectAttributes", Target()) == {"owner", "other", "nobody"}
    for action in ("s3:GetObject", "s3:GetObjectAttributes"):
        assert let_in(bucket(policy=policy(action=action)), "GetObjectAttributes", Target()) == {"owner"}
    shut = json.loads(policy("Deny", "s3:GetObject"))["Statement"]
    mixed = json.dumps({"Statement": [json.loads(policy())["Statement"], shut]})
    assert let_in(bucket(policy=mixed), "GetObjectAttributes", Target()) == set()


def test_a_denial_can_be_asked_for_alone():
    what = bucket(policy=policy("Deny", "s3:PutObjectAcl"))
    assert denies(OTHER, what, ask("PutObjectAcl"))
    assert not denies(OTHER, what, ask("PutObject"))


# --- who may know of a bucket ---


def knowing(what: Bucket) -> set[str]:
    return {name for name, caller in CALLERS.items() if may_know_of(caller, what)} - {"owner"}


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({}, set()),
        ({"acl": lists.canned("private", MAIN)}, set()),
        ({"acl": lists.canned("public-read", MAIN)}, {"other", "nobody"}),
        ({"acl": lists.canned("authenticated-read", MAIN)}, {"other"}),
        ({"acl": Acl("a" * 64, "", (Grant("READ_ACP", "b" * 64),))}, {"other"}),
        ({"acl": Acl("a" * 64, "", (Grant("READ", "c" * 64),))}, set()),
        ({"acl": lists.canned("public-read", MAIN), "ownership": "BucketOwnerEnforced"}, set()),
        ({"acl": lists.canned("public-read", MAIN), "public_access_block": PublicAccessBlock(ignore_public_acls=True)}, set()),
        ({"policy": policy()}, {"other", "nobody"}),
        ({"policy": policy("Deny")}, set()),
        ({"policy": policy(principal={"AWS": "alt"})}, {"other"}),
        ({"policy": policy(principal={"AWS": "arn:aws:iam::alt:user/ONE-OF-ITS-KEYS"})}, {"other"}),
        ({"policy": policy(), "public_access_block": PublicAccessBlock(restrict_public_buckets=True)}, set()),
        ({"object_grantees": ("AllUsers",)}, {"other", "nobody"}),
        ({"object_grantees": ("b" * 64,)}, {"other"}),
        ({"object_grantees": ("c" * 64,), "mixed": True}, set()),
    ],
)
def test_who_may_know_of_a_bucket(settings, outcome):
    assert knowing(bucket(**settings)) == outcome


def test_public_status():
    assert not is_public(bucket())
    assert is_public(bucket(policy=policy()))
    assert is_public(bucket(acl=lists.canned("authenticated-read", MAIN)))
    assert not is_public(
        bucket(acl=lists.canned("public-read", MAIN), public_access_block=PublicAccessBlock(ignore_public_acls=True))
    )


def test_no_such_canned_list():
    with pytest.raises(RequestError) as caught:
        lists.canned("public-ready", MAIN, MAIN)
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize("name", ["bucket-owner-read", "bucket-owner-full-control"])
def test_a_bucket_is_its_owners_anyhow(name: str):
    assert lists.canned(name, MAIN) == lists.private(MAIN)


# --- what must hold whatever is set ---

PRINCIPALS = st.sampled_from(["*", {"AWS": "alt"}, {"AWS": "main"}, {"CanonicalUser": "c" * 64}])
STATEMENTS = st.builds(
    lambda effect, action, principal: {"Effect": effect, "Action": action, "Principal": principal, "Resource": "*"},
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", "s3:Get*", "s3:PutObject", "s3:ListBucket"]),
    PRINCIPALS,
)
POLICIES = st.just("") | st.lists(STATEMENTS, min_size=1, max_size=3).map(lambda some: json.dumps({"Statement": some}))
GRANTS = st.builds(
    Grant,
    st.sampled_from(["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"]),
    st.sampled_from(["a" * 64, "b" * 64, "c" * 64]),
) | st.builds(
    Grant, st.sampled_from(["READ", "WRITE", "FULL_CONTROL"]), group=st.sampled_from(["AllUsers", "AuthenticatedUsers"])
)
LISTS = st.builds(Acl, st.sampled_from(["a" * 64, "b" * 64]), st.just(""), st.lists(GRANTS, max_size=3).map(tuple))
BLOCKS = st.none() | st.builds(PublicAccessBlock, st.booleans(), st.booleans(), st.booleans(), st.booleans())
BUCKETS = st.builds(
    bucket,
    policy=POLICIES,
    acl=st.none() | LISTS.filter(lambda acl: acl.owner_id == "a" * 64),
    public_access_block=BLOCKS,
    ownership=st.sampled_from([None, "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]),
    mixed=st.booleans(),
)
TARGETS = st.builds(Target, st.none() | LISTS)
OPERATIONS = st.sampled_from(sorted(NEEDS))


@given(BUCKETS, OPERATIONS, TARGETS)
def test_whoever_is_let_in_knows_of_the_bucket(what, operation, target):
    granted = {grant.grantee for grant in target.acl.grants} | {target.acl.owner_id} if target.acl else set()
    noted = replace(what, settings=replace(what.settings, object_grantees=tuple(granted)))
    for caller in (OTHER, NOBODY):
        if allows(caller, noted, ask(operation), target):
            assert may_know_of(caller, noted)


@given(BUCKETS, OPERATIONS, TARGETS)
def test_a_denial_always_wins(what, operation, target):
    shut = bucket(policy=policy("Deny"), acl=what.settings.acl, ownership=what.settings.ownership)
    assert {*let_in(shut, operation, target)} <= ({"owner"} if "BucketPolicy" in operation else set())


@given(BUCKETS, OPERATIONS, TARGETS)
def test_somebody_without_a_key_may_no_more_than_one_with(what, operation, target):
    named = json.loads(what.settings.policy)["Statement"] if what.settings.policy else []
    if all(one["Effect"] == "Allow" or one["Principal"] == "*" for one in named) and "nobody" in let_in(what, operation, target):
        assert "other" in let_in(what, operation, target)


@given(BUCKETS, OPERATIONS, TARGETS)
def test_a_fully_blocked_bucket_is_closed_to_the_public(what, operation, target):
    settings = {name: getattr(what.settings, name) for name in ("policy", "acl", "ownership", "mixed")}
    blocked = bucket(
        **settings,
        public_access_block=PublicAccessBlock(
            block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
        ),
    )
    assert "nobody" not in let_in(blocked, operation, target)


def test_every_operation_that_needs_an_object_says_so():
    for (name, need), version in itertools.product(NEEDS.items(), (None, "v")):
        assert Ask(need, "key", version=version).action.startswith("s3:"), name
        assert (need.about == "object") <= ("Object" in name)
