"""What is true once everything is mended and nothing is left to do: at the S3 endpoint, in the record, and at every backend itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from domicile_common.stamps import sidecar_key
from domicile_common.testing.chaos.clients import KEYS, Client, Ledger
from domicile_common.testing.chaos.history import Fault, Operation, check
from domicile_common.testing.installation import Installation, patiently, until
from domicile_common.testing.raw_s3 import Answer, RawS3

_LEFT = "SELECT count(*) FROM intents"
_PARKED = "SELECT backend_id, state, parked_reason FROM replicas WHERE parked_reason IS NOT NULL ORDER BY 1, 2, 3"
_OWED = """SELECT backend_id, blob_key, state, attempt, next_attempt_at, parked_reason
             FROM replicas
            WHERE state NOT IN ('stored', 'verified') OR NOT stamped
            LIMIT 20"""
_REPLICAS = """SELECT buckets.name, convert_from(versions.key, 'UTF8'), replace(version_id::text, '-', ''), versions.digest ->> 'md5',
                      backend_id, namespace, blob_key, replicas.state,
                      is_inside_lock(countries, buckets.jurisdictions, country, backends.jurisdictions), buckets.versioning = 'enabled'
                 FROM versions
                 JOIN buckets USING (bucket_id)
                 LEFT JOIN replicas USING (bucket_id, version_id)
                 LEFT JOIN backends USING (backend_id)
                WHERE NOT is_delete_marker
                ORDER BY 1, 2, 3, 5"""
_OUTSIDE = """SELECT name, backend_id, namespace
                FROM namespaces
                JOIN buckets ON buckets.tenant_id = namespaces.tenant_id AND buckets.name = namespaces.bucket
                JOIN backends USING (backend_id)
               WHERE NOT is_inside_lock(countries, buckets.jurisdictions, country, backends.jurisdictions)"""


class Copy(NamedTuple):
    """A row of the record: a version, and where one of its copies should be."""

    bucket: str
    key: str
    version_id: str
    md5: str
    backend_id: str | None
    namespace: str
    blob_key: str
    state: str
    is_inside: bool
    keeps: bool

    @property
    def where(self) -> str:
        return f"{self.bucket}/{self.key} version {self.version_id} at {self.backend_id}"


@dataclass
class Findings:
    """What is wrong. ``faults``: with what clients see; the others: with what lies at backends, and with what is still owed.

    ``parked``: what was given up meanwhile, for an operator to see. ``copies``: how many were compared.
    """

    faults: list[Fault] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    copies: int = 0

    def counts(self) -> dict[str, int]:
        """What must be zero."""
        seen = Counter(fault.kind for fault in self.faults)
        return {
            "lost": seen["lost"] + len(self.lost),
            "resurrected": seen["resurrected"],
            "misplaced": len(self.misplaced),
            "orphaned": len(self.orphaned),
            "unexplained reads": seen["unexplained"] + seen["wrong bytes"],
            "unfinished work": len(self.unfinished),
        }

    def lines(self) -> list[str]:
        found = [f"{fault.kind}: {fault.bucket}/{fault.key}: {fault.why}" for fault in self.faults]
        for kind in ("lost", "misplaced", "orphaned", "unfinished", "parked"):
            found += [f"{kind}: {what}" for what in getattr(self, kind)]
        return found


def examine(domicile: Installation, reader: Client, ledger: Ledger, buckets: dict[str, bool], patience: float = 180) -> Findings:
    """Everything, once what was broken is mended. ``buckets``: name → whether it keeps versions. ``patience``: seconds for what is still owed."""
    findings = Findings()
    settle(domicile, findings, patience)
    read_everything(reader, buckets, ledger.history)
    compare(domicile, findings, buckets)
    findings.faults += check(ledger.history, [name for name, keeps in buckets.items() if keeps])
    return findings


def settle(domicile: Installation, findings: Findings, patience: float) -> None:
    """Waits until nothing is owed, under way or expected. What was parked is noted, and tried again as an operator would."""

    def is_settled() -> bool:
        if given_up := domicile.sql(_PARKED):
            findings.parked += map(str, given_up)
            domicile.admin("POST", "/jobs/replay", {})
        return domicile.sql(_LEFT) == [(0,)]

    try:
        until(is_settled, patience)
        domicile.idle(patience)
    except AssertionError as error:
        findings.unfinished.append(str(error))
        findings.unfinished += map(str, domicile.sql(_OWED))


def read_everything(client: Client, buckets: dict[str, bool], history: Sequence[Operation]) -> None:
    """Lists and reads all that is there, and all that was ever acknowledged, as the last part of the history."""

    def answered(act: Callable[..., Operation], *arguments: str) -> Operation:
        def once() -> None:
            operation = act(*arguments)
            assert operation.acknowledged or operation.refused, operation
            found.append(operation)

        found: list[Operation] = []
        patiently(once)
        return found[-1]

    told = {
        (it.bucket, it.key, it.version)
        for it in history
        if it.acknowledged and it.version and it.kind in {"put", "copy", "multipart"}
    }
    for bucket, keeps in buckets.items():
        answered(client.list_all, bucket)
        for key in KEYS:
            answered(client.get, bucket, key)
            answered(client.head, bucket, key)
            if keeps:
                listed = answered(client.list_versions, bucket, key).listed
                shown = {entry.version for entry in listed if not entry.is_marker}
                for version in sorted(shown | {version for place, name, version in told if (place, name) == (bucket, key)}):
                    answered(client.get_version, bucket, key, version)


def compare(domicile: Installation, findings: Findings, buckets: Collection[str]) -> None:
    """The record of these buckets with what lies at the backends, object by object, byte by byte, and with what the policies ask for."""
    copies = [copy for row in domicile.sql(_REPLICAS) if (copy := Copy(*row)).bucket in buckets]
    findings.copies += len(copies)
    findings.misplaced += [f"{it.bucket}/{it.key} at {it.backend_id}" for it in copies if it.backend_id and not it.is_inside]
    findings.misplaced += _outside(domicile, buckets)
    findings.orphaned += _unexplained_objects(domicile, copies, buckets)
    findings.unfinished += [f"{copy.where} is {copy.state}" for copy in copies if copy.state != "verified"]
    findings.lost += _unlike(domicile, [copy for copy in copies if copy.state == "verified"])
    outstanding = domicile.admin("POST", "/placement/preview", {})
    if outstanding["changed_objects"] or outstanding["unsatisfied"]:
        findings.unfinished.append(f"policies are not satisfied: {outstanding}")


def _outside(domicile: Installation, buckets: Collection[str]) -> Iterator[str]:
    """Whatever lies at a backend outside its bucket's lock."""
    for bucket, backend_id, namespace in domicile.sql(_OUTSIDE):
        if bucket in buckets:
            for key in (*domicile.everything(backend_id, namespace), *domicile.uploads(backend_id, namespace)):
                yield f"{bucket}: {key} at {backend_id}"


