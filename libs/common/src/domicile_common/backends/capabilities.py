"""What a probe may find out about a backend, by name. Pure; ``contract`` finds it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Each is true or false once it was found, and missing while it is not known. Those that are fields of ``quirks.Quirks`` are acted on.
CAPABILITIES: Final[Mapping[str, str]] = {
    "reads_own_writes": "a read or listing right after a write, an overwrite or a removal shows it",
    "ranges": "a range of bytes is answered exactly",
    "etag_is_md5": "ETags of objects and of multipart uploads are made of MD5s",
    "keeps_metadata": "headers sent with an object come back with it",
    "conditional_put": "If-None-Match: * refuses to overwrite",
    "checks_md5": "a body that differs from its Content-MD5 is refused",
    "keeps_checksums": "x-amz-checksum-sha256 comes back",
    "checks_checksums": "a body that differs from its x-amz-checksum-sha256 is refused",
    "chunked_uploads": "aws-chunked bodies with a trailer, as SDKs send them, are taken apart",
    "copies": "it copies an object by itself, and takes new headers for the copy",
    "multipart": "parts come in any order, again, and with gaps",
    "vague_completion": "completing an upload again says InternalError",
    "key_bytes": "keys of all kinds come back as they were",
    "ordered_listing": "keys are listed in the order of their bytes",
    "versioning": "buckets keep versions",
    "object_lock": "a version under legal hold cannot be removed",
    "needs_location": "making a bucket takes the region in a LocationConstraint",
    "own_bucket_exists": "making one's own bucket again says BucketAlreadyExists",
}


def merged(before: Mapping[str, bool], found: Mapping[str, bool]) -> dict[str, bool]:
    """What is known after a probe: what it could not find out stays as it was."""
    return {name: value for name in CAPABILITIES if (value := found.get(name, before.get(name))) is not None}


def changes(before: Mapping[str, bool], after: Mapping[str, bool]) -> tuple[str, ...]:
    """Names of what was known and is otherwise now; what has just come to be known is no change."""
    return tuple(name for name in CAPABILITIES if name in before and name in after and before[name] != after[name])
