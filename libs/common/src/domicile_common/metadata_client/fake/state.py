"""What the fake knows, and how its answers are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.probes import ReportProbe
from domicile_common.metadata_client.tasks import Task
from domicile_common.model import Backend, Bucket, Credential, Policy, Tenant

A = TypeVar("A", bound=Callable[..., Any])

DEFAULT_POLICY: Final = Policy(replica_count=2, write_quorum=1)
ANSWERS: Final[dict[type[m.Request[Any]], Callable[..., Any]]] = {}  # filled once, by the modules beside this one


def answers(request: type[m.Request[Any]]) -> Callable[[A], A]:
    """The decorated function, of the state and a request, answers requests of this type."""

    def register(function: A) -> A:
        ANSWERS[request] = function
        return function

    return register


def now() -> datetime:
    return datetime.now(UTC)


class State:
    """Tables, and what the answers share."""

    def __init__(
        self,
        backends: Iterable[Backend] = (),
        credentials: Iterable[Credential] = (),
        policy: Policy = DEFAULT_POLICY,
        tenants: Iterable[Tenant] = (),
        quotas: Mapping[str, tuple[int | None, int | None]] = MappingProxyType({}),
    ) -> None:
        self.backends = {backend.backend_id: backend for backend in backends}
        self.credentials = {credential.access_key: credential for credential in credentials}
        self.policy = policy
        self.tenants = {known.tenant.tenant_id: known.tenant for known in self.credentials.values()}
        self.tenants |= {tenant.tenant_id: tenant for tenant in tenants}
        self.quotas = quotas
        self.asked: list[m.Request[Any]] = []
        self.failing: dict[type[m.Request[Any]], Exception] = {}
        self.probed: list[ReportProbe] = []
        self.tasks: list[Task] = []
        self.holders: dict[str, str] = {}
        self.ids = (f"{number:032x}" for number in count(1))
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.tags: dict[str, dict[str, str] | None] = {}
        self.intents: dict[str, tuple[m.Intent, m.Begin]] = {}
        self.placed: dict[str, tuple[m.Intent, frozenset[str]]] = {}
        self.uploads: dict[str, m.Upload] = {}
        self.parts: dict[str, dict[int, m.PartEntry]] = {}
        self.chosen: dict[str, tuple[m.PartEntry, ...]] = {}
        self.completions: dict[str, int] = {}
        self.stacks: dict[tuple[str, str], list[m.Located]] = {}  # of each key, newest last

    def change_settings(self, bucket: Bucket, **settings: Any) -> None:
        changed = msgspec.structs.replace(bucket.settings, **settings)
        self.buckets[bucket.tenant_id, bucket.name] = msgspec.structs.replace(bucket, settings=changed)

    def bucket(self, bucket_id: str) -> Bucket:
        found = next((bucket for bucket in self.buckets.values() if bucket.bucket_id == bucket_id), None)
        if found is None:
            raise RequestError("NoSuchBucket")
        return found

    def change_bucket(self, bucket: Bucket, **changes: Any) -> m.Empty:
        self.buckets[bucket.tenant_id, bucket.name] = msgspec.structs.replace(bucket, **changes)
        return m.Empty()

    def find(self, bucket_id: str, key: str, version_id: str | None) -> m.Located | None:
        """The newest version of a key, or the one that S3 names so."""
        stack = self.stacks.get((bucket_id, key), [])
        return next((it for it in reversed(stack) if version_id in {None, it.version.shown_id}), None)

    def push(self, located: m.Located) -> None:
        version = located.version
        stack = self.stacks.setdefault((version.bucket_id, version.key), [])
        stack[:] = [it for it in stack if not (version.is_null and it.version.is_null)] + [located]

    def upload(self, upload_id: str, key: str | None = None) -> m.Upload:
        upload = self.uploads.get(upload_id)
        if upload is None or key not in {None, upload.key}:
            raise RequestError("NoSuchUpload")
        return upload

    def end(self, version_id: str) -> None:
        for table in (self.intents, self.uploads, self.parts, self.chosen, self.completions):
            table.pop(version_id, None)
