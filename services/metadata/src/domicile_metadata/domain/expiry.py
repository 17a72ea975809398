"""Which versions a lifecycle rule removes now. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domicile_common.bucket_settings import LifecycleRule
from domicile_common.lifecycle import is_meant, old_before


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that a rule may be about. ``seq``: its place among all versions; 0 where that does not count.

    ``successor_at``: since when it is noncurrent. ``newer``: how many noncurrent versions are newer. ``is_oldest``: nothing older is left.
    """

    key: str
    version_id: str
    is_null: bool
    committed_at: datetime
    size: int
    tags: Mapping[str, str]
    seq: int = 0
    is_delete_marker: bool = False
    successor_at: datetime | None = None
    newer: int = 0
    is_oldest: bool = False


def expires_current(rule: LifecycleRule, candidate: Candidate, now: datetime) -> bool:
    """For the current version of a key that has one."""
    if not is_meant(rule.filter, candidate.key, candidate.size, candidate.tags):
        return False
    if rule.expire_days is not None:
        return candidate.committed_at <= old_before(now, rule.expire_days)
    return rule.expire_date is not None and rule.expire_date <= now


def removes(rule: LifecycleRule, candidate: Candidate, now: datetime) -> bool:
    """For every version: whether a noncurrent one is old enough, or a delete marker stands alone."""
    if candidate.successor_at is None:
        return removes_lone_marker(rule, candidate, now)
    return (
        rule.noncurrent_days is not None
        and candidate.successor_at <= old_before(now, rule.noncurrent_days)
        and candidate.newer >= (rule.noncurrent_keep or 0)
        and is_meant(rule.filter, candidate.key, candidate.size, candidate.tags)
    )


def removes_lone_marker(rule: LifecycleRule, candidate: Candidate, now: datetime) -> bool:
    """A marker that hides nothing any more goes at once where the rule says so, and else when it is as old as what expires."""
    if not (candidate.is_delete_marker and candidate.is_oldest and candidate.key.startswith(rule.filter.prefix)):
        return False
    if rule.expire_lone_markers:
        return True
    return rule.expire_days is not None and not rule.filter.needs_object and expires_current(rule, candidate, now)
