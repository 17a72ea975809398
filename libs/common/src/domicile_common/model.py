"""The words of Domicile as values (see the glossary in docs/architecture.md).

Pure: no I/O. All structs are frozen and travel as JSON between services.
Keys are text here and UTF-8 bytes in PostgreSQL; S3 refuses keys that are not UTF-8. Instants are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from domicile_common.bucket_settings import Acl, BucketSettings
from domicile_common.value import Value as Value  # noqa: PLC0414 -- the glossary is where everybody looks for it

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


Layout = Literal["readable", "opaque"]
"""Blob keys ``<key>/<version id>``, or ``<version id>`` alone."""


class Policy(Value, frozen=True, forbid_unknown_fields=True):
    """One level's demands (installation default, tenant, bucket or object); ``None`` leaves a matter to the level above.

    ``region_lock``: ordered ISO 3166-1 alpha-2 codes or group names (``EU``); the order is the order of preference.
    ``operator_lock``: the jurisdictions (codes or groups) that *every* jurisdiction of a backend must lie in.
    ``write_width``: how many backends a write streams to at once, ``write_quorum`` of which must hold it; more than those lets one fail in
    mid-stream, and saves reading the bytes back for their copies. ``rpo_seconds``: seconds from commit until every wanted replica should
    be verified. ``layout``: what blobs that are yet to be made are called, see ``stamps.blob_key``.
    """

    region_lock: tuple[str, ...] | None = None
    operator_lock: tuple[str, ...] | None = None
    replica_count: int | None = None
    spread: Literal["backend", "provider", "country"] | None = None
    write_quorum: int | None = None
    storage: dict[str, str | int] | None = None
    encryption: dict[str, str] | None = None
    rpo_seconds: int | None = None
    write_width: int | None = None
    layout: Layout | None = None


class EffectivePolicy(Value, frozen=True):
    """All levels merged and groups expanded; ``countries``/``jurisdictions`` are ``None`` only when no level sets a lock.

    ``version`` identifies the policy rows it was merged from; it is stored with each decision. ``ranks``: how much each of
    ``countries`` is preferred, 0 most; members of one group share a rank. Empty: in the order of ``countries``. ``write_width``
    counts where it is more than ``write_quorum``.
    """

    replica_count: int
    write_quorum: int
    version: int
    countries: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None
    spread: Literal["backend", "provider", "country"] = "backend"
    storage: dict[str, str | int] = msgspec.field(default_factory=lambda: {"kind": "replicate"})
    encryption: dict[str, str] = msgspec.field(default_factory=lambda: {"mode": "none"})
    rpo_seconds: int | None = None
    ranks: tuple[int, ...] = ()
    write_width: int = 0
    layout: Layout = "readable"


BackendState = Literal["active", "readonly", "draining", "disabled", "lost"]


class Backend(Value, frozen=True):
    """One S3 endpoint at one provider.

    ``backend_id``: operator's slug, ``[a-z0-9][a-z0-9-]{0,30}``, unique. ``provider``: slug of who runs it.
    ``country``: ISO 3166-1 alpha-2 of the site. ``jurisdictions``: codes of every law its operator answers to.
    ``region``: the SigV4 region. ``quirks``: a name in ``backends.quirks``. ``cost``: reads prefer the lowest.
    ``state``: ``readonly`` takes nothing new; from a ``draining`` one everything moves away; a ``disabled`` one is not spoken to, for a
    while; a ``lost`` one is gone for good, with all that it held.
    ``paused``: nothing is replicated to it nor removed there until it is resumed. The rest limits what all replicators together do there:
    ``job_limit`` jobs at a time, ``bytes_per_second`` sent and read, ``requests_per_second``.
    ``sealed_secret``: the secret key as sealed by ``sealing``; never the secret itself.
    ``capabilities``: what probes have found (``backends.capabilities``); missing is what is not known.
    """

    backend_id: str
    provider: str
    endpoint: str
    country: str
    jurisdictions: tuple[str, ...]
    access_key: str
    sealed_secret: str
    region: str = "us-east-1"
    addressing: Literal["path", "virtual"] = "path"
    quirks: str = "generic"
    state: BackendState = "active"
    cost: int = 100
    paused: bool = False
    job_limit: int | None = None
    bytes_per_second: int | None = None
    requests_per_second: float | None = None
    capabilities: dict[str, bool] = {}


class Decision(Value, frozen=True):
    """Where one write goes, and why.

    ``wanted``: backend ids that must hold the version in the end. ``write``: those of them that get the bytes while the client sends
    them; ``quorum`` of these must hold them before it is answered (0: all). ``reason``: one sentence for an auditor.
    """

    wanted: tuple[str, ...]
    write: tuple[str, ...]
    policy_version: int
    reason: str
    quorum: int = 0

    @property
    def least(self) -> int:
        """How many of ``write`` must hold the bytes."""
        return self.quorum or len(self.write)


class Tenant(Value, frozen=True):
    """``canonical_id``: 64 hex digits, the owner id that S3 answers show; it reveals nothing of ``tenant_id``."""

    tenant_id: str
    name: str
    canonical_id: str
    state: Literal["active", "disabled"] = "active"


class Rates(Value, frozen=True):
    """What one proxy process admits of a tenant; ``None``: no limit."""

    requests_per_second: float | None = None
    bytes_per_second: int | None = None
    concurrent_requests: int | None = None


class Credential(Value, frozen=True):
    """An access key with its sealed secret and its owner. ``access``: what the key may do at all. ``rates``: its owner's."""

    access_key: str
    sealed_secret: str
    tenant: Tenant
    access: Literal["full", "read"] = "full"
    state: Literal["active", "disabled"] = "active"
    expires_at: datetime | None = None
    rates: Rates | None = None


