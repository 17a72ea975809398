"""The table of operations, walked row by row."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_proxy.s3.operation import TABLE, Access, Operation, Row, not_implemented, permits, resolve

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")


def ask(row: Row, **more: str) -> Operation:
    level = row.operation.level
    bucket = None if level == "service" else "bucket"
    key = "key" if level == "object" else None
    headers = {"x-amz-copy-source": "/b/k"} if row.copies else {}
    return resolve(row.method, bucket, key, dict.fromkeys(row.markers, "") | more, headers)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.operation.name} {'+'.join(sorted(row.markers))}")
def test_each_row_is_reached_by_its_own_form_and_changed_by_no_other_parameter(row: Row):
    assert ask(row) == row.operation
    assert ask(row, **{"X-Amz-Signature": "x", "x-id": "Other", "versionId": "v", "prefix": "p"}) == row.operation


def test_the_forms_of_the_table_are_distinct():
    forms = {(row.method, row.operation.level, row.markers, row.copies) for row in TABLE}
    assert len(forms) == len(TABLE)


def test_one_name_has_one_access_class():
    for name in {row.operation.name for row in TABLE}:
        assert len({(row.operation.access, row.operation.served) for row in TABLE if row.operation.name == name}) == 1, name


def test_reading_methods_never_write_and_writing_methods_never_only_read():
    for row in TABLE:
        reads = row.operation.access in {Access.READ, Access.LIST}
        assert reads == (row.method in {"GET", "HEAD"}) or row.operation.name == "SelectObjectContent", row


def test_a_read_key_may_read_and_list_and_nothing_else():
    assert {access for access in Access if permits("read", access)} == {Access.READ, Access.LIST}
    assert all(permits("full", access) for access in Access)


@given(st.text())
def test_an_unknown_grant_permits_nothing(grant: str):
    if grant not in {"read", "full"}:
        assert not any(permits(grant, access) for access in Access)


def test_the_bucket_is_resolved_for_everything_inside_it():
    outside = {row.operation.name for row in TABLE if not row.operation.in_bucket}
    assert outside == {"ListBuckets", "CreateBucket"}


@pytest.mark.parametrize(
    ("method", "bucket", "key", "params", "name"),
    [
        ("PUT", None, None, {"bucket": "analytics"}, "CreateBucket"),
        ("GET", "b", None, {"list-type": "2", "prefix": "x"}, "ListObjectsV2"),
        ("GET", "b", None, {"bucket": "x"}, "ListObjects"),
        ("GET", "b", "k", {"versionId": "null"}, "GetObject"),
        ("GET", "b", "k", {"uploadId": "1", "part-number-marker": "3"}, "ListParts"),
        ("HEAD", "b", "k", {"partNumber": "1"}, "HeadObject"),
        ("PUT", "b", "k", {"uploadId": "1", "partNumber": "1"}, "UploadPart"),
    ],
)
def test_forms_worth_spelling_out(method, bucket, key, params, name):
    assert resolve(method, bucket, key, params, {}).name == name


def test_a_copy_header_matters_only_to_put_of_an_object():
    copy = {"x-amz-copy-source": "b/k"}
    assert resolve("PUT", "b", "k", {}, copy).name == "CopyObject"
    assert resolve("GET", "b", "k", {}, copy).name == "GetObject"
    assert resolve("PUT", "b", None, {}, copy).name == "CreateBucket"
    upload_part_copy = resolve("PUT", "b", "k", {"uploadId": "1", "partNumber": "1"}, copy)
    assert upload_part_copy.name == "UploadPartCopy"


@pytest.mark.parametrize(
    ("method", "bucket", "key", "params", "code"),
    [
        ("POST", None, None, {}, "MethodNotAllowed"),
        ("PATCH", "b", "k", {}, "MethodNotAllowed"),
        ("DELETE", "b", None, {"versions": ""}, "MethodNotAllowed"),
        ("DELETE", "b", "k", {"policy": ""}, "MethodNotAllowed"),  # never a deletion of the object
        ("PUT", "b", "k", {"partNumber": "1"}, "MethodNotAllowed"),  # never an overwriting PutObject
        ("GET", "b", None, {"acl": "", "policy": ""}, "InvalidArgument"),
        ("GET", "b", None, {"list-type": "2", "acl": ""}, "InvalidArgument"),
    ],
)
def test_what_is_not_listed_is_refused(method, bucket, key, params, code):
    with pytest.raises(RequestError) as refused:
        resolve(method, bucket, key, params, {})
    assert refused.value.code == code


# What SDKs call otherwise than the table: older names, and Lists whose form is that of a Get.
OTHER_NAMES = {
    **{f"{verb}BucketLifecycle": f"{verb}BucketLifecycleConfiguration" for verb in ("Get", "Put")},
    **{f"{verb}BucketNotification": f"{verb}BucketNotificationConfiguration" for verb in ("Get", "Put")},
    **{
        f"ListBucket{what}Configurations": f"GetBucket{what}Configuration"
        for what in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
    },
    "ListObjectAnnotations": "GetObjectAnnotation",
}
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}  # sent to endpoints of their own
SDK = botocore.session.Session().get_service_model("s3")


@pytest.mark.parametrize("name", [name for name in SDK.operation_names if name not in ELSEWHERE])
def test_what_sdks_can_ask_for_is_known_by_its_name(name: str):
    """What is not listed would be taken for what it is without its marker: ``PUT ?annotation`` for an object that replaces the annotated one."""
    model = SDK.operation_model(name)
    path, _, query = model.http["requestUri"].partition("?")
    members = model.input_shape.members if model.input_shape else {}
    required = [members[member].serialization for member in model.input_shape.required_members] if members else []
    params = dict(field.partition("=")[::2] for field in query.split("&") if field)
    params |= {place["name"]: "1" for place in required if place.get("location") == "querystring"}
    headers = {place["name"]: "1" for place in required if place.get("location") == "header"}
    found = resolve(model.http["method"], "b" if "{Bucket}" in path else None, "k" if "{Key+}" in path else None, params, headers)
    assert found.name == OTHER_NAMES.get(name, name)


def test_what_is_known_but_not_served_is_named():
    for row in TABLE:
        if not row.operation.served:
            error = not_implemented(row.operation)
            assert error.code == "NotImplemented"
            assert row.operation.name in error.message


@given(
    st.sampled_from(METHODS) | st.text(max_size=8),
    st.none() | st.just("bucket"),
    st.none() | st.just("key"),
    st.dictionaries(
        st.sampled_from(sorted({marker for row in TABLE for marker in row.markers})) | st.text(), st.text(), max_size=4
    ),
    st.dictionaries(st.just("x-amz-copy-source"), st.text()),
)
def test_any_request_is_an_operation_of_the_table_or_refused(method, bucket, key, params, headers):
    try:
        operation = resolve(method, bucket, key if bucket else None, params, headers)
    except RequestError as error:
        assert error.code in {"MethodNotAllowed", "InvalidArgument"}
    else:
        assert operation in {row.operation for row in TABLE}


def documented() -> dict[str, bool]:
    """Name → whether docs/s3-api.md says that it is served; ``Put/GetBucketAcl`` are two names."""
    found = {}
    for line in (Path(__file__).parents[4] / "docs" / "s3-api.md").read_text().splitlines():
        if line.startswith("| ") and len(cells := line.split(" | ")) == len(("operation", "served", "differs", "test")):
            for others, verb, subject in re.findall(r"((?:[A-Z][a-z]+/)*)([A-Z][a-z]+)([A-Z]\w+)", cells[0]):
                found |= {word + subject: cells[1] != "no" for word in (*others.split("/")[:-1], verb)}
    return found


def test_the_documentation_names_every_operation_and_says_truly_whether_it_is_served():
    said = documented()
    assert {row.operation.name: row.operation.served for row in TABLE}.items() <= said.items()
