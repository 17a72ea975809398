"""How providers differ, as data: only facts that the code acts on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from domicile_common.model import Backend


@dataclass(frozen=True, slots=True)
class Quirks:
    """Facts about a provider.

    ``etag_is_md5``: the ETag of a PUT or part is the MD5 of its bytes, and that of a multipart upload the MD5 of its parts' MD5s
    with ``-<parts>``: computed from what was stored, so it proves the bytes. Otherwise an ETag proves nothing and they are read back.

    ``needs_location``: CreateBucket wants the region in a LocationConstraint, except in us-east-1. Most others refuse to see one.

    ``copies``: it copies blobs of any size that a single PUT may have by itself, and takes new headers for the copy.

    ``multipart``: its multipart uploads take parts in any order, again, and with gaps. Otherwise parts are staged (``backends.staged``).

    ``vague_completion``: completing an upload that is gone says ``InternalError``, as if another completion of it were under way.

    ``keeps_metadata``: headers that were sent with a blob are there as long as the blob. Otherwise stamps go into sidecars.

    ``own_bucket_exists``: making one's own bucket again says ``BucketAlreadyExists``, which elsewhere means a stranger's.
    """

    etag_is_md5: bool = True
    needs_location: bool = False
    copies: bool = False
    multipart: bool = True
    vague_completion: bool = False
    keeps_metadata: bool = True
    own_bucket_exists: bool = False


QUIRKS: dict[str, Quirks] = {
    # Claims nothing that could make a bad copy pass.
    "generic": Quirks(etag_is_md5=False),
    # With default encryption (SSE-S3); not with SSE-KMS keys: register such a bucket's backend as generic.
    "aws": Quirks(needs_location=True, copies=True),
    "ceph": Quirks(copies=True, vague_completion=True),
    "minio": Quirks(copies=True),
    # One user, no owners; an ETag may be the remote's own. Metadata and uploads are in memory only, and parts must come in order.
    "rclone": Quirks(etag_is_md5=False, multipart=False, keeps_metadata=False, own_bucket_exists=True),
    "seaweedfs": Quirks(copies=True),
}


PROBED = "probed"  # nobody has said what it is: what the last probe found, and ``generic`` as far as that is not known
_FIELDS = frozenset(field.name for field in fields(Quirks))


def quirks_of(backend: Backend) -> Quirks:
    """Those that its registration names, whatever a probe says; ``generic`` for names this version does not know."""
    if backend.quirks == PROBED:
        known = {name: value for name, value in backend.capabilities.items() if name in _FIELDS}
        return replace(QUIRKS["generic"], **known)
    return QUIRKS.get(backend.quirks, QUIRKS["generic"])
