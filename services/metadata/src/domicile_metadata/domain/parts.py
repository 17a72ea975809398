"""Which parts make the version. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import CompletedPart, PartEntry

FIRST_PART: Final = 1
LAST_PART: Final = 10_000
SMALLEST_PART: Final = 5 << 20  # bytes; the last part may be smaller


def check_part_number(number: int) -> None:
    if not FIRST_PART <= number <= LAST_PART:
        raise RequestError(
            "InvalidArgument",
            f"Part number must be an integer between {FIRST_PART} and {LAST_PART}, inclusive",
            {"ArgumentName": "partNumber", "ArgumentValue": str(number)},
        )


def choose_parts(recorded: Mapping[int, PartEntry], named: Sequence[CompletedPart]) -> tuple[PartEntry, ...]:
    """The recorded parts that the client names, which must be what it names them to be.

    Raises ``RequestError``: ``InvalidRequest`` (none), ``InvalidPartOrder``, ``InvalidPart``, ``EntityTooSmall``.
    """
    if not named:
        raise RequestError("InvalidRequest", "You must specify at least one part")
    if any(first.number >= second.number for first, second in pairwise(named)):
        raise RequestError(
            "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."
        )
    chosen = tuple(_recorded(recorded, part) for part in named)
    for entry in chosen[:-1]:
        if entry.part.size < SMALLEST_PART:
            raise RequestError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                {
                    "ProposedSize": str(entry.part.size),
                    "MinSizeAllowed": str(SMALLEST_PART),
                    "PartNumber": str(entry.part.number),
                    "ETag": entry.part.etag,
                },
            )
    return chosen


def _recorded(recorded: Mapping[int, PartEntry], named: CompletedPart) -> PartEntry:
    entry = recorded.get(named.number)
    if entry is None or entry.part.etag != named.etag or not named.checksums.items() <= entry.checksums.items():
        raise RequestError(
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been uploaded, "
            "or the specified entity tag may not match the part's entity tag.",
            {"PartNumber": str(named.number), "ETag": named.etag},
        )
    return entry
