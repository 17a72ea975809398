"""What clients did and were told, and what that says of each key. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, Literal

from domicile_common.testing.chaos.linearizable import (
    ABSENT,
    MARKER,
    Clear,
    Erase,
    Event,
    Find,
    FindAll,
    Refuse,
    See,
    Step,
    Write,
    unexplained,
)
from domicile_common.value import Value

Kind = Literal["put", "multipart", "copy", "delete", "erase", "get", "head", "get version", "list", "list versions"]
WRITES: Final = frozenset({"put", "multipart", "copy"})
OK: Final = frozenset({200, 204})
DEFINITE: Final = frozenset({404, 405, 409, 412})
"""Answers by which a request has certainly changed nothing. All others, and none at all, leave that open."""
EXPECTED: Final = OK | DEFINITE | {0, 503}
NOBODY: Final = "w?"
"""What all writes that were not acknowledged and that nobody has seen write."""


class Listed(Value, frozen=True):
    """An entry of a list. ``version``: its id, in lists of versions."""

    key: str
    etag: str = ""
    version: str = ""
    is_marker: bool = False


class Operation(Value, frozen=True):
    """One request; of an upload in parts, its completion.

    ``invoked``, ``returned``: nanoseconds on one clock, up to when the client knew the answer, or gave up. ``status``: 0 without an answer.
    ``etag``: of what was written or read; ``md5``: of the bytes that were written, which is another when they came in parts.
    ``version``: the id that was answered, or asked for. ``seen``: the number of the write that a read found; ``content``: that of the write
    whose bytes it got, -1 when they were no write's; 0 when nothing was told. ``condition``: ``absent``, or the ETag that was to match.
    ``source``: the key that was copied. ``after``, ``to``: the keys that a page of a list covers, the first exclusive; ``to`` is empty on the
    last page. ``rule``: of the policy, which could not be satisfied, so that nothing was done.
    """

    number: int
    client: int
    kind: Kind
    bucket: str
    key: str = ""
    invoked: int = 0
    returned: int = 0
    status: int = 0
    code: str = ""
    etag: str = ""
    md5: str = ""
    version: str = ""
    seen: int = 0
    content: int = 0
    condition: str = ""
    source: str = ""
    after: str = ""
    to: str = ""
    listed: tuple[Listed, ...] = ()
    rule: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.status in OK

    @property
    def refused(self) -> bool:
        return self.status in DEFINITE or bool(self.rule)

    def covers(self, key: str) -> bool:
        return self.after < key and (not self.to or key <= self.to)


class Fault(Value, frozen=True):
    """Something that no order of operations explains. ``why``: for a person."""

    kind: Literal["lost", "resurrected", "unexplained", "wrong bytes"]
    bucket: str
    key: str
    number: int
    why: str


def check(history: Sequence[Operation], versioned: Collection[str] = ()) -> list[Fault]:
    """What contradicts the history. ``versioned``: the buckets that keep versions.

    Bodies that were read must be bodies that were written to that key, and all that each key showed must be explained by one order of what was
    done to it.
    """
    by_bucket: dict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_bucket[operation.bucket].append(operation)
    return [
        fault
        for bucket, operations in sorted(by_bucket.items())
        for fault in _check_bucket(_Bucket(operations, keeps=bucket in versioned))
    ]


def _check_bucket(bucket: _Bucket) -> Iterator[Fault]:
    yield from bucket.wrong_bytes()
    for key in bucket.keys:
        for event in unexplained(bucket.events(key)):
            operation = bucket.by_number[event.number]
            yield Fault(_kind(event.step), operation.bucket, key, event.number, _why(event, operation))


def _kind(step: Step) -> Literal["lost", "resurrected", "unexplained"]:
    """A read of nothing where something was acknowledged; of something that had been deleted or replaced; anything else."""
    match step:
        case See(tokens):
            return "resurrected" if tokens else "lost"
        case Find(_, is_there):
            return "resurrected" if is_there else "lost"
    return "unexplained"


def _why(event: Event, operation: Operation) -> str:
    told = f"{operation.kind} {operation.number} by client {operation.client} was answered {operation.status} {operation.code}".rstrip()
    return f"{told}, which means {event.step}"


def token(number: int) -> str:
    return f"w{number}"


class _Bucket:
    """The operations of one bucket, and what is known of its writes from all that was seen.

    Where versions are kept, the history must end with a list of the versions of each key and a look at each of them: then a write or a
    deletion without an answer that is not among them has not taken effect, because clients erase only what was acknowledged.
    """

    def __init__(self, operations: Sequence[Operation], *, keeps: bool) -> None:
        self._operations = operations
        self._keeps = keeps
        self.by_number = {operation.number: operation for operation in operations}
        self.keys = sorted({operation.key for operation in operations if operation.key})
        self._contents: dict[int, int] = {}
        self._first_seen: dict[int, int] = {}
        self._versions: dict[str, str] = {}
        self._shown: set[tuple[str, str]] = set()
        for operation in operations:
            self._learn(operation)
        self._by_etag: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._by_md5: dict[tuple[str, str], set[int]] = defaultdict(set)
        for operation in operations:
            if operation.kind in WRITES and not operation.refused:
                self._by_etag[operation.key, self._etag(operation)].add(operation.number)
                self._by_md5[operation.key, self._md5(operation)].add(operation.number)
        self._markers = {key: self._unanswered_markers(key) for key in self.keys} if keeps else {}

    def _learn(self, operation: Operation) -> None:
        """What an answer tells of a write beside its own: that it took effect, by when, with which version id and bytes."""
        if operation.acknowledged and operation.version and operation.kind in WRITES:
            self._versions[operation.version] = token(operation.number)
        if operation.acknowledged and operation.version and operation.kind == "delete":
            self._versions[operation.version] = f"{MARKER}{operation.number}"
        self._shown.update((entry.key, entry.etag) for entry in operation.listed)
        if operation.seen:
            first = self._first_seen.get(operation.seen, operation.returned)
            self._first_seen[operation.seen] = min(first, operation.returned)
            if operation.content:
                self._contents.setdefault(operation.seen, operation.content)
            if operation.version:
                self._versions.setdefault(operation.version, token(operation.seen))

    def _md5(self, write: Operation) -> str:
        """Of what was written; of a copy without an answer that of the bytes that it was found to have, ``""`` when nobody has looked."""
        if write.kind != "copy" or write.acknowledged:
            return write.md5
        original = self.by_number.get(self._contents.get(write.number, 0))
        return original.md5 if original else ""

    def _etag(self, write: Operation) -> str:
        return self._md5(write) if write.kind == "copy" else write.etag

    def _unanswered_markers(self, key: str) -> dict[str, Event]:
        """By version id, the delete markers that deletions without an answer have made, as far as there were so many.

        Which has made which is not known: each may have come about at any time from the first such deletion until it was first seen.
        """
        deletions = [
            it for it in self._operations if it.kind == "delete" and it.key == key and not it.acknowledged and not it.refused
        ]
        found: dict[str, Event] = {}
        for operation in sorted(self._operations, key=lambda each: each.returned):
            for entry in operation.listed:
                unknown = entry.key == key and entry.is_marker and entry.version not in self._versions
                if unknown and entry.version not in found and len(found) < len(deletions):
                    step = Write(f"{MARKER} {entry.version}", keeps=True)
                    since = min(deletion.invoked for deletion in deletions)
                    found[entry.version] = Event(operation.number, step, since, operation.returned)
        return found

    def wrong_bytes(self) -> Iterator[Fault]:
        """Reads whose body is not what the write that they name has written."""
        for operation in self._operations:
            written = self.by_number.get(operation.seen)
            if operation.content and (
                written is None or written.key != operation.key or operation.content != self._written(written)
            ):
                why = f"{operation.kind} {operation.number} found write {operation.seen} with the bytes of {operation.content}"
                yield Fault("wrong bytes", operation.bucket, operation.key, operation.number, why)

    def _written(self, write: Operation) -> int:
        """Whose bytes a write has written: its own, but for a copy; 0 when nobody has looked."""
        return self._contents.get(write.number, 0) if write.kind == "copy" else write.number

    def events(self, key: str) -> list[Event]:
        told = [event for operation in self._operations for event in self._of(operation, key)]
        return [*told, *self._markers.get(key, {}).values()]

    def _of(self, operation: Operation, key: str) -> Iterator[Event]:
        """What an operation says of one key."""
        if operation.key == key or (not operation.key and operation.covers(key)):
            step = self._change(operation) or self._sight(operation, key)
            if step is not None:
                yield Event(operation.number, step, operation.invoked, self._returned(operation, step))
        if operation.kind == "copy" and operation.source == key:
            seen = self._copied(operation)
            if seen is not None:
                by_then = self._first_seen.get(operation.number, operation.returned)
                yield Event(operation.number, See(seen), operation.invoked, max(operation.returned, by_then))

    def _returned(self, operation: Operation, step: Step) -> int | None:
        """A write that somebody has seen had taken effect by then, whatever its own client was told."""
        if operation.acknowledged or operation.refused:
            return operation.returned
        return self._first_seen.get(operation.number) if isinstance(step, Write) else None

    def _change(self, operation: Operation) -> Step | None:
        """What an operation has done, or may do without an answer."""
        if operation.refused:
            return None
        match operation.kind:
            case "put" | "multipart" | "copy":
                return self._write(operation)
            case "delete" if not self._keeps:
                return Clear()
            case "delete" if operation.acknowledged:
                return Write(f"{MARKER}{operation.number}", keeps=True)
            case "erase":
                return Erase(self._versions.get(operation.version, operation.version))
        return None

    def _write(self, write: Operation) -> Write | None:
        condition = self._condition(write) if write.condition else None
        if write.acknowledged or write.number in self._first_seen:
            return Write(token(write.number), self._keeps, condition)
        if self._keeps:
            return None
        etag = self._etag(write)
        is_seen = not etag or (write.key, etag) in self._shown
        return Write(token(write.number) if is_seen else NOBODY, condition=condition)

    def _condition(self, operation: Operation) -> frozenset[str]:
        return ABSENT if operation.condition == "absent" else self._with_etag(operation.key, operation.condition)

    def _sight(self, operation: Operation, key: str) -> Step | None:  # noqa: PLR0911 -- one for each way of looking
        """What an operation has found out about a key; ``None`` when it has told nothing."""
        if not (operation.acknowledged or operation.refused):
            return None
        match operation.kind:
            case "put" if operation.status == HTTPStatus.PRECONDITION_FAILED:
                return Refuse(self._condition(operation))
            case "put" if operation.status == HTTPStatus.NOT_FOUND and operation.condition:
                return See(ABSENT)
            case "get" | "head":
                return See(frozenset({token(operation.seen)}) if operation.acknowledged else ABSENT)
            case "get version":
                return Find(self._versions.get(operation.version, operation.version), operation.acknowledged)
            case "list":
                etags = [entry.etag for entry in operation.listed if entry.key == key]
                return See(self._with_etag(key, etags[0]) if etags else ABSENT)
            case "list versions":
                return FindAll(tuple(self._listed(entry) for entry in reversed(operation.listed) if entry.key == key))
        return None

    def _listed(self, entry: Listed) -> str:
        made = self._markers[entry.key].get(entry.version)
        if made is not None and isinstance(made.step, Write):
            return made.step.token
        return self._versions.get(entry.version, f"unknown version {entry.version}")

    def _with_etag(self, key: str, etag: str) -> frozenset[str]:
        """The writes to a key that this may be."""
        return _tokens(self._by_etag[key, etag] | self._by_etag[key, ""], etag)

    def _copied(self, copy: Operation) -> frozenset[str] | None:
        """What a copy has found at its source; ``None`` when nobody can tell."""
        if copy.status == HTTPStatus.NOT_FOUND:
            return ABSENT
        md5 = self._md5(copy)
        return _tokens(self._by_md5[copy.source, md5] | self._by_md5[copy.source, ""], md5) if md5 else None


def _tokens(numbers: Collection[int], etag: str) -> frozenset[str]:
    """Among them are copies of which nobody has told the bytes: they may be anything."""
    return frozenset(map(token, numbers)) or frozenset({f"no write with ETag {etag}"})


def unexpected(history: Iterable[Operation]) -> list[Operation]:
    """Those with answers that no fault of ours may cause."""
    return [operation for operation in history if operation.status not in EXPECTED and not operation.rule]
