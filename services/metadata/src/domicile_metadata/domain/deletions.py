"""What a deletion does to the versions of a key. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Condition

NULL: Final = "null"  # how S3 names the version that a key has without versioning


@dataclass(frozen=True, slots=True)
class Held:
    """What a condition is compared with."""

    etag: str
    committed_at: datetime
    size: int
    is_delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class Erasure:
    """A version to be removed for good. ``version_id``: ``None`` for the null version."""

    bucket_id: str
    key: str
    version_id: str | None
    bypass_governance: bool
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A delete marker to be made."""

    bucket_id: str
    key: str
    version_id: str
    is_null: bool
    trace: str


def check_deletion(condition: Condition, held: Held | None, key: str) -> None:
    """Raises ``NoSuchKey`` when there is nothing to compare with, and ``PreconditionFailed``. A delete marker matches nothing.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    if held is None:
        raise RequestError("NoSuchKey", "The specified key does not exist.", {"Key": key})
    names = {
        "If-Match": condition.if_match in (None, "*", held.etag),
        "x-amz-if-match-last-modified-time": condition.modified in (None, held.committed_at.replace(microsecond=0)),
        "x-amz-if-match-size": condition.size in (None, held.size),
    }
    failed = next((name for name, holds in names.items() if not holds or held.is_delete_marker), None)
    if failed is not None:
        message = "At least one of the pre-conditions you specified did not hold."
        raise RequestError("PreconditionFailed", message, {"Condition": failed})
