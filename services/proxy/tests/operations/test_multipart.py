"""Multipart uploads from creation to completion, with what can go wrong between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from domicile_common import checksums
from domicile_common.errors import BackendUnavailable, BlobMismatch, RequestError, Unavailable, UploadNotFound
from domicile_common.metadata_client.models import (
    Abort,
    Begin,
    BeginComplete,
    Commit,
    Committed,
    Completion,
    Condition,
    Empty,
    FindUpload,
    Intent,
    ListParts,
    ListUploads,
    Locate,
    Located,
    PartEntry,
    PartPage,
    PutPart,
    RegisterUpload,
    ReopenUpload,
    Stored,
    Upload,
    UploadEntry,
    UploadPage,
)
from domicile_common.model import Blob, Decision, Digest, Facts, Part, Version
from domicile_proxy.s3.multipart import Promise, check_completion, etag_of, read_promise, whole_digest

WHEN = datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
UPLOAD_ID = "0123456789abcdef" * 2
BLOBS = tuple(Blob(backend_id=name, namespace=f"ns-{name}", blob_key=f"key/{UPLOAD_ID}") for name in ("fi", "de"))
PARTS = (b"a" * 100_000, b"b" * 10)


def text(body: Any, name: str) -> str | None:
    return fromstring(body).findtext(NS + name)


def checksum(name: str, body: bytes) -> str:
    hasher = checksums.BodyHasher((name,))
    hasher.update(body)
    return checksums.encode(hasher.digest(name))


def etag(body: bytes) -> str:
    hasher = checksums.BodyHasher(("md5",))
    hasher.update(body)
    return hasher.digest("md5").hex()


def intent(call: Begin) -> Intent:
    assert call.upload
    write = tuple(name for name in ("fi", "de", "se") if name not in call.avoid)[:2]
    return Intent(
        bucket_id=call.bucket_id,
        key=call.key,
        version_id=UPLOAD_ID,
        decision=Decision(wanted=("fi", "de", "se"), write=write, policy_version=1, reason="test"),
        blobs=(*BLOBS, Blob(backend_id="se", namespace="ns-se", blob_key=f"key/{UPLOAD_ID}")),
        deadline=WHEN + timedelta(days=7),
    )


class Record:
    """What metadata would keep of one upload."""

    def __init__(self, proxy: Any, algorithm: str = "", checksum_type: str = "", quorum: int = 2) -> None:
        self.upload = Upload(
            bucket_id=proxy.bucket.bucket_id,
            key="key",
            upload_id=UPLOAD_ID,
            initiated_at=WHEN,
            facts=Facts(),
            blobs=BLOBS,
            uploads={name: f"{name}-0" for name in ("fi", "de")},
            checksum_algorithm=algorithm,
            checksum_type=checksum_type,
            quorum=quorum,
        )
        self.parts: dict[int, PartEntry] = {}
        self.committed: Version | None = None
        for name, store in proxy.stores.items():
            store.uploads[f"{name}-0"] = {}
        proxy.metadata.answers |= {
            FindUpload: lambda call: self.upload if call.key == "key" else RequestError("NoSuchUpload"),
            PutPart: self.put_part,
            BeginComplete: lambda call: Completion(
                upload=self.upload, parts=tuple(self.parts[part.number] for part in call.parts)
            ),
            Commit: self.commit,
        }

    def put_part(self, call: PutPart) -> Empty:
        uploads = {name: theirs for name, theirs in self.upload.uploads.items() if name not in call.dropped}
        blobs = tuple(blob for blob in self.upload.blobs if blob.backend_id in uploads)
        self.upload = msgspec.structs.replace(self.upload, uploads=uploads, blobs=blobs)
        self.parts[call.part.number] = PartEntry(part=call.part, last_modified=WHEN, checksums=call.checksums)
        return Empty()

    def commit(self, call: Commit) -> Committed:
        digest = msgspec.structs.replace(call.digest, parts=tuple(entry.part for entry in self.parts.values()))
        self.committed = Version(
            bucket_id=call.bucket_id, key="key", version_id=UPLOAD_ID, committed_at=WHEN, facts=Facts(), digest=digest
        )
        return Committed(self.committed)


def completion(*parts: bytes) -> bytes:
    rows = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag(part)}"</ETag></Part>' for number, part in enumerate(parts, 1)
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


async def upload_parts(proxy: Any, *parts: bytes, **headers: str) -> None:
    for number, part in enumerate(parts, 1):
        params = {"uploadId": UPLOAD_ID, "partNumber": str(number)}
        answer = await proxy.ask("PUT", "key", params, {name.replace("_", "-"): value for name, value in headers.items()}, part)
        assert answer.headers["etag"] == f'"{etag(part)}"'


async def complete(proxy: Any, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return await proxy.ask("POST", "key", {"uploadId": UPLOAD_ID}, headers, body)


# --- create ---


async def test_create_begins_before_any_backend_and_registers_after(proxy):
    proxy.metadata.answers |= {Begin: intent, RegisterUpload: Empty()}
    headers = {
        "content-type": "text/plain",
        "x-amz-meta-a": "1",
        "x-amz-tagging": "replica-count=3",
        "x-amz-checksum-algorithm": "CRC32C",
    }
    answer = await proxy.ask("POST", "key", {"uploads": ""}, headers)
    assert text(answer.body, "UploadId") == UPLOAD_ID
    assert text(answer.body, "Bucket") == "bucket"
    assert (answer.headers["x-amz-checksum-algorithm"], answer.headers["x-amz-checksum-type"]) == ("CRC32C", "COMPOSITE")
    begin, register = proxy.metadata.asked
    assert begin.facts == Facts(headers={"content-type": "text/plain"}, metadata={"a": "1"}, tags={"replica-count": "3"})
    assert begin.policy.replica_count == 3
    assert register.uploads == {"fi": "fi-0", "de": "de-0"}
    assert (register.upload_id, register.checksum_algorithm, register.checksum_type) == (UPLOAD_ID, "crc32c", "COMPOSITE")
    assert proxy.stores["fi"].uploads["fi-0"]["content-type"] == "text/plain"


async def test_create_goes_elsewhere_when_a_backend_is_away(proxy):
    proxy.stores["se"] = type(proxy.stores["fi"])("se")
    proxy.stores["de"].failing["create_upload"] = BackendUnavailable("de", "away")
    proxy.metadata.answers |= {Begin: intent, RegisterUpload: Empty(), Abort: Empty()}
    await proxy.ask("POST", "key", {"uploads": ""})
    first, abort, second, register = proxy.metadata.asked
    assert (type(first), type(abort), second.avoid) == (Begin, Abort, ("de",))
    assert set(register.uploads) == {"fi", "se"}


async def test_create_that_cannot_be_registered_is_abandoned(proxy):
    proxy.metadata.answers |= {Begin: intent, RegisterUpload: Unavailable("away"), Abort: Empty()}
    with pytest.raises(Unavailable):
        await proxy.ask("POST", "key", {"uploads": ""})
    assert isinstance(proxy.metadata.asked[-1], Abort)


@pytest.mark.parametrize(
    ("headers", "promise"),
    [
        ({}, Promise("", "FULL_OBJECT")),
        ({"algorithm": "CRC32"}, Promise("crc32", "COMPOSITE")),
        ({"algorithm": "CRC64NVME"}, Promise("crc64nvme", "FULL_OBJECT")),
        ({"algorithm": "CRC32", "type": "FULL_OBJECT"}, Promise("crc32", "FULL_OBJECT")),
        ({"algorithm": "SHA256", "type": "COMPOSITE"}, Promise("sha256", "COMPOSITE")),
    ],
)
def test_promises(headers: dict[str, str], promise: Promise):
    assert read_promise({f"x-amz-checksum-{name}": value for name, value in headers.items()}) == promise


@pytest.mark.parametrize(
    "headers",
    [
        {"algorithm": "ROT13"},
        {"type": "COMPOSITE"},
        {"algorithm": "CRC32", "type": "HALF"},
        {"algorithm": "SHA1", "type": "FULL_OBJECT"},
        {"algorithm": "CRC64NVME", "type": "COMPOSITE"},
    ],
)
def test_promises_that_cannot_be_kept(headers: dict[str, str]):
    with pytest.raises(RequestError) as refused:
        read_promise({f"x-amz-checksum-{name}": value for name, value in headers.items()})
    assert refused.value.code == "InvalidRequest"


# --- parts ---


async def test_a_part_goes_to_every_backend_of_the_upload_and_is_recorded(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    for name, store in proxy.stores.items():
        assert store.parts == {(f"{name}-0", 1): PARTS[0], (f"{name}-0", 2): PARTS[1]}
    assert [entry.part for entry in record.parts.values()] == [
        Part(number=number, size=len(part), etag=etag(part), crc=checksum("crc64nvme", part))
        for number, part in enumerate(PARTS, 1)
    ]
    assert record.parts[1].checksums == {"crc64nvme": checksum("crc64nvme", PARTS[0])}


async def test_a_part_is_hashed_as_the_upload_promised(proxy):
    record = Record(proxy, "sha256", "COMPOSITE")
    await upload_parts(proxy, PARTS[0])
    await upload_parts(proxy, PARTS[0], x_amz_checksum_sha256=checksum("sha256", PARTS[0]))
    assert record.parts[1].checksums == {"sha256": checksum("sha256", PARTS[0])}
    params = {"uploadId": UPLOAD_ID, "partNumber": "1"}
    wrong_kind = {"x-amz-checksum-crc32": checksum("crc32", PARTS[0])}
    wrong_value = {"x-amz-checksum-sha256": checksum("sha256", PARTS[1])}
    assert await proxy.refusal("PUT", "key", params, wrong_kind, PARTS[0]) == "InvalidRequest"
    assert await proxy.refusal("PUT", "key", params, wrong_value, PARTS[0]) == "BadDigest"


async def test_a_bad_part_is_completed_nowhere(proxy):
    record = Record(proxy)
    params = {"uploadId": UPLOAD_ID, "partNumber": "1"}
    bad = {"content-md5": checksum("md5", b"other")}
    assert await proxy.refusal("PUT", "key", params, bad, PARTS[0]) == "BadDigest"
    assert [(store.parts, store.aborted) for store in proxy.stores.values()] == [({}, 1), ({}, 1)]
    assert record.parts == {}


async def test_a_part_that_one_backend_cannot_take_fails(proxy):
    record = Record(proxy)
    proxy.stores["de"].failing["finish"] = BackendUnavailable("de", "away")
    with pytest.raises(BackendUnavailable):
        await upload_parts(proxy, PARTS[0])
    assert record.parts == {}
    proxy.stores["de"].failing = {"open_part": UploadNotFound("de", "NoSuchUpload")}
    assert await proxy.refusal("PUT", "key", {"uploadId": UPLOAD_ID, "partNumber": "1"}, {}, b"x") == "NoSuchUpload"


@pytest.mark.parametrize("step", ["open_part", "finish"])
async def test_an_upload_goes_on_without_a_backend_that_it_does_not_need(proxy, step):
    Record(proxy, quorum=1)
    await upload_parts(proxy, PARTS[0])
    proxy.stores["de"].failing[step] = BackendUnavailable("de", "away")
    await upload_parts(proxy, *PARTS)
    assert [call.dropped for call in proxy.metadata.asked if isinstance(call, PutPart)] == [(), ("de",), ()]
    assert proxy.stores["de"].uploads == {}
    await complete(proxy, completion(*PARTS))
    assert [stored.backend_id for stored in proxy.metadata.asked[-1].stored] == ["fi"]


async def test_a_completion_needs_its_quorum(proxy):
    Record(proxy, quorum=1)
    await upload_parts(proxy, *PARTS)
    proxy.stores["fi"].failing["complete_upload"] = BackendUnavailable("fi", "away")
    await complete(proxy, completion(*PARTS))
    assert [stored.backend_id for stored in proxy.metadata.asked[-1].stored] == ["de"]


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
async def test_part_numbers_go_from_1_to_10000(proxy, number: str):
    Record(proxy)
    assert await proxy.refusal("PUT", "key", {"uploadId": UPLOAD_ID, "partNumber": number}, {}, b"x") == "InvalidArgument"


@pytest.mark.parametrize("upload_id", ["", "x", UPLOAD_ID.upper(), UPLOAD_ID + "0", "../x"])
async def test_what_is_no_upload_id_is_no_upload(proxy, upload_id: str):
    for method, params in (("PUT", {"partNumber": "1"}), ("GET", {}), ("DELETE", {})):
        assert await proxy.refusal(method, "key", {"uploadId": upload_id} | params, {}, b"x") == "NoSuchUpload"
    assert await proxy.refusal("POST", "key", {"uploadId": upload_id}, {}, completion(b"x")) == "NoSuchUpload"
    assert proxy.metadata.asked == []


# --- complete ---


async def test_complete_makes_the_blob_everywhere_and_commits(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    answer = await complete(proxy, completion(*PARTS), {"if-none-match": "*", "x-amz-mp-object-size": "100010"})
    whole = b"".join(PARTS)
    expected = etag_of(etag(part) for part in PARTS)
    for store in proxy.stores.values():
        assert store.blobs == {f"key/{UPLOAD_ID}": (whole, expected)}
    commit = proxy.metadata.asked[-1]
    assert commit.digest == Digest(
        size=len(whole),
        md5=expected.partition("-")[0],
        checksums={"crc64nvme": checksum("crc64nvme", whole)},
        crc=checksum("crc64nvme", whole),
    )
    assert commit.condition == Condition(if_none_match=True)
    assert commit.stored == (Stored("fi", expected, stamped=False), Stored("de", expected, stamped=False))
    assert text(answer.body, "ETag") == f'"{expected}"'
    assert text(answer.body, "Location") == "http://s3.example:9000/bucket/key"
    assert text(answer.body, "ChecksumCRC64NVME") == checksum("crc64nvme", whole)
    assert text(answer.body, "ChecksumType") == "FULL_OBJECT"
    assert record.committed


async def test_a_composite_checksum(proxy):
    Record(proxy, "sha256", "COMPOSITE")
    await upload_parts(proxy, *PARTS)
    expected = checksums.composite("sha256", [checksum("sha256", part) for part in PARTS])
    headers = {"x-amz-checksum-sha256": expected, "x-amz-checksum-type": "COMPOSITE"}
    answer = await complete(proxy, completion(*PARTS), headers)
    assert text(answer.body, "ChecksumSHA256") == expected
    assert text(answer.body, "ChecksumType") == "COMPOSITE"
    assert proxy.metadata.asked[-1].digest.crc == checksum("crc64nvme", b"".join(PARTS))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-mp-object-size": "100011"}, "InvalidRequest"),
        ({"x-amz-checksum-type": "FULL_OBJECT"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-checksum-sha256": checksum("sha256", b"")}, "BadDigest"),
        ({"if-modified-since": "x"}, "NotImplemented"),
    ],
)
async def test_a_completion_that_says_something_else_is_refused_before_anything_is_fixed(proxy, headers, code):
    record = Record(proxy, "sha256", "COMPOSITE")
    await upload_parts(proxy, *PARTS)
    with pytest.raises(RequestError) as refused:
        await complete(proxy, completion(*PARTS), headers)
    assert refused.value.code == code
    assert [store.blobs for store in proxy.stores.values()] == [{}, {}]
    assert not [call for call in proxy.metadata.asked if isinstance(call, BeginComplete) and call.fix]
    assert record.committed is None


async def test_a_completion_can_be_repeated_after_a_backend_failed(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    proxy.stores["de"].failing["complete_upload"] = BackendUnavailable("de", "away")
    with pytest.raises(BackendUnavailable):
        await complete(proxy, completion(*PARTS))
    assert record.committed is None
    proxy.stores["de"].failing = {}
    await complete(proxy, completion(*PARTS))  # at "fi" it is completed already
    assert record.committed


REFUSED = BlobMismatch("", "POST: HTTP 400 InvalidPart")


@pytest.mark.parametrize("answer", [Empty(), Unavailable("away")])
async def test_parts_that_no_backend_puts_together_are_the_clients_to_choose(proxy, answer):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    proxy.metadata.answers[ReopenUpload] = answer
    for store in proxy.stores.values():
        store.failing["complete_upload"] = REFUSED
    with pytest.raises(RequestError) as refused:
        await complete(proxy, completion(*PARTS))
    assert refused.value.code == "InvalidPart"
    assert record.committed is None
    assert isinstance(proxy.metadata.asked[-1], ReopenUpload)


@pytest.mark.parametrize("of_the_other", [None, BackendUnavailable("fi", "away")])
async def test_parts_of_which_a_backend_may_have_made_a_blob_are_not_chosen_again(proxy, of_the_other):
    """``Record`` does not answer what should not be asked."""
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    proxy.stores["de"].failing["complete_upload"] = REFUSED
    if of_the_other:
        proxy.stores["fi"].failing["complete_upload"] = of_the_other
    with pytest.raises(BackendUnavailable if of_the_other else RequestError, match="away" if of_the_other else "InvalidPart"):
        await complete(proxy, completion(*PARTS))
    assert record.committed is None


@pytest.mark.parametrize("refusal", [REFUSED, UploadNotFound("de", "NoSuchUpload")])
async def test_a_completion_goes_on_without_a_backend_that_it_does_not_need(proxy, refusal):
    """Whatever is wrong there. While another one might still do it, the client is told to try again."""
    record = Record(proxy, quorum=1)
    await upload_parts(proxy, *PARTS)
    proxy.stores["de"].failing["complete_upload"] = refusal
    proxy.stores["fi"].failing["complete_upload"] = BackendUnavailable("fi", "away")
    with pytest.raises(Unavailable):
        await complete(proxy, completion(*PARTS))
    assert record.committed is None
    proxy.stores["fi"].failing = {}
    await complete(proxy, completion(*PARTS))
    assert [stored.backend_id for stored in proxy.metadata.asked[-1].stored] == ["fi"]


async def test_a_backend_that_has_neither_upload_nor_blob_ends_the_upload(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    proxy.stores["de"].uploads.clear()
    with pytest.raises(RequestError) as refused:
        await complete(proxy, completion(*PARTS))
    assert refused.value.code == "NoSuchUpload"
    assert record.committed is None


async def test_a_blob_of_another_size_or_etag_is_not_believed(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    store = proxy.stores["de"]
    store.uploads.clear()
    for content, tag in ((b"short", "x-2"), (b"".join(PARTS), "x-2")):
        store.blobs[f"key/{UPLOAD_ID}"] = (content, tag)
        with pytest.raises(BlobMismatch):
            await complete(proxy, completion(*PARTS))
    assert record.committed is None


async def test_a_lost_answer_is_given_again(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    await complete(proxy, completion(*PARTS))
    proxy.metadata.answers[BeginComplete] = RequestError("NoSuchUpload")
    proxy.metadata.answers[Locate] = Located(version=record.committed, replicas=())
    again = await complete(proxy, completion(*PARTS))
    assert text(again.body, "ETag") == f'"{record.committed.digest.etag}"'
    for other in (completion(PARTS[0]), completion(*PARTS).replace(etag(PARTS[0]).encode(), b"x")):
        with pytest.raises(RequestError) as refused:
            await complete(proxy, other)
        assert refused.value.code == "NoSuchUpload"
    proxy.metadata.answers[Locate] = RequestError("NoSuchKey")
    with pytest.raises(RequestError) as refused:
        await complete(proxy, completion(*PARTS))
    assert refused.value.code == "NoSuchUpload"


async def test_a_commit_without_an_answer_leaves_the_upload_to_be_completed_again(proxy):
    record = Record(proxy)
    await upload_parts(proxy, *PARTS)
    proxy.metadata.answers[Commit] = Unavailable("away")
    with pytest.raises(Unavailable):
        await complete(proxy, completion(*PARTS))
    assert not [call for call in proxy.metadata.asked if isinstance(call, Abort)]
    proxy.metadata.answers[Commit] = record.commit
    await complete(proxy, completion(*PARTS))
    assert record.committed


@given(
    st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=6), st.sampled_from(["", "crc32", "crc32c", "crc64nvme"])
)
def test_the_checksum_of_the_whole_follows_from_those_of_the_parts(parts: list[bytes], algorithm: str):
    upload = Upload(
        bucket_id="b",
        key="k",
        upload_id="u",
        initiated_at=WHEN,
        facts=Facts(),
        blobs=(),
        uploads={},
        checksum_algorithm=algorithm,
    )
    name = algorithm or "crc32c"
    entries = tuple(
        PartEntry(
            part=Part(number=number, size=len(part), etag=etag(part)), last_modified=WHEN, checksums={name: checksum(name, part)}
        )
        for number, part in enumerate(parts, 1)
    )
    digest = whole_digest(upload, entries)
    assert digest.checksums == {name: checksum(name, b"".join(parts))}
    assert digest.size == len(b"".join(parts))
    check_completion({f"x-amz-checksum-{name}": digest.checksums[name]}, upload, digest)


def test_parts_without_a_common_checksum_have_none_of_the_whole():
    upload = Upload(bucket_id="b", key="k", upload_id="u", initiated_at=WHEN, facts=Facts(), blobs=(), uploads={})
    entries = tuple(
        PartEntry(part=Part(number=number, size=1, etag="0" * 32), last_modified=WHEN, checksums={name: "x"})
        for number, name in enumerate(("sha1", "crc32"), 1)
    )
    assert whole_digest(upload, entries).checksums == {}


def test_an_object_has_at_most_5_tib():
    upload = Upload(bucket_id="b", key="k", upload_id="u", initiated_at=WHEN, facts=Facts(), blobs=(), uploads={})
    entry = PartEntry(part=Part(number=1, size=5 * 1024**4 + 1, etag="0" * 32), last_modified=WHEN)
    with pytest.raises(RequestError) as refused:
        whole_digest(upload, (entry,))
    assert refused.value.code == "EntityTooLarge"


# --- abort and lists ---


async def test_abort(proxy):
    Record(proxy)
    proxy.metadata.answers[Abort] = Empty()
    assert (await proxy.ask("DELETE", "key", {"uploadId": UPLOAD_ID})).status == 204
    assert proxy.metadata.asked[-1].version_id == UPLOAD_ID
    assert await proxy.refusal("DELETE", "other", {"uploadId": UPLOAD_ID}) == "NoSuchUpload"


async def test_list_parts(proxy):
    record = Record(proxy)
    entry = PartEntry(part=Part(number=7, size=5, etag="e" * 32), last_modified=WHEN)
    proxy.metadata.answers[ListParts] = PartPage(upload=record.upload, parts=(entry,), truncated=True)
    answer = await proxy.ask("GET", "key", {"uploadId": UPLOAD_ID, "part-number-marker": "6", "max-parts": "1"})
    assert (text(answer.body, "NextPartNumberMarker"), text(answer.body, "IsTruncated")) == ("7", "true")
    call = proxy.metadata.asked[-1]
    assert (call.after, call.limit, call.upload_id) == (6, 1, UPLOAD_ID)
    none = await proxy.ask("GET", "key", {"uploadId": UPLOAD_ID, "max-parts": "0"})
    assert (text(none.body, "MaxParts"), text(none.body, "IsTruncated")) == ("0", "false")
    assert await proxy.refusal("GET", "key", {"uploadId": UPLOAD_ID, "max-parts": "x"}) == "InvalidArgument"


def upload_entry(key: str) -> UploadEntry:
    return UploadEntry(key=key, upload_id=UPLOAD_ID, initiated_at=WHEN, storage_class="STANDARD")


@pytest.mark.parametrize(
    ("keys", "prefixes", "expected"),
    [
        (["a", "ä"], ["b/"], ("ä", UPLOAD_ID)),
        (["a"], ["b/"], ("b/", "")),
        ([], ["b/"], ("b/", "")),
        (["a"], [], ("a", UPLOAD_ID)),
    ],
)
async def test_list_uploads_continues_where_the_page_ended(proxy, keys, prefixes, expected):
    page = UploadPage(uploads=tuple(upload_entry(key) for key in keys), prefixes=tuple(prefixes), truncated=True)
    proxy.metadata.answers[ListUploads] = page
    answer = await proxy.ask("GET", None, {"uploads": "", "delimiter": "/", "max-uploads": "2", "upload-id-marker": "ignored"})
    assert (text(answer.body, "NextKeyMarker"), text(answer.body, "NextUploadIdMarker")) == expected
    call = proxy.metadata.asked[-1]
    assert (call.delimiter, call.limit, call.after_key, call.after_upload) == ("/", 2, "", "")


async def test_list_uploads_of_none(proxy):
    answer = await proxy.ask("GET", None, {"uploads": "", "max-uploads": "0"})
    assert (text(answer.body, "MaxUploads"), text(answer.body, "IsTruncated")) == ("0", "false")