def _unexplained_objects(domicile: Installation, copies: Sequence[Copy], buckets: Collection[str]) -> Iterator[str]:
    """Objects, sidecars and unfinished uploads at backends that no row speaks of; also in physical buckets that nobody knows."""
    explained: dict[tuple[str, str], set[str]] = defaultdict(set)
    for copy in copies:
        explained[copy.backend_id or "", copy.namespace] |= {copy.blob_key, sidecar_key(copy.blob_key or "")}
    others = {
        namespace for bucket, namespace in domicile.sql("SELECT bucket, namespace FROM namespaces") if bucket not in buckets
    }
    for backend_id in domicile.backends:
        for namespace in set(domicile.namespaces(backend_id)) - others:
            for key in domicile.everything(backend_id, namespace):
                if key not in explained[backend_id, namespace]:
                    yield f"{key} in {namespace} at {backend_id}"
            for key in domicile.uploads(backend_id, namespace):
                yield f"an unfinished upload of {key} in {namespace} at {backend_id}"


def _unlike(domicile: Installation, copies: Sequence[Copy]) -> Iterator[str]:
    """Copies that are not there, or have other bytes than the client gets."""
    served: dict[tuple[str, str, str], bytes] = {}
    raw = domicile.raw()
    for copy in copies:
        place = copy.bucket, copy.key, copy.version_id
        if place not in served:
            answer = _whole(raw, f"/{copy.bucket}/{copy.key}" + (f"?versionId={copy.version_id}" if copy.keeps else ""))
            if answer.status != HTTPStatus.OK:
                yield f"{copy.where} is not served: {answer.status} {answer.code}"
            served[place] = answer.body
        try:
            held = domicile.read({"backend_id": copy.backend_id, "namespace": copy.namespace, "blob_key": copy.blob_key})
        except domicile.at(str(copy.backend_id)).exceptions.NoSuchKey:
            yield f"{copy.where} is not there"
            continue
        if held != served[place]:
            yield f"{copy.where} has other bytes"


def _whole(raw: RawS3, target: str) -> Answer:
    """An answer to a GET in full. A read that meets a copy with wrong bytes breaks off, and its next try gets others, if there are any."""
    answers: list[Answer] = []
    patiently(lambda: answers.append(raw.send("GET", target)))
    return answers[-1]
