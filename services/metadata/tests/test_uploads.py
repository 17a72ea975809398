import asyncio

import pytest

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import (
    Abort,
    BeginComplete,
    CompletedPart,
    FindUpload,
    ListParts,
    Locate,
    PutPart,
    RegisterUpload,
    Stored,
)
from domicile_common.model import Facts, Part

pytestmark = pytest.mark.servers

BIG = 5 << 20


@pytest.fixture
async def upload(metadata):
    """An upload of ``k`` that is registered at its backend."""
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k", upload=True, facts=Facts(metadata={"a": "b"}))
    await metadata.ask(
        RegisterUpload(
            bucket_id=bucket.bucket_id,
            upload_id=intent.version_id,
            uploads={"us": "backend's own"},
            checksum_algorithm="crc32",
            checksum_type="FULL_OBJECT",
        )
    )
    return intent


def named(upload, **fields):
    return {"bucket_id": upload.bucket_id, "key": "k", "upload_id": upload.version_id, **fields}


async def put(metadata, upload, number, size=BIG, etag=None, **fields):
    part = Part(number, size, etag or f"{number:032x}")
    await metadata.ask(PutPart(bucket_id=upload.bucket_id, upload_id=upload.version_id, part=part, **fields))
    return part


def complete(upload, *parts, **fields):
    return BeginComplete(**named(upload), parts=tuple(CompletedPart(part.number, part.etag, **fields) for part in parts))


async def test_an_upload_is_found_as_it_was_registered(metadata, upload):
    found = await metadata.ask(FindUpload(**named(upload)))
    assert found.uploads == {"us": "backend's own"}
    assert found.blobs == upload.blobs[:1]  # only where parts are written
    assert found.facts.metadata == {"a": "b"}
    assert (found.checksum_algorithm, found.checksum_type) == ("crc32", "FULL_OBJECT")


async def test_parts_are_listed_and_replaced(metadata, upload):
    for number in (3, 1, 2):
        await put(metadata, upload, number, checksums={"crc32": f"c{number}"})
    again = await put(metadata, upload, 2, size=7, etag="f" * 32)
    page = await metadata.ask(ListParts(**named(upload, limit=2)))
    assert [entry.part.number for entry in page.parts] == [1, 2]
    assert page.parts[1].part == again
    assert page.parts[0].checksums == {"crc32": "c1"}
    assert page.truncated
    page = await metadata.ask(ListParts(**named(upload, after=2)))
    assert [entry.part.number for entry in page.parts] == [3]
    assert not page.truncated
    assert page.upload == await metadata.ask(FindUpload(**named(upload)))


@pytest.mark.parametrize("number", [0, -1, 10_001, 2**40])
async def test_part_numbers_have_bounds(metadata, upload, number):
    with pytest.raises(RequestError, match="InvalidArgument"):
        await put(metadata, upload, number)
    assert (await metadata.ask(ListParts(**named(upload, after=number)))).parts == ()


async def test_a_completed_upload_becomes_a_version_of_its_parts(metadata, upload):
    parts = [await put(metadata, upload, 1), await put(metadata, upload, 2), await put(metadata, upload, 7, size=1)]
    completion = await metadata.ask(complete(upload, parts[0], parts[2]))
    assert [entry.part for entry in completion.parts] == [parts[0], parts[2]]
    assert await metadata.ask(complete(upload, parts[0], parts[2])) == completion  # after a failure on the way to the commit
    with pytest.raises(RequestError, match="InvalidRequest"):
        await metadata.ask(complete(upload, parts[0]))
    committed = await metadata.ask(metadata.commit(upload, size=BIG + 1, md5="d" * 32, stored=(Stored("us", "x"),)))
    assert committed.version.digest.etag == "d" * 32 + "-2"
    located = await metadata.ask(Locate(bucket_id=upload.bucket_id, key="k"))
    assert located.version.digest.parts == (parts[0], parts[2])
    assert await metadata.sql("SELECT FROM parts") == []
    with pytest.raises(RequestError, match="NoSuchUpload"):
        await metadata.ask(complete(upload, parts[0], parts[2]))


