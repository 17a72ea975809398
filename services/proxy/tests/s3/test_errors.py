"""Errors as S3 answers them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

import domicile_common
import domicile_proxy
from domicile_common.errors import (
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    PolicyRefused,
    RequestError,
    Unavailable,
)
from domicile_proxy.s3.errors import CODES, describe, render


def test_the_document_of_the_reference():
    failure = describe(RequestError("NoSuchKey", "The resource you requested does not exist", {"Key": "my&foto.jpg"}))
    assert render(failure, "4442587FB7D0A2F9", "/mybucket/my&foto.jpg").decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>NoSuchKey</Code><Message>The resource you requested does not exist</Message><Key>my&amp;foto.jpg</Key>"
        "<Resource>/mybucket/my&amp;foto.jpg</Resource><RequestId>4442587FB7D0A2F9</RequestId></Error>"
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestError("NoSuchBucket"), 404, "NoSuchBucket"),
        (RequestError("PreconditionFailed"), 412, "PreconditionFailed"),
        (RequestError("FromANewerService"), 400, "FromANewerService"),
        (PolicyRefused("region_lock", "no backend in FI"), 400, "InvalidRequest"),
        (Unavailable("metadata at 10.0.0.1 is away"), 503, "SlowDown"),
        (BackendUnavailable("fi-1", "timeout"), 503, "ServiceUnavailable"),
        (BackendRefused("fi-1", "403"), 503, "ServiceUnavailable"),
        (BlobNotFound("fi-1", "gone"), 503, "ServiceUnavailable"),
        (BlobMismatch("fi-1", "differs"), 503, "ServiceUnavailable"),
        (ValueError("secret"), 500, "InternalError"),
    ],
)
def test_every_error_has_an_answer(error: Exception, status: int, code: str):
    failure = describe(error)
    assert (failure.status, failure.code) == (status, code)
    assert failure.headers == ({"retry-after": "1"} if status == 503 else {})
    if not isinstance(error, RequestError):
        assert str(error) not in render(failure, "r", "/").decode()  # other people's addresses, names and secrets


def test_a_refused_policy_names_its_rule():
    document = fromstring(render(describe(PolicyRefused("region_lock", "no backend in FI")), "r", "/b"))
    assert document.findtext("Rule") == "region_lock"
    assert document.findtext("Message") == "no backend in FI"


@pytest.mark.parametrize("odd", ["\0", "\x1f", "\uffff", "\ud800"])  # the last one stands in JSON that is ASCII
def test_the_code_can_be_read_whatever_was_named(odd: str):
    failure = describe(RequestError("NoSuchKey", f"There is no {odd}.", {"Key": odd}))
    document = fromstring(render(failure, "r", f"/b/{odd}"))
    assert document.findtext("Code") == "NoSuchKey"
    assert document.findtext("Key") == "\ufffd"


def raised_codes() -> set[str]:
    """Every literal S3 code that the proxy and the common library raise. What only the fake raises, no client of the proxy can meet."""
    codes = set()
    for package in (domicile_proxy, domicile_common):
        for path in [path for path in Path(package.__path__[0]).rglob("*.py") if "fake" not in path.parts]:
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") == "RequestError"
                    and isinstance(node.args[0], ast.Constant)
                ):
                    codes.add(node.args[0].value)
    return codes


def test_every_code_that_is_raised_has_its_status():
    assert {"InvalidURI", "MalformedXML"} < raised_codes()
    assert raised_codes() - CODES.keys() == set()


def test_statuses_are_those_of_errors():
    assert all(400 <= status <= 503 and message for status, message in CODES.values())
