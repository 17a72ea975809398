"""A pytest plug-in for ceph/s3-tests: which of its tests run, that none disturbs the next, and what became of each.

It is loaded by the suite's own Python, where nothing of Domicile is installed. ``S3TESTS_OUTCOMES`` names the file it writes: a JSON object,
test name → ``{"outcome": "passed" | "failed" | "skipped", "message": …}``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

# What the suite says of a test that a right server may fail.
_NOT_CORE = {"fails_on_aws", "fails_on_s3", "fails_on_rgw"}
# They ask for a service that is none of S3's.
_OTHER_SERVICES = "iam_"
# They wait for days that only Ceph can be told to shorten.
_WAIT_FOR_DAYS = {"test_lifecycle_plain_null_version_current_transition", "test_delete_marker_expiration"}
_MESSAGE = 300

_outcomes: dict[str, dict[str, str]] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = [item for item in items if _is_core(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _is_core(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    elsewhere = any(mark.startswith(_OTHER_SERVICES) for mark in marks)
    return not marks & _NOT_CORE and not elsewhere and item.name not in _WAIT_FOR_DAYS


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test names its buckets after a prefix of its own: one that stays behind, because it is locked, is nobody else's trouble."""
    suite: Any = sys.modules["s3tests.functional"]
    if suite.prefix:
        suite.prefix = suite.choose_bucket_prefix(template="s3t-{random}-")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    test = report.nodeid.rpartition("::")[2]
    if report.when == "teardown" or (report.when == "setup" and report.passed):
        return  # whether a bucket could be emptied afterwards is not what the test asks
    crash = getattr(report.longrepr, "reprcrash", None)
    message = " ".join(str(crash.message if crash else report.longrepr or "").split())[:_MESSAGE]
    _outcomes[test] = {"outcome": report.outcome, "message": message}


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["S3TESTS_OUTCOMES"]).write_text(json.dumps(_outcomes), encoding="utf-8")
