"""How a blob is named at a backend, and the stamp from which the record can be rebuilt. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from domicile_common.model import Blob, Digest, Facts, Layout, Lock, Value, Version

# --- blob keys ---

MAXIMUM_BLOB_KEY_BYTES = 900  # S3 allows 1,024; some backends put a name of their own before the key
MAXIMUM_SEGMENT_BYTES = 255  # what backends that keep keys as paths of a file system can take
SIDECAR_FOLDER = ".domicile"

# What is not kept as it is: the escape character itself, control characters, the separator of another system, and characters that
# the XML of a listing cannot carry.
_ESCAPED = re.compile("[~\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VERSION_ID = re.compile(r"[0-9a-fA-F]{32}")
_LAST_SEGMENT = re.compile(r"([0-9a-f]{32})(~r[0-9a-f]+)?")


def blob_key(key: str, version_id: str, layout: Layout = "readable", again: str = "") -> str:
    """Where the blob of one version is kept: ``<key made safe>/<version id>``, or the version id alone (``opaque``).

    ``again``: hex digits, where a blob of this version was removed before: it is followed by ``~r`` and these, so that whatever may still
    be under way to remove that one does not meet the new one.

    Safe means: each character that could trouble a backend, a listing or a file system becomes ``~`` and two hex digits for each of
    its UTF-8 bytes (and so does ``~``); segments that are empty, ``.``, ``..``, the folder of the sidecars, or look like a version
    id begin with such an escape. So no blob key is a folder of another, and two keys of one version id never meet. A key that is
    too long for some backend is replaced by ``~sha256/<hash>``; the stamp keeps the exact key.
    """
    name = f"{version_id}~r{again}" if again else version_id
    if layout == "opaque":
        return name
    segments = [_safe_segment(segment) for segment in key.split("/")]
    if segments[0] == SIDECAR_FOLDER:
        segments[0] = _escape_first(SIDECAR_FOLDER)
    safe = "/".join(segments)
    if (
        any(len(segment.encode()) > MAXIMUM_SEGMENT_BYTES for segment in segments)
        or len(safe.encode()) + 1 + len(name) > MAXIMUM_BLOB_KEY_BYTES
    ):
        safe = f"~sha256/{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return f"{safe}/{name}"


def version_of_blob(blob_key: str) -> str | None:
    """The version id in a blob key; ``None`` when it is none."""
    match = _LAST_SEGMENT.fullmatch(blob_key.rpartition("/")[2])
    return match and match[1]


def _safe_segment(segment: str) -> str:
    if segment == "":
        return "~2F"  # an escaped slash: a segment never holds one, so this is nothing else
    if segment in (".", "..") or _VERSION_ID.fullmatch(segment):
        return _escape_first(segment)
    return _ESCAPED.sub(lambda match: _escape(match.group()), segment)


def _escape_first(segment: str) -> str:
    return _escape(segment[0]) + segment[1:]


def _escape(character: str) -> str:
    return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


# --- stamps ---

STAMP_HEADER = "x-amz-meta-domicile"
# S3 caps user metadata at 2 KiB, names and values together; the prefix is counted too, as some backends do.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAXIMUM_METADATA_BYTES = 2048


class Stamp(Value, frozen=True, kw_only=True):
    """All that the record knows of one version, kept beside its bytes. A sidecar is newer than the header: tags and locks may change.

    ``digest`` is ``None`` while the bytes are still arriving. ``format`` is raised when the meaning of a field changes.
    ``facts`` have no access control list: it may change, and what was restored from an old one could be open to the world.
    ``blob``: where the bytes are, if not beside the stamp: an adopted object stays in a bucket that nothing of ours is written to.
    """

    version_id: str
    tenant_id: str
    bucket: str
    key: str
    policy_version: int
    facts: Facts = Facts()
    digest: Digest | None = None
    committed_at: datetime | None = None
    is_null: bool = True
    lock: Lock | None = None
    blob: Blob | None = None
    format: int = 1


def stamped_facts(facts: Facts) -> Facts:
    return msgspec.structs.replace(facts, acl=None) if facts.acl else facts


def make_stamp(version: Version, *, tenant_id: str, bucket: str, policy_version: int) -> Stamp:
    """The whole stamp of a committed version."""
    return Stamp(
        version_id=version.version_id,
        tenant_id=tenant_id,
        bucket=bucket,
        key=version.key,
        policy_version=policy_version,
        facts=stamped_facts(version.facts),
        digest=version.digest,
        committed_at=version.committed_at,
        is_null=version.is_null,
        lock=version.lock,
    )


def stamp_header(stamp: Stamp) -> dict[str, str] | None:
    """The stamp as user metadata of the blob; ``None`` when it does not fit and a sidecar is owed."""
    value = base64.urlsafe_b64encode(msgspec.json.encode(stamp)).decode().rstrip("=")
    return {STAMP_HEADER: value} if len(STAMP_HEADER) + len(value) <= MAXIMUM_METADATA_BYTES else None


def read_stamp(headers: Mapping[str, str]) -> Stamp | None:
    """The stamp in a blob's headers (names in lower case); ``None`` when there is none. Raises ``ValueError`` on a damaged one."""
    value = headers.get(STAMP_HEADER)
    if value is None:
        return None
    try:
        body = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the stamp is not base64url") from error
    return read_sidecar(body)


def sidecar_key(blob_key: str) -> str:
    """Where the sidecar of a blob is kept, in the same namespace: under the last segment of its key."""
    return f"{SIDECAR_FOLDER}/stamps/{blob_key.rpartition('/')[2]}.json"


def sidecar_body(stamp: Stamp) -> bytes:
    return msgspec.json.encode(stamp)


def read_sidecar(body: bytes) -> Stamp:
    """Raises ``ValueError`` on a damaged one, or one of a format that is not known here."""
    try:
        stamp = msgspec.json.decode(body, type=Stamp)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the stamp is damaged: {error}") from error
    if stamp.format != 1:
        raise ValueError(f"the stamp has format {stamp.format}")
    return stamp
