"""What lifecycle rules say about an object or an unfinished upload: when it expires, and by which rule. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html. Ages count in whole days: what is N days old expires at
the next midnight UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domicile_common.bucket_settings import LifecycleFilter, LifecycleRule

_DAY = timedelta(days=1)
_LONGEST = 700_000
"""Days. S3 takes ages up to 2^31 - 1, which lead out of the calendar: nineteen centuries are as good as never."""


class Expiry(NamedTuple):
    at: datetime
    rule_id: str


def midnight_before(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def old_before(now: datetime, days: int) -> datetime:
    """What was made then or earlier has been due since the last midnight."""
    return midnight_before(now) - _age(days)


def due_at(made: datetime, days: int) -> datetime:
    """The first midnight at which something made then is so many days old."""
    due = made.astimezone(UTC) + _age(days)
    midnight = midnight_before(due)
    return midnight if midnight == due else midnight + _DAY


def _age(days: int) -> timedelta:
    return min(days, _LONGEST) * _DAY


def is_meant(chosen: LifecycleFilter, key: str, size: int, tags: Mapping[str, str]) -> bool:
    return (
        key.startswith(chosen.prefix)
        and (chosen.larger_than is None or size > chosen.larger_than)
        and (chosen.smaller_than is None or size < chosen.smaller_than)
        and all(tags.get(name) == value for name, value in chosen.tags.items())
    )


def expiry(rules: Iterable[LifecycleRule], key: str, size: int, tags: Mapping[str, str], made: datetime) -> Expiry | None:
    """When the current version of a key expires: by the rule that comes first."""
    found = [
        Expiry(at, rule.rule_id)
        for rule in rules
        if rule.enabled and is_meant(rule.filter, key, size, tags) and (at := _expires(rule, made)) is not None
    ]
    return min(found, default=None)


def upload_expiry(rules: Iterable[LifecycleRule], key: str, begun: datetime) -> Expiry | None:
    """When an upload of a key ends that is not completed by then: by the rule that comes first."""
    found = [
        Expiry(due_at(begun, rule.abort_days), rule.rule_id)
        for rule in rules
        if rule.enabled and rule.abort_days is not None and key.startswith(rule.filter.prefix)
    ]
    return min(found, default=None)


def _expires(rule: LifecycleRule, made: datetime) -> datetime | None:
    if rule.expire_days is not None:
        return due_at(made, rule.expire_days)
    return rule.expire_date
