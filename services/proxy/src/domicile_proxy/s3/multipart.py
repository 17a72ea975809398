"""What a multipart upload promises of its checksums, and whether its completion keeps it. Pure.

Source: S3 User Guide, "Checking object integrity", and the API reference of CreateMultipartUpload and CompleteMultipartUpload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from domicile_common import checksums
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import PartEntry, Upload
from domicile_common.model import Digest

MAX_OBJECT = 5 * 1024**4  # bytes

_PREFIX = "x-amz-checksum-"

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]


class Promise(NamedTuple):
    """``algorithm``: ``""`` when the client leaves the choice to the server."""

    algorithm: str
    checksum_type: ChecksumType


def read_promise(headers: Mapping[str, str]) -> Promise:
    """The headers of CreateMultipartUpload.

    Raises:
        RequestError: InvalidRequest for an unknown algorithm, or a type that it does not have.
    """
    algorithm = headers.get(f"{_PREFIX}algorithm", "").lower()
    wanted = headers.get(f"{_PREFIX}type", "").upper()
    if not algorithm:
        if wanted:
            raise _bad("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
        return Promise("", "FULL_OBJECT")
    if algorithm not in checksums.ALGORITHMS:
        raise _bad("Checksum algorithm provided is unsupported. Please try again with a valid type.")
    joins = checksums.ALGORITHMS[algorithm].join is not None
    if not wanted:
        wanted = "FULL_OBJECT" if algorithm == checksums.DEFAULT else "COMPOSITE"
    if wanted not in {"FULL_OBJECT", "COMPOSITE"}:
        raise _bad("Value for x-amz-checksum-type header is invalid.")
    if (wanted == "FULL_OBJECT" and not joins) or (wanted == "COMPOSITE" and algorithm == checksums.DEFAULT):
        raise _bad(f"The {wanted} checksum type cannot be used with the {algorithm} checksum algorithm.")
    return Promise(algorithm, "COMPOSITE" if wanted == "COMPOSITE" else "FULL_OBJECT")


def etag_of(parts: Iterable[str]) -> str:
    """The entity tag of an object made of parts with these entity tags. Raises ValueError for one that is no MD5."""
    tags = tuple(parts)
    return f"{checksums.multipart_md5(tags)}-{len(tags)}"


def whole_digest(upload: Upload, parts: tuple[PartEntry, ...]) -> Digest:
    """What the object will be, from what was recorded of its parts; ``parts`` themselves are metadata's to record.

    Raises:
        RequestError: EntityTooLarge.
    """
    size = sum(entry.part.size for entry in parts)
    if size > MAX_OBJECT:
        raise RequestError("EntityTooLarge", detail={"ProposedSize": str(size), "MaxSizeAllowed": str(MAX_OBJECT)})
    algorithm = upload.checksum_algorithm or _common_crc(parts)
    composite = upload.checksum_type == "COMPOSITE"
    values: dict[str, str] = {}
    if algorithm and all(algorithm in entry.checksums for entry in parts):
        if composite:
            values[algorithm] = checksums.composite(algorithm, (entry.checksums[algorithm] for entry in parts))
        else:
            sized = ((entry.checksums[algorithm], entry.part.size) for entry in parts)
            values[algorithm] = checksums.full_object(algorithm, sized)
    return Digest(
        size=size,
        md5=checksums.multipart_md5(entry.part.etag for entry in parts),
        checksums=values,
        checksum_type="COMPOSITE" if composite else "FULL_OBJECT",
        crc=_own_crc(parts),
    )


def _own_crc(parts: tuple[PartEntry, ...]) -> str:
    known = all(entry.part.crc for entry in parts)
    return checksums.full_object(checksums.OWN, ((entry.part.crc, entry.part.size) for entry in parts)) if known else ""


def check_completion(headers: Mapping[str, str], upload: Upload, digest: Digest) -> None:
    """Whether what the client says of the whole object is what follows from its parts.

    Raises:
        RequestError: InvalidRequest, BadDigest.
    """
    size = headers.get("x-amz-mp-object-size")
    if size is not None and size != str(digest.size):
        raise _bad(f"The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: {digest.size}")
    wanted = headers.get(f"{_PREFIX}type", "").upper()
    if wanted and upload.checksum_algorithm and wanted != upload.checksum_type:
        raise _bad(
            f"The upload was created using the {upload.checksum_type} checksum mode. "
            "The complete request must use the same checksum mode."
        )
    for name in checksums.ALGORITHMS.keys() & {header.removeprefix(_PREFIX) for header in headers}:
        _check_object_checksum(name, headers[_PREFIX + name], digest)


def _check_object_checksum(name: str, claimed: str, digest: Digest) -> None:
    """Of a composite checksum, clients send the number of parts or leave it out."""
    computed = digest.checksums.get(name)
    if computed is None:
        raise _bad(f"The upload has no {name} checksum of the whole object to compare with.")
    if claimed not in {computed, computed.partition("-")[0]}:
        raise RequestError("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def _common_crc(parts: tuple[PartEntry, ...]) -> str:
    """The first CRC that every part has; S3 names a checksum of the whole also where the client chose none."""
    for name, algorithm in checksums.ALGORITHMS.items():
        if algorithm.join is not None and all(name in entry.checksums for entry in parts):
            return name
    return ""


def _bad(message: str) -> RequestError:
    return RequestError("InvalidRequest", message)
