"""Snapshots of S3 accounts: what may be kept of them, in which form, and how two of them differ. Pure.

A snapshot is made of pieces that a browser sends. What is kept of a piece is what the structs below name, each field in the shape that it
has in S3's answers, and nothing else: whatever else a browser sends (owners, URLs, headers, credentials) is left out where the piece is
read. The keys of objects are kept, hashed or dropped, as whoever made the snapshot chose.

A piece is kept as one gzip member with a line of JSON for each bucket and each object, in order (``order``), so that any number of pieces
can be read as one ordered sequence without holding them. A whole snapshot is the members one after the other, behind a line that
describes it (``Header``); ``schema.json`` describes the lines.
"""

from __future__ import annotations

import gzip
import heapq
import hmac
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from domicile_common.model import Instant
from domicile_common.value import Value

FORMAT: Final = "domicile-snapshot/1"
LARGEST_PIECE = 10_000  # lines
UNKNOWN_CLASS = "STANDARD"  # S3 says nothing of an object in its standard class

BucketName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,255}\Z")]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:_-]{1,64}\Z")]
Etag = Annotated[str, msgspec.Meta(pattern=r'^"?[0-9A-Za-z+/=_-]{1,80}"?\Z')]
VersionId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,1024}\Z")]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]
Keys = Literal["kept", "hashed", "dropped"]
Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,255}\Z")]


class Bucket(Value, frozen=True, kw_only=True, tag="bucket", tag_field="line"):
    """A bucket and its settings; what could not be read is left out. ``error``: S3's code for why its objects could not be listed."""

    bucket: BucketName
    created_at: Instant | None = None
    region: Word | None = None
    versioning: Literal["Enabled", "Suspended", "Off"] | None = None
    object_lock: bool | None = None
    encryption: Word | None = None
    has_policy: bool | None = None
    is_public: bool | None = None
    has_lifecycle: bool | None = None
    has_replication: bool | None = None
    truncated: bool = False
    error: Word | None = None


class Object(Value, frozen=True, kw_only=True, tag="object", tag_field="line"):
    """One version of an object, or a delete marker. ``key``: ``hmac:<32 hex digits>`` when hashed, ``None`` when dropped. ``size``: bytes."""

    bucket: BucketName
    key: Key | None = None
    size: Size = 0
    etag: Etag | None = None
    last_modified: Instant | None = None
    storage_class: Word = UNKNOWN_CLASS
    version_id: VersionId | None = None
    is_latest: bool = True
    is_delete_marker: bool = False


class Header(Value, frozen=True, kw_only=True, tag="snapshot", tag_field="line", omit_defaults=False):
    """The first line. ``endpoint``: the origin of what was looked at. ``truncated``: there was more than was kept."""

    format: Literal["domicile-snapshot/1"] = FORMAT
    snapshot_id: str
    title: str
    endpoint: str
    keys: Keys
    created_at: Instant
    truncated: bool
    objects: int
    bytes: int


Line = Bucket | Object


class Piece(Value, frozen=True):
    """What a browser sends; lines need no ``line`` here. Unknown fields are left out, and so nothing of them is kept."""

    buckets: Annotated[tuple[Bucket, ...], msgspec.Meta(max_length=LARGEST_PIECE)] = ()
    objects: Annotated[tuple[Object, ...], msgspec.Meta(max_length=LARGEST_PIECE)] = ()


class Total(NamedTuple):
    objects: int
    bytes: int


class Kept(NamedTuple):
    """``content``: a gzip member. ``totals``: by bucket and storage class, without delete markers."""

    content: bytes
    objects: int
    totals: dict[tuple[str, str], Total]


def keep(piece: Piece, keys: Keys, hash_key: Callable[[str], str]) -> Kept:
    """A piece as it is kept. ``hash_key``: of an object's key, the same for the same key."""
    objects = [_with_key(it, keys, hash_key) for it in piece.objects]
    totals: dict[tuple[str, str], Total] = {}
    for it in objects:
        if not it.is_delete_marker:
            count, size = totals.get((it.bucket, it.storage_class), Total(0, 0))
            totals[it.bucket, it.storage_class] = Total(count + 1, size + it.size)
    lines = msgspec.json.Encoder().encode_lines(sorted([*piece.buckets, *objects], key=order))
    return Kept(pack(lines), len(objects), totals)


def _with_key(it: Object, keys: Keys, hash_key: Callable[[str], str]) -> Object:
    match keys:
        case "kept":
            return it
        case "hashed":
            return msgspec.structs.replace(it, key=None if it.key is None else hash_key(it.key))
        case "dropped":
            return msgspec.structs.replace(it, key=None)


def key_hasher(secret: bytes, owner: str) -> Callable[[str], str]:
    """Hashes keys so that they can be compared within one owner's snapshots, and guessed by nobody without ``secret``."""
    return lambda key: f"hmac:{hmac.digest(secret, json.dumps(['snapshot-key', owner, key]).encode(), 'sha256').hex()[:32]}"


