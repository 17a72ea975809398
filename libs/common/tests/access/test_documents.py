"""Policy documents: what is accepted, and what it means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.access.actions import ACTIONS
from domicile_common.access.conditions import KEYS, OPERATORS
from domicile_common.access.documents import Caller, parse, read
from domicile_common.errors import RequestError

ANYBODY = Caller()
ALT = Caller("alt", "b" * 64, "AK")
OTHER = Caller("other", "c" * 64, "AK2")


def statement(**changes: Any) -> dict[str, Any]:
    fields = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"} | changes
    return {name: value for name, value in fields.items() if value is not None}


def policy(*statements: dict[str, Any], **top: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | top)


def effect(text: str, caller: Caller = ALT, action: str = "s3:GetObject", resource: str = "bucket/key", **facts: Any) -> Any:
    known = {name.replace("__", ":"): (value,) if isinstance(value, str) else value for name, value in facts.items()}
    return parse(text, "bucket").effect(caller, action, resource, known)


def refusal(text: str) -> str:
    with pytest.raises(RequestError) as caught:
        parse(text, "bucket")
    return caught.value.code


def test_nothing_applies_without_a_statement():
    assert read("").effect(ALT, "s3:GetObject", "bucket/key", {}) is None


@pytest.mark.parametrize(
    ("principal", "included"),
    [
        ("*", {"", "alt", "other"}),
        ({"AWS": "*"}, {"", "alt", "other"}),
        ({"AWS": ["alt"]}, {"alt"}),
        ({"AWS": "arn:aws:iam::alt:root"}, {"alt"}),
        ({"AWS": f"arn:aws:iam::{'b' * 64}:root"}, {"alt"}),
        ({"CanonicalUser": "c" * 64}, {"other"}),
        ({"AWS": "arn:aws:iam::alt:user/AK", "CanonicalUser": "c" * 64}, {"alt", "other"}),
        ({"AWS": "arn:aws:iam::alt:user/ANOTHER"}, set()),
    ],
)
def test_principals(principal, included):
    text = policy(statement(Principal=principal))
    assert {caller.tenant_id for caller in (ANYBODY, ALT, OTHER) if effect(text, caller) == "Allow"} == included


def test_all_but_a_principal_may_be_denied_only():
    denied = policy(statement(Effect="Deny", Principal=None, NotPrincipal={"AWS": "alt"}))
    assert effect(denied, ALT) is None
    assert effect(denied, OTHER) == "Deny"
    assert effect(denied, ANYBODY) == "Deny"
    assert refusal(policy(statement(Principal=None, NotPrincipal={"AWS": "alt"}))) == "MalformedPolicy"


@pytest.mark.parametrize(
    ("patterns", "action", "outcome"),
    [
        ("*", "s3:GetObject", "Allow"),
        ("s3:*", "s3:GetObject", "Allow"),
        ("S3:getobject", "s3:GetObject", "Allow"),
        (["s3:Put*", "s3:Get*"], "s3:GetObject", "Allow"),
        ("s3:GetObject?cl", "s3:GetObject", None),
        ("s3:GetObject", "s3:GetObjectVersion", None),
    ],
)
def test_actions(patterns, action, outcome):
    assert effect(policy(statement(Action=patterns)), action=action) == outcome


def test_opposites():
    text = policy(statement(Action=None, NotAction="s3:Put*", Resource=None, NotResource="arn:aws:s3:::bucket/private/*"))
    assert effect(text) == "Allow"
    assert effect(text, action="s3:PutObject") is None
    assert effect(text, resource="bucket/private/key") is None


@pytest.mark.parametrize(
    ("patterns", "resource", "outcome"),
    [
        ("*", "bucket", "Allow"),
        ("arn:aws:s3:::bucket", "bucket", "Allow"),
        ("arn:aws:s3:::bucket", "bucket/key", None),
        ("arn:aws:s3:::bucket/*", "bucket", None),
        ("arn:aws:s3:::*", "bucket/key", "Allow"),
        ("arn:aws:s3:::bu*/a?c", "bucket/abc", "Allow"),
        ("arn:aws:s3:::bucket/KEY", "bucket/key", None),
    ],
)
def test_resources(patterns, resource, outcome):
    assert effect(policy(statement(Action="s3:*", Resource=patterns)), resource=resource) == outcome


def test_a_denial_wins_in_any_order():
    allow, deny = statement(), statement(Effect="Deny", Principal={"AWS": "alt"})
    for order in ((allow, deny), (deny, allow)):
        assert effect(policy(*order), ALT) == "Deny"
        assert effect(policy(*order), OTHER) == "Allow"


CONDITIONS = [
    ({"StringEquals": {"s3:prefix": "a"}}, {"s3__prefix": "a"}, True),
    ({"StringEquals": {"s3:prefix": ["b", "a"]}}, {"s3__prefix": "a"}, True),
    ({"StringEquals": {"S3:PREFIX": "a"}}, {"s3__prefix": "A"}, False),
    ({"StringEqualsIgnoreCase": {"s3:prefix": "a"}}, {"s3__prefix": "A"}, True),
    ({"StringEquals": {"s3:prefix": "a"}}, {}, False),
    ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
    ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {"s3__prefix": "b"}, False),
    ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3__prefix": "b"}, False),
    ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3__prefix": "c"}, True),
    ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
    ({"StringLike": {"aws:Referer": "http://www.example.com/*"}}, {"aws__referer": "http://www.example.com/x"}, True),
    ({"StringNotLike": {"aws:Referer": "http://www.example.com/*"}}, {"aws__referer": "http://www.example.com/x"}, False),
    ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3__max-keys": "9"}, True),
    ({"NumericLessThan": {"s3:max-keys": 10}}, {"s3__max-keys": "10"}, False),
    ({"NumericLessThanEquals": {"s3:max-keys": 10}}, {"s3__max-keys": "10"}, True),
    ({"NumericGreaterThan": {"s3:max-keys": 10}}, {"s3__max-keys": "x"}, False),
    ({"NumericNotEquals": {"s3:max-keys": 10}}, {"s3__max-keys": "x"}, True),
    ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, {"aws__currenttime": "2029-12-31T23:59:59Z"}, True),
    ({"DateGreaterThan": {"aws:EpochTime": "2030-01-01"}}, {"aws__epochtime": "1000000000"}, False),
    ({"Bool": {"aws:SecureTransport": "false"}}, {"aws__securetransport": "false"}, True),
    ({"Bool": {"aws:SecureTransport": True}}, {"aws__securetransport": "false"}, False),
    ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}}, {"aws__sourceip": "10.1.2.3"}, True),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws__sourceip": "11.1.2.3"}, False),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws__sourceip": "::1"}, False),
    ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws__sourceip": "11.1.2.3"}, True),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::alt:user/*"}}, {"aws__principalarn": "arn:aws:iam::alt:user/AK"}, True),
    ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}, {"aws__principalarn": "arn:aws:iam::alt:root"}, True),
    ({"Null": {"s3:x-amz-acl": "true"}}, {}, True),
    ({"Null": {"s3:x-amz-acl": "false"}}, {}, False),
    ({"Null": {"s3:x-amz-acl": False}}, {"s3__x-amz-acl": "private"}, True),
    ({"StringEquals": {"s3:ExistingObjectTag/Kind": "x"}}, {"s3__existingobjecttag/Kind": "x"}, True),
    ({"StringEquals": {"s3:ExistingObjectTag/kind": "x"}}, {"s3__existingobjecttag/Kind": "x"}, False),
    ({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["a", "b"]}}, {"s3__requestobjecttagkeys": ("a", "b")}, True),
    ({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["a", "b"]}}, {"s3__requestobjecttagkeys": ("a", "c")}, False),
    ({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": "a"}}, {}, True),
    ({"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}, {"s3__requestobjecttagkeys": ("c", "a")}, True),
    ({"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}, {}, False),
    ({"ForAnyValue:StringNotEquals": {"s3:RequestObjectTagKeys": "a"}}, {}, False),
    ({"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}, {"s3__prefix": "a"}, False),
    (
        {"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}},
        {"s3__prefix": "a", "aws__securetransport": "true"},
        True,
    ),
]


@pytest.mark.parametrize(("condition", "facts", "outcome"), CONDITIONS)
def test_conditions(condition, facts, outcome):
    assert (effect(policy(statement(Condition=condition)), **facts) == "Allow") is outcome


REFUSED = [
    "",
    "[]",
    "{",
    "[" * 15_000,
    '{"Version": "2012-10-17"}',
    '{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}',
    policy(),
    policy(statement(), Version="2020-01-01"),
    policy(statement(), More=1),
    policy(statement(), Id=1),
    policy(statement(More=1)),
    policy(statement(Sid=1)),
    policy(statement(Effect="allow")),
    policy(statement(Effect=None)),
    policy(statement(Principal=None)),
    policy(statement(Principal="alt")),
    policy(statement(Principal={})),
    policy(statement(Principal={"AWS": []})),
    policy(statement(Principal={"AWS": 1})),
    policy(statement(Principal={"Service": "logging.s3.amazonaws.com"})),
    policy(statement(Principal={"CanonicalUser": "alt"})),
    policy(statement(Principal={"AWS": "arn:aws:iam::alt:role/x"})),
    policy(statement(NotPrincipal="*")),
    policy(statement(Action=None)),
    policy(statement(Action="s3:Nothing")),
    policy(statement(Action="iam:*")),
    policy(statement(Action=[])),
    policy(statement(NotAction="s3:GetObject")),
    policy(statement(Resource=None)),
    policy(statement(Resource="bucket/*")),
    policy(statement(Resource="arn:aws:s3:::")),
    policy(statement(Resource="arn:aws:s3:::other/*")),
    policy(statement(Effect="Deny", Resource="arn:aws:s3:::bucket")),
    policy(statement(Effect="Deny", Action=["s3:GetObject", "s3:ListBucket"])),
    policy(statement(Resource="arn:aws:s3:::bucket/${aws:username}")),
    policy(statement(Condition=[])),
    policy(statement(Condition={"StringEquals": {}})),
    policy(statement(Condition={"StringEquals": {"s3:nothing": "x"}})),
    policy(statement(Condition={"StringEquals": {"s3:ExistingObjectTag/": "x"}})),
    policy(statement(Condition={"StringEquals": {"s3:prefix": []}})),
    policy(statement(Condition={"StringEquals": {"s3:prefix": {}}})),
    policy(statement(Condition={"StringEquals": {"s3:prefix": "${aws:userid}"}})),
    policy(statement(Condition={"BinaryEquals": {"s3:prefix": "x"}})),
    policy(statement(Condition={"NullIfExists": {"s3:prefix": "true"}})),
    policy(statement(Condition={"Bool": {"aws:SecureTransport": "yes"}})),
    policy(statement(Condition={"NumericEquals": {"s3:max-keys": "x"}})),
    policy(statement(Condition={"NumericEquals": {"s3:max-keys": "NaN"}})),
    policy(statement(Condition={"DateEquals": {"aws:CurrentTime": "now"}})),
    policy(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}})),
    policy(statement(Sid="x" * 20_480)),
    policy(statement(Resource=[f"arn:aws:s3:::bucket/*?{'a' * 1000}*", f"arn:aws:s3:::bucket/*?{'b' * 1100}*"])),
    policy(statement(Condition={"StringLike": {"aws:UserAgent": f"*{'a?' * 1100}*"}})),
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_evaluated_is_refused(text):
    assert refusal(text) == "MalformedPolicy"


def test_the_older_version_and_a_single_statement_will_do():
    assert effect(json.dumps({"Statement": statement()})) == "Allow"


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "alt"}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/32"}}}, True),
        ({"Condition": {"StringEquals": {"aws:PrincipalAccount": "alt"}}}, False),
        ({"Condition": {"StringLike": {"aws:PrincipalAccount": "a*"}}}, True),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": "alt"}}}, True),
        ({"Condition": {"StringEquals": {"aws:Referer": "http://x"}}}, True),
    ],
)
def test_what_counts_as_public(changes, public):
    assert parse(policy(statement(**changes)), "bucket").is_public is public


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SOME_CONDITIONS = st.dictionaries(
    st.sampled_from([*OPERATORS, "StringEqualsIfExists", "ForAnyValue:StringLike", "Nonsense"]),
    st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=4) | st.integers() | st.booleans() | JSON, max_size=2),
    max_size=2,
)
SOME_STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Principal": st.just("*") | JSON, "Resource": st.just("*") | JSON},
    optional={"Action": st.sampled_from(sorted(ACTIONS)), "NotAction": st.just("*"), "Condition": SOME_CONDITIONS, "More": JSON},
)


@given(JSON.map(json.dumps) | st.text() | st.lists(SOME_STATEMENTS, max_size=3).map(lambda some: policy(*some)))
def test_any_text_is_a_policy_or_refused(text: str):
    try:
        document = parse(text, "bucket")
    except RequestError as error:
        assert error.code == "MalformedPolicy"
    else:
        facts = dict.fromkeys(KEYS, ("x",))
        assert document.effect(ALT, "s3:GetObject", "bucket/key", facts) in {"Allow", "Deny", None}
        assert document.effect(ANYBODY, "s3:PutObject", "bucket", {}) in {"Allow", "Deny", None}
