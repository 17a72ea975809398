import uuid
from itertools import islice

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ListObjects, ListUploads, ObjectEntry
from domicile_metadata.storage.database import QUERIES

pytestmark = pytest.mark.servers

PIECES = ["a", "b", "/", "//", "ü", "\U0001f600", "\uffff", "\x00", "\x7f", "%", "_", "\\", "~", "ab"]
texts = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
keys = st.sets(texts.filter(bool), max_size=25)
delimiters = st.sampled_from(["", "/", "//", "a", "ü"])

INSERT = """
WITH made AS (
    INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null)
    SELECT $1::uuid, gen_random_uuid(), key, length(key), 'e', 'STANDARD', '{"size": 1, "md5": "e", "checksums": {"crc32": "x"}}', '{}', '{}', true
      FROM unnest($2::bytea[]) AS key
    RETURNING bucket_id, key, version_id
)
INSERT INTO objects SELECT * FROM made
"""


async def fill(metadata, names) -> str:
    """A new bucket that holds these keys: its id."""
    bucket_id = uuid.uuid4().hex
    await metadata.sql(
        "INSERT INTO buckets (bucket_id, tenant_id, name, location) VALUES ($1::text::uuid, 'acme', $1::text, '')", bucket_id
    )
    await metadata.sql(INSERT, bucket_id, [name.encode() for name in names])
    return bucket_id


def rolled(key: str, prefix: str, delimiter: str) -> str:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key if at < 0 else key[: at + len(delimiter)]


def listing(names, prefix: str, delimiter: str, after: str):
    """What S3 lists, by brute force: (entry, whether it is a common prefix), in order."""
    skips = (
        bool(after)
        and after.startswith(prefix)
        and delimiter in after[len(prefix) :]
        and rolled(after, prefix, delimiter) == after
    )
    seen = set()
    for key in sorted(names, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode() or (skips and delimiter and key.startswith(after)):
            continue
        entry = rolled(key, prefix, delimiter)
        is_prefix = bool(delimiter) and delimiter in key[len(prefix) :]
        if (entry, is_prefix) not in seen:
            seen.add((entry, is_prefix))
            yield entry, is_prefix


async def pages(metadata, request):
    """All pages from ``request`` on, as (entry, whether it is a common prefix)."""
    entries = []
    while True:
        page = await metadata.ask(request)
        found = [(entry.key, False) for entry in page.objects] + [(prefix, True) for prefix in page.prefixes]
        assert len(found) <= request.limit
        entries += sorted(found, key=lambda entry: entry[0].encode())
        if not page.truncated:
            return entries
        assert page.last == entries[-1][0]
        request = msgspec.structs.replace(request, after=page.last)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=keys, page=st.fixed_dictionaries({"prefix": texts, "delimiter": delimiters, "after": texts}), limit=st.integers(1, 4)
)
async def test_pages_of_objects_are_what_brute_force_lists(metadata, names, page, limit):
    request = ListObjects(bucket_id=await fill(metadata, names), limit=limit, **page)
    assert await pages(metadata, request) == list(listing(names, **page))
    expected = list(islice(listing(names, **page), limit + 1))
    assert (await metadata.ask(request)).truncated == (len(expected) > limit)


async def test_an_entry_tells_what_s3_shows(metadata):
    bucket_id = await fill(metadata, ["a"])
    page = await metadata.ask(ListObjects(bucket_id=bucket_id))
    entry = page.objects[0]
    assert entry == ObjectEntry("a", 1, "e", entry.last_modified, "STANDARD", ("crc32",), "FULL_OBJECT")
    assert (page.truncated, page.last) == (False, "a")


async def test_edges_of_a_listing(metadata):
    bucket_id = await fill(metadata, ["a", "b"])
    page = await metadata.ask(ListObjects(bucket_id=bucket_id, limit=0))
    assert (page.objects, page.truncated) == ((), False)
    page = await metadata.ask(ListObjects(bucket_id=bucket_id, limit=-1))
    assert page.objects == ()
    page = await metadata.ask(ListObjects(bucket_id=bucket_id, after="b"))
    assert (page.objects, page.truncated, page.last) == ((), False, "")
    for unknown in ("1" * 32, "?"):
        with pytest.raises(RequestError, match="NoSuchBucket"):
            await metadata.ask(ListObjects(bucket_id=unknown))
        with pytest.raises(RequestError, match="NoSuchBucket"):
            await metadata.ask(ListUploads(bucket_id=unknown))


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize(
    ("query", "args", "limit"),
    [
        ("scan_objects", (b"", b"", 101), 101),
        ("scan_objects", (b"dir1", b"dir1/1", 101), 101),
        ("walk_objects", (b"", b"/", b"", 101), 101),
        ("walk_objects", (b"dir1/", b"/", b"dir1/1", 101), 101),
    ],
)
async def test_a_page_costs_what_a_page_costs(metadata, query, args, limit):
    """Of 30,000 keys under 300 prefixes, only those of the page are touched, by index."""
    bucket_id = await fill(metadata, [f"dir{i % 300}/{i}" for i in range(30_000)])
    plan = await metadata.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUERIES[query]}", bucket_id, *args)
    for node in nodes(msgspec.json.decode(plan[0][0])[0]["Plan"]):
        touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        assert node["Node Type"] not in {"Seq Scan", "Bitmap Heap Scan", "Hash Join", "Merge Join"}, node
        assert touched <= limit + 1, node  # this holds for sorts, too: nothing but the page is ever sorted


async def test_uploads_are_listed_by_key_and_id(metadata):
    bucket = await metadata.make_bucket()
    names = ["a", "a", "a/1", "a/2", "b", "ü/1"]
    made = sorted([(key, (await metadata.begin(bucket, key, upload=True)).version_id) for key in names])
    await metadata.begin(bucket, "plain")
    expired = await metadata.begin(bucket, "expired", upload=True)
    await metadata.sql("UPDATE intents SET deadline = now() WHERE version_id = $1", expired.version_id)

    async def listed(**fields):
        page = await metadata.ask(ListUploads(bucket_id=bucket.bucket_id, **fields))
        return [(upload.key, upload.upload_id) for upload in page.uploads], page.prefixes, page.truncated

    assert await listed() == (made, (), False)
    assert await listed(limit=2) == (made[:2], (), True)
    assert await listed(after_key="a", after_upload=made[0][1]) == (made[1:], (), False)
    assert await listed(after_key="a") == (made[2:], (), False)
    assert await listed(prefix="a/", after_key="a") == (made[2:4], (), False)
    assert await listed(delimiter="/") == ([*made[:2], made[4]], ("a/", "ü/"), False)
    assert await listed(delimiter="/", after_key="a/") == ([made[4]], ("ü/",), False)
    assert await listed(delimiter="/", limit=3) == (made[:2], ("a/",), True)
    assert await listed(limit=0) == ([], (), False)
