from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_client import backends, jobs, keys, policies, tenants
from domicile_client.call import LARGEST_PAGE, call, following, limited, read
from domicile_client.errors import NoAnswer, NotAdmitted, Refused


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_segments_of_a_path_stay_what_they_are(segments):
    path = call("GET", *segments).path
    assert [unquote(segment) for segment in path.split("/")[2:]] == segments
    assert path.isascii()


def test_what_was_not_said_is_left_out():
    assert tenants.create("acme").body == {"tenant_id": "acme"}
    assert keys.list_all().query == {}


def test_null_is_said_where_it_means_something():
    assert backends.limit("fi", job_limit=None).body == {"job_limit": None}
    assert policies.put({"rpo_seconds": None}).body == {"rpo_seconds": None}


@pytest.mark.parametrize(
    "listing, answer, after",
    [
        (tenants.list_all(), {"tenants": [{"tenant_id": "a"}, {"tenant_id": "b"}], "truncated": True}, "b"),
        (tenants.list_all(), {"tenants": [{"tenant_id": "a"}], "truncated": False}, None),
        (tenants.list_all(), {"tenants": [], "truncated": True}, None),
        (jobs.list_all(), {"jobs": [{}], "truncated": True, "next": "x/y"}, "x/y"),
        (jobs.list_all(), {"jobs": [{}], "truncated": False, "next": ""}, None),
        (jobs.drops(), {"drops": [{}], "next": 7}, 7),
        (jobs.drops(), {"drops": [{}], "next": None}, None),
        (backends.list_all(), {"backends": [{}]}, None),
        (tenants.show("a"), {"tenant_id": "a"}, None),
    ],
)
def test_the_next_page(listing, answer, after):
    page = following(listing, answer)
    assert (None if page is None else page.query["after"]) == after


def test_pages_are_no_larger_than_they_may_be():
    assert [limited(tenants.list_all(), rows).query["limit"] for rows in (None, 5, 5000)] == [LARGEST_PAGE, 5, LARGEST_PAGE]


@pytest.mark.parametrize(
    "status, error",
    [(400, Refused), (404, Refused), (409, Refused), (401, NotAdmitted), (403, NotAdmitted), (429, NoAnswer), (502, NoAnswer), (503, NoAnswer)],
)  # fmt: skip
def test_errors_tell_who_has_to_act(status, error):
    with pytest.raises(error, match=r"^Code: words$") as raised:
        read(status, json.dumps({"error": {"code": "Code", "message": "words"}}).encode())
    assert type(raised.value) is error


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"\xff"])
def test_an_answer_of_something_else_is_none(content):
    with pytest.raises(NoAnswer, match=r"^HTTP 200 and no "):
        read(200, content)


def test_not_every_status_is_a_refusal():
    assert read(408, b'{"reached": false}') == {"reached": False}
    assert read(200, b'{"error": null, "state": "done"}') == {"error": None, "state": "done"}
