"""Are these the bytes that the record describes? Length, MD5 and checksums, computed while the bytes pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from domicile_common.checksums import ALGORITHMS, OWN, BodyHasher, composite, encode, multipart_md5
from domicile_common.model import Digest

MD5 = "md5"


class Verifier:
    """Sees a body once. ``cuts``: the sizes of the parts that the target is sent, empty for a plain PUT.

    ``proven``: so many of the parts on record are known to be what they should be, by their MD5; the body begins behind them, and what can
    only be computed from all of it is left out. The parts that the target is sent must then be those on record.
    """

    def __init__(self, digest: Digest, cuts: Sequence[int] = (), proven: int = 0) -> None:
        self._digest = digest
        self._proven = [part.etag for part in digest.parts[:proven]]
        self._size = sum(part.size for part in digest.parts[:proven])
        known = [name for name in digest.checksums if name in ALGORITHMS and not proven]
        composed = digest.checksum_type == "COMPOSITE"
        self._composite = known if composed else []
        self._full = [] if composed else known
        recorded = tuple(part.size for part in digest.parts)
        self._crc = "" if proven else digest.crc
        own = set() if proven else {OWN}
        self._whole = _Segments((digest.size,), {*self._full, *own, *(() if recorded and cuts else (MD5,))})
        self._recorded = _Segments(recorded[proven:], {MD5, *self._composite})
        self._sent = self._recorded if tuple(cuts) == recorded else _Segments(cuts, {MD5})
        self._segments = {id(segments): segments for segments in (self._whole, self._recorded, self._sent)}.values()

    def update(self, data: bytes) -> None:
        self._size += len(data)
        for segments in self._segments:
            segments.update(data)

    def fault(self) -> str | None:
        """What is wrong with the body that has ended, or ``None`` when it is what the record describes."""
        digest = self._digest
        if self._size != digest.size:
            return f"{self._size} bytes instead of {digest.size}"
        md5 = multipart_md5([*self._proven, *self._recorded.md5s()]) if digest.parts else self._whole.md5s()[0]
        if digest.md5 and md5 != digest.md5:
            return f"MD5 {md5} instead of {digest.md5}"
        for name in self._full:
            found = encode(self._whole.digests(name)[0])
            if found != digest.checksums[name]:
                return f"{name} {found} instead of {digest.checksums[name]}"
        if self._crc and (crc := encode(self._whole.digests(OWN)[0])) != self._crc:
            return f"CRC {crc} instead of {self._crc}"
        for name in self._composite:
            found = composite(name, [encode(part) for part in self._recorded.digests(name)])
            if found != digest.checksums[name]:
                return f"{name} {found} instead of {digest.checksums[name]}"
        return None

    def learned(self) -> Digest | None:
        """The record with what it did not know of a body without fault; ``None`` when it knew everything, or not all of it was seen."""
        digest = self._digest
        if self._proven or (digest.md5 and digest.crc and all(part.etag for part in digest.parts)):
            return None
        known = zip(digest.parts, self._recorded.md5s() if digest.parts else (), strict=True)
        return msgspec.structs.replace(
            digest,
            md5=digest.md5 or self._whole.md5s()[0],
            parts=tuple(msgspec.structs.replace(part, etag=md5) for part, md5 in known),
            crc=encode(self._whole.digests(OWN)[0]),
        )

    def etag(self) -> str:
        """The entity tag that S3 gives to what the target was sent."""
        parts = [*self._proven, *self._sent.md5s()]
        return f"{multipart_md5(parts)}-{len(parts)}" if parts else self._whole.md5s()[0]

    def part_md5(self, number: int) -> str:
        """Of a part that the target is sent, which has passed. ``number``: from 1."""
        return self._sent.md5(number - 1 - len(self._proven))


class _Segments:
    """Digests of consecutive pieces of a body; ``sizes`` in bytes. What comes after the last piece is ignored."""

    def __init__(self, sizes: Iterable[int], names: Iterable[str]) -> None:
        self._sizes = iter(sizes)
        self._names = tuple(names)
        self._hashers: list[BodyHasher] = []
        self._left = 0
        self._advance()

    def update(self, data: bytes) -> None:
        while data and self._left:
            piece = data[: self._left]
            self._hashers[-1].update(piece)
            data = data[len(piece) :]
            self._left -= len(piece)
            self._advance()

    def digests(self, name: str) -> list[bytes]:
        return [hasher.digest(name) for hasher in self._hashers]

    def md5(self, index: int) -> str:
        return self._hashers[index].digest(MD5).hex()

    def md5s(self) -> list[str]:
        return [digest.hex() for digest in self.digests(MD5)]

    def _advance(self) -> None:
        """Opens the next piece when this one is full; a piece of no bytes is full at once."""
        while not self._left:
            size = next(self._sizes, None)
            if size is None:
                return
            self._left = size
            self._hashers.append(BodyHasher(self._names))