LockMode = Literal["GOVERNANCE", "COMPLIANCE"]


class DefaultRetention(Value, frozen=True):
    """How long a bucket locks its new versions: ``days`` or ``years``, the other is 0."""

    mode: LockMode
    days: int = 0
    years: int = 0


class Lock(Value, frozen=True):
    """What keeps a version from being deleted (S3 Object Lock). ``mode`` and ``until`` come together.

    ``legal_hold``: ``None`` when it was never set.
    """

    mode: LockMode | None = None
    until: Instant | None = None
    legal_hold: bool | None = None


class Bucket(Value, frozen=True):
    """A tenant's logical bucket. ``namespaces``: backend id → physical bucket name, for every allowed backend.

    ``location``: the LocationConstraint it was created with, as given (``""`` when none).
    ``owner``: the tenant, as S3's answers show it; metadata always tells it. ``rates``: the owner's.
    """

    bucket_id: str
    tenant_id: str
    name: str
    created_at: datetime
    location: str
    policy: EffectivePolicy
    namespaces: dict[str, str]
    versioning: Literal["off", "enabled", "suspended"] = "off"
    owner: Tenant | None = None
    settings: BucketSettings = BucketSettings()
    object_lock: bool = False
    default_retention: DefaultRetention | None = None
    rates: Rates | None = None


class Part(Value, frozen=True):
    """One part of a multipart version. ``etag``: MD5 as 32 hex digits, without quotes. ``size``: bytes.

    ``checksums``: as in ``Digest``; kept of the parts that a version was made of.
    """

    number: int
    size: int
    etag: str
    checksums: dict[str, str] = {}
    crc: str = ""


class Facts(Value, frozen=True):
    """What S3 answers about a version besides its bytes; fixed when the write begins, except for ``tags``.

    ``headers``: the stored system headers by lower-case name (content-type, cache-control, content-disposition,
    content-encoding, content-language, expires, website-redirect-location). ``metadata``: user metadata without the
    ``x-amz-meta-`` prefix, names in lower case. Values are the header's bytes as Latin-1 text, so none is lost.
    ``acl``: ``None`` when the object belongs to the bucket's owner and nobody else has anything; the one field that may change later.
    """

    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    storage_class: str = "STANDARD"
    acl: Acl | None = None


class Digest(Value, frozen=True):
    """What is known of the bytes. ``size``: bytes.

    ``md5``: 32 hex digits of the whole, or for a multipart version the MD5 over its parts' binary MD5s; ``""`` while nobody has read the
    bytes of an adopted object whose entity tag is not their MD5. ``given_etag``: that entity tag; it stays as its clients know it.
    ``checksums``: S3 checksum algorithm in lower case (``crc32``, ``crc32c``, ``crc64nvme``, ``sha1``, ``sha256``) → base64,
    as S3 shows it; a composite one ends in ``-<parts>``. ``checksum_type``: as in the S3 API.
    ``crc``: CRC-64/NVME of the whole in base64, whatever the client chose; Domicile checks what it reads with it, and never shows it.
    ``""`` where it is not known.
    """

    size: int
    md5: str
    checksums: dict[str, str] = {}
    checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] = "FULL_OBJECT"
    parts: tuple[Part, ...] = ()
    crc: str = ""
    given_etag: str = ""

    @property
    def etag(self) -> str:
        """The S3 entity tag without quotes."""
        return self.given_etag or self.stored_etag

    @property
    def stored_etag(self) -> str:
        """What a backend whose ETags are MD5s gives these bytes in these parts: MD5, or ``<md5 of md5s>-<parts>``; ``""`` while it is not known."""
        return f"{self.md5}-{len(self.parts)}" if self.parts else self.md5


class Version(Value, frozen=True):
    """One immutable state of a key. ``version_id``: 32 hex digits of a UUIDv7; S3 shows ``null`` when ``is_null``."""

    bucket_id: str
    key: str
    version_id: str
    committed_at: datetime
    facts: Facts
    digest: Digest
    is_null: bool = True
    is_delete_marker: bool = False
    lock: Lock | None = None

    @property
    def shown_id(self) -> str:
        """Its id as S3 shows it."""
        return "null" if self.is_null else self.version_id


class Blob(Value, frozen=True):
    """Where the bytes of a version are (or shall be) at one backend."""

    backend_id: str
    namespace: str
    blob_key: str


ReplicaState = Literal["wanted", "stored", "verified", "lost", "deleting"]
