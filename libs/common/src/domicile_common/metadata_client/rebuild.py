"""The parameters and internal calls of a rebuild: the record, restored from what blobs say of themselves. Pure.

All of them may be repeated.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Value
from domicile_common.stamps import Stamp


class Rebuild(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``requests_per_second``: at each backend."""

    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] = 100


class FindPrefix(Request["Prefix"], frozen=True):
    """What the names of the installation's physical buckets begin with."""


class Prefix(Value, frozen=True):
    prefix: str


class FindHome(Request["Home"], frozen=True, kw_only=True):
    """Whether a physical bucket bears the name of this logical one."""

    backend_id: str
    namespace: str
    tenant_id: str
    bucket: str


class Home(Value, frozen=True):
    """``reason``: why not; ``""`` when it does, and the tenant is there. ``counter``: with which it does."""

    reason: str = ""
    counter: int = 0


class RestoreBucket(Request["Home"], frozen=True, kw_only=True):
    """Makes a bucket unless it is there, locked to the countries of the backends where it was found.

    ``counters``: backend id → that of the physical name that it has there. ``earlier``: those of names that it had before, and under which
    something was found as well.
    """

    tenant_id: str
    bucket: str
    backends: tuple[str, ...]
    counters: dict[str, int] = {}
    earlier: dict[str, tuple[int, ...]] = {}


class Found(Value, frozen=True):
    """A blob that bears a whole stamp."""

    blob_key: str
    stamp: Stamp


class RestoreVersions(Request["Restored"], frozen=True, kw_only=True):
    """All blobs are of the same bucket, which is there."""

    backend_id: str
    namespace: str
    blobs: tuple[Found, ...]


class Restored(Value, frozen=True):
    """``refused``: blob key → why."""

    refused: dict[str, str] = {}


class EndRebuild(Request[Empty], frozen=True):
    """All versions are compared with their policies."""


CALLS = (
    Call("find-prefix", FindPrefix, Prefix, safe=True),
    Call("find-home", FindHome, Home, safe=True),
    Call("restore-bucket", RestoreBucket, Home, safe=True),
    Call("restore-versions", RestoreVersions, Restored, safe=True),
    Call("end-rebuild", EndRebuild, Empty, safe=True),
)