async def test_an_upload_may_have_ten_thousand_parts(metadata, upload):
    await metadata.sql(
        "INSERT INTO parts (bucket_id, upload_id, number, size, etag)"
        " SELECT $1, $2, number, $3, lpad(to_hex(number), 32, '0') FROM generate_series(1, 10000) AS number",
        upload.bucket_id,
        upload.version_id,
        BIG,
    )
    whole = complete(upload, *(Part(number, BIG, f"{number:032x}") for number in range(1, 10_001)))
    chosen = await metadata.ask(whole)
    assert [entry.part.number for entry in chosen.parts] == [*range(1, 10_001)]
    await metadata.ask(metadata.commit(upload, stored=(Stored("us", "x"),)))
    parts = (await metadata.ask(Locate(bucket_id=upload.bucket_id, key="k"))).version.digest.parts
    assert (len(parts), sum(part.size for part in parts)) == (10_000, 10_000 * BIG)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [([], "InvalidRequest"), ([2, 1], "InvalidPartOrder"), ([1, 1], "InvalidPartOrder"), ([1, 4], "InvalidPart"), ([1, 3, 2], "InvalidPartOrder"), ([3, 5], "EntityTooSmall")],
)  # fmt: skip
async def test_what_cannot_be_completed(metadata, upload, numbers, code):
    for number in (1, 2, 5):
        await put(metadata, upload, number)
    await put(metadata, upload, 3, size=BIG - 1)
    with pytest.raises(RequestError) as refused:
        await metadata.ask(complete(upload, *(Part(number, 0, f"{number:032x}") for number in numbers)))
    assert refused.value.code == code


async def test_parts_must_be_what_the_client_names(metadata, upload):
    part = await put(metadata, upload, 1, checksums={"crc32": "c"})
    for named_part in (
        CompletedPart(1, "0" * 32),
        CompletedPart(1, part.etag, {"crc32": "other"}),
        CompletedPart(1, part.etag, {"sha1": "c"}),
    ):
        with pytest.raises(RequestError, match="InvalidPart"):
            await metadata.ask(BeginComplete(**named(upload), parts=(named_part,)))
    await metadata.ask(complete(upload, part, checksums={"crc32": "c"}))


async def test_an_upload_whose_parts_were_not_chosen_is_not_committed(metadata, upload):
    with pytest.raises(RequestError, match="InvalidRequest"):
        await metadata.ask(metadata.commit(upload))


async def test_every_call_about_an_upload_that_is_gone_says_so(metadata, upload):
    wrong = [
        named(upload, key="other"),
        named(upload, upload_id="1" * 32),
        named(upload, upload_id="?"),
        named(upload, bucket_id="1" * 32),
    ]
    for fields in wrong:
        with pytest.raises(RequestError, match="NoSuchUpload"):
            await metadata.ask(FindUpload(**fields))
    await metadata.ask(Abort(bucket_id=upload.bucket_id, version_id=upload.version_id))
    for request in (
        FindUpload(**named(upload)),
        ListParts(**named(upload)),
        complete(upload, Part(1, 1, "e")),
        RegisterUpload(bucket_id=upload.bucket_id, upload_id=upload.version_id, uploads={}),
        PutPart(bucket_id=upload.bucket_id, upload_id=upload.version_id, part=Part(1, 1, "e")),
    ):
        with pytest.raises(RequestError, match="NoSuchUpload"):
            await metadata.ask(request)
    assert await metadata.replicas(upload.version_id) == {"us": "deleting"}


async def test_a_plain_write_is_no_upload(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "k")
    with pytest.raises(RequestError, match="NoSuchUpload"):
        await put(metadata, intent, 1)


async def test_parts_keep_an_upload_alive_and_an_expired_one_is_gone(metadata, upload):
    await metadata.sql("UPDATE intents SET deadline = now() + interval '1 hour'")
    await asyncio.gather(*(put(metadata, upload, number) for number in range(1, 30)))
    (row,) = await metadata.sql("SELECT deadline > now() + interval '6 days' AS renewed FROM intents")
    assert row["renewed"]
    await metadata.sql("UPDATE intents SET deadline = now()")
    with pytest.raises(RequestError, match="NoSuchUpload"):
        await put(metadata, upload, 30)
