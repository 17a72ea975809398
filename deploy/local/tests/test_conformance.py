from __future__ import annotations

import pytest

from domicile_local.conformance.__main__ import report
from domicile_local.conformance.areas import GROUPS, area_of
from domicile_local.conformance.compare import Change, Outcome, compare, table

PASSED, FAILED = Outcome("passed"), Outcome("failed", "why")


@pytest.mark.parametrize(
    "test, area",
    [
        ("test_bucket_list_many", "list objects"),
        ("test_bucket_acl_default", "ACL"),
        ("test_object_raw_get_object_acl", "presigned and anonymous"),
        ("test_encrypted_transfer_1kb[x]", "encryption"),
        ("test_something_new", "objects"),
    ],
)
def test_a_test_belongs_to_the_first_area_that_its_name_fits(test, area):
    assert area_of(test) == area


def test_every_area_of_a_group_is_one():
    assert {area_of(f"test_{name}") for name in ("versioning_x", "ranged_x", "lifecycle_x", "cors_x")} <= {
        area for areas in GROUPS.values() for area in areas
    }


def test_what_was_not_run_is_lost_as_well():
    assert compare({"new": PASSED, "same": PASSED, "broken": FAILED}, {"same", "broken", "gone"}) == Change(
        ["broken", "gone"], ["new"]
    )


def test_the_table_counts_by_area_and_by_group():
    lines = table({"test_ranged_a": PASSED, "test_ranged_b": FAILED, "test_bucket_list_a": PASSED}).splitlines()
    assert "| range reads | 1 | 2 |" in lines
    assert "| **objects and buckets** | 2 | 3 |" in lines
    assert lines[-1] == "| **all** | 2 | 3 |"


@pytest.fixture
def passing(tmp_path):
    file = tmp_path / "passing.txt"
    file.write_text("test_a\ntest_b\n")
    return file


def test_a_regression_is_named_and_ends_the_run_with_an_error(passing, capsys):
    assert report({"test_b": FAILED, "test_c": FAILED}, passing, accept=False, partly=False) == 1
    said = capsys.readouterr().out
    assert "REGRESSED test_a: was not run" in said
    assert "REGRESSED test_b: why" in said
    assert "test_c" not in said


def test_part_of_a_run_is_compared_with_that_part_of_the_list_and_never_replaces_it(passing):
    assert report({"test_a": PASSED}, passing, accept=True, partly=True) == 0
    assert passing.read_text() == "test_a\ntest_b\n"


def test_an_accepted_run_is_the_new_list(passing, capsys):
    assert report({"test_c": PASSED, "test_b": FAILED}, passing, accept=True, partly=False) == 0
    assert passing.read_text() == "test_c\n"
    assert "passes now test_c" in capsys.readouterr().out