def pack(lines: bytes) -> bytes:
    """The same bytes give the same member."""
    return gzip.compress(lines, compresslevel=6, mtime=0)


def header_member(header: Header) -> bytes:
    return pack(msgspec.json.encode(header) + b"\n")


def order(line: Line) -> tuple[str, str, str]:
    """A bucket comes before its objects. Versions of a key are in no order of time, but always in the same."""
    if isinstance(line, Bucket):
        return line.bucket, "", ""
    return line.bucket, line.key or "", line.version_id or ""


_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def lines_of(member: bytes) -> Iterator[Line]:
    """The lines of one kept piece, unpacked as they are asked for: a few KiB are held, however well it was compressed."""
    unpacking, packed, rest = zlib.decompressobj(wbits=31), member, b""
    while packed and not unpacking.eof:
        *whole, rest = (rest + unpacking.decompress(packed, _STEP)).split(b"\n")
        packed = unpacking.unconsumed_tail
        for line in whole:
            yield _LINE.decode(line)


_STEP = 16 << 10  # bytes


def merged(members: Iterable[bytes]) -> Iterator[Line]:
    """All lines of several pieces, in order."""
    return heapq.merge(*map(lines_of, members), key=order)


# --- how two of them differ ---


class Difference(Value, frozen=True, omit_defaults=False):
    """``before``, ``after``: ``None`` where it was, or is, not there."""

    bucket: str
    key: str | None
    version_id: str | None
    before: Object | None
    after: Object | None


class BucketDifference(Value, frozen=True, omit_defaults=False):
    bucket: str
    before: Bucket | None
    after: Bucket | None


class Sum(Value, frozen=True, omit_defaults=False):
    objects: int = 0
    bytes: int = 0

    def plus(self, it: Object) -> Sum:
        return Sum(self.objects + 1, self.bytes + it.size)


class Diff(Value, frozen=True, omit_defaults=False):
    """``objects`` and ``buckets``: the first differences; ``complete``: these are all of them.

    The sums count all objects, with the sizes that they have now, or had when they were ``removed``.
    """

    added: Sum
    removed: Sum
    changed: Sum
    same: Sum
    buckets: tuple[BucketDifference, ...]
    objects: tuple[Difference, ...]
    complete: bool


def diff(before: Iterable[Line], after: Iterable[Line], limit: int) -> Diff:
    """Compares two snapshots, each in order, holding nothing but what it answers.

    An object is known by bucket, key and version id, and has changed when anything else differs. Objects whose keys were dropped are left out.
    """
    sums = {"added": Sum(), "removed": Sum(), "changed": Sum(), "same": Sum()}
    buckets: list[BucketDifference] = []
    objects: list[Difference] = []
    left = 0
    marked = heapq.merge(_marked(before, 0), _marked(after, 1), key=lambda it: it[:2])
    for _, group in groupby(marked, key=lambda it: it[0]):
        for old, new in _pairs(group):
            kind = _kind(old, new)
            line = new or old
            if isinstance(line, Object):
                sums[kind] = sums[kind].plus(line)
            if kind == "same":
                continue
            if len(buckets) + len(objects) >= limit:
                left += 1
            elif isinstance(line, Object):
                objects.append(Difference(line.bucket, line.key, line.version_id, _object(old), _object(new)))
            elif line is not None:
                buckets.append(BucketDifference(line.bucket, _bucket(old), _bucket(new)))
    return Diff(**sums, buckets=tuple(buckets), objects=tuple(objects), complete=not left)


_Marked = tuple[tuple[str, str, str], int, Line]


def _marked(lines: Iterable[Line], side: int) -> Iterator[_Marked]:
    return ((order(it), side, it) for it in lines if isinstance(it, Bucket) or it.key is not None)


def _pairs(group: Iterable[_Marked]) -> Iterator[tuple[Line | None, Line | None]]:
    """What is of one place: usually one line of each side. A line that was sent twice counts once."""
    sides: tuple[dict[str, Line], dict[str, Line]] = ({}, {})
    for _, side, line in group:
        sides[side][type(line).__name__] = line
    for kind in sorted({*sides[0], *sides[1]}):
        yield sides[0].get(kind), sides[1].get(kind)


def _kind(old: Line | None, new: Line | None) -> str:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "same" if old == new else "changed"


def _object(line: Line | None) -> Object | None:
    return line if isinstance(line, Object) else None


def _bucket(line: Line | None) -> Bucket | None:
    return line if isinstance(line, Bucket) else None


def schema() -> str:
    """The JSON Schema of a line, as it stands in ``schema.json``; its patterns are ECMA 262's, where ``$`` is the very end."""
    made = msgspec.json.schema(Header | Bucket | Object)
    return json.dumps(made, indent=2).replace(r"\\Z", "$") + "\n"
