from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json

import httpx
import pytest
from starlette.applications import Starlette

from domicile_metadata.handlers.admin import admin_routes

pytestmark = pytest.mark.servers

NEW = {"endpoint": "https://s3.example:9000", "keys": "kept", "title": "before the move"}
PIECE = {
    "buckets": [{"bucket": "a", "versioning": "Enabled", "owner": "AKIASECRETKEY"}],
    "objects": [
        {
            "bucket": "a",
            "key": "y/é",
            "size": 5,
            "etag": '"abc"',
            "last_modified": "2026-01-02T03:04:05Z",
            "url": "https://x?X-Amz-Signature=q",
        },
        {"bucket": "a", "key": "x", "size": 7, "storage_class": "GLACIER"},
        {"bucket": "a", "key": "x", "version_id": "v", "is_delete_marker": True},
    ],
    "secret_key": "wJalrXUtnFEMI",
}


def lines(response):
    """Of a piece, which httpx has unpacked."""
    return [json.loads(line) for line in response.text.splitlines()]


async def begin(person, **changes):
    return (await person.call("POST", "/snapshots", NEW | changes, 201))["snapshot_id"]


async def limited(admin, person, **caps):
    """The same service with other caps, asked by the same person."""
    context = dataclasses.replace(admin.context, settings=admin.context.settings.model_copy(update=caps))
    transport = httpx.ASGITransport(Starlette(routes=admin_routes(context)))
    return dataclasses.replace(person, client=httpx.AsyncClient(transport=transport, base_url="http://metadata"))


async def test_a_snapshot_is_made_shown_read_exported_and_deleted(sign_in):
    ann = await sign_in("acme")
    made = await ann.call("POST", "/snapshots", NEW, 201)
    place = f"/snapshots/{made['snapshot_id']}"
    kept = await ann.call("PUT", f"{place}/pieces/3", PIECE)
    assert (kept["objects"], kept["bytes"], kept["pieces"], kept["truncated"]) == (3, 12, 1, False)
    assert (await ann.call("POST", f"{place}/finish"))["finished_at"]
    shown = await ann.call("GET", place)
    assert shown["numbers"] == [3]
    assert shown["totals"] == [
        {"bucket": "a", "storage_class": "GLACIER", "objects": 1, "bytes": 7},
        {"bucket": "a", "storage_class": "STANDARD", "objects": 1, "bytes": 5},
    ]
    read = lines(await ann.ask("GET", f"{place}/pieces/3"))
    assert [(line["line"], line.get("key")) for line in read] == [
        ("bucket", None),
        ("object", "x"),
        ("object", "x"),
        ("object", "y/é"),
    ]
    export = await ann.ask("GET", f"{place}/export")
    header, *rest = [json.loads(line) for line in gzip.decompress(export.content).splitlines()]
    assert (header["format"], header["title"], rest) == ("domicile-snapshot/1", "before the move", read)
    assert "attachment" in export.headers["content-disposition"]
    await ann.call("DELETE", place)
    await ann.call("GET", place, status=404)
    assert (await ann.call("GET", "/snapshots"))["snapshots"] == []


async def test_nothing_is_kept_that_is_not_named(admin, sign_in):
    ann = await sign_in("acme")
    snapshot = await begin(ann)
    await ann.call("PUT", f"/snapshots/{snapshot}/pieces/0", PIECE)
    stored = gzip.decompress(await admin.sql.fetchval("SELECT content FROM snapshot_pieces"))
    rows = str(await admin.sql.fetch("SELECT snapshots::text FROM snapshots"))
    for secret in ("AKIASECRETKEY", "Signature", "wJalr"):
        assert secret not in stored.decode()
        assert secret not in rows
    assert b"y/\xc3\xa9" in stored


@pytest.mark.parametrize("keys", ["hashed", "dropped"])
async def test_keys_are_hashed_or_dropped_before_anything_is_stored(admin, sign_in, keys):
    ann = await sign_in("acme")
    snapshot = await begin(ann, keys=keys)
    await ann.call("PUT", f"/snapshots/{snapshot}/pieces/0", PIECE)
    stored = gzip.decompress(await admin.sql.fetchval("SELECT content FROM snapshot_pieces")).decode()
    assert "y/é" not in stored
    assert (stored.count("hmac:"), stored.count('"key"')) == ((3, 3) if keys == "hashed" else (0, 0))


async def test_a_tenant_never_sees_anothers_and_an_operator_sees_all(admin, sign_in):
    ann, ben = await sign_in("acme"), await sign_in("zeta")
    snapshot = await begin(ann)
    await ann.call("PUT", f"/snapshots/{snapshot}/pieces/0", PIECE)
    place = f"/snapshots/{snapshot}"
    for method, path, body in (
        ("GET", place, None),
        ("GET", f"{place}/pieces/0", None),
        ("PUT", f"{place}/pieces/1", PIECE),
        ("GET", f"{place}/export", None),
        ("POST", f"{place}/finish", {}),
        ("DELETE", place, None),
    ):
        refused = await ben.call(method, path, body, 404)
        assert refused["error"]["message"] == f"There is no snapshot {snapshot}."
    assert (await ben.call("GET", "/snapshots"))["snapshots"] == []
    operators = (await admin.call("POST", "/snapshots", NEW, 201))["snapshot_id"]
    assert [it["snapshot_id"] for it in (await ann.call("GET", "/snapshots"))["snapshots"]] == [snapshot]
    assert len((await admin.call("GET", "/snapshots"))["snapshots"]) == 2
    assert (await admin.call("GET", place))["snapshot"]["tenant_id"] == "acme"
    await ann.call("GET", f"/snapshots/{operators}", status=404)


async def test_nobody_gets_in_without_a_session(admin):
    del admin.client.headers["X-Admin-Key"]
    await admin.refused(401, "AccessDenied", "GET", "/snapshots")


async def test_a_key_that_reads_reads_and_changes_nothing(sign_in):
    ann, reader = await sign_in("acme"), await sign_in("acme", "read")
    snapshot = await begin(ann)
    assert (await reader.call("GET", f"/snapshots/{snapshot}"))["snapshot"]["title"] == "before the move"
    for method, path, body in (
        ("POST", "", NEW),
        ("PUT", f"/{snapshot}/pieces/0", PIECE),
        ("POST", f"/{snapshot}/finish", {}),
        ("DELETE", f"/{snapshot}", None),
    ):
        assert (await reader.call(method, f"/snapshots{path}", body, 403))["error"]["code"] == "NotAllowed"


async def test_a_piece_may_be_sent_again_but_not_another_in_its_place_and_none_after_the_end(sign_in):
    ann = await sign_in("acme")
    place = f"/snapshots/{await begin(ann)}"
    first = await ann.call("PUT", f"{place}/pieces/0", PIECE)
    assert await ann.call("PUT", f"{place}/pieces/0", PIECE) == first
    assert (await ann.call("PUT", f"{place}/pieces/0", {"objects": []}, 409))["error"]["code"] == "PieceExists"
    ended = await ann.call("POST", f"{place}/finish", {"truncated": True})
    assert ended["truncated"]
    assert (await ann.call("PUT", f"{place}/pieces/1", PIECE, 409))["error"]["code"] == "SnapshotFinished"
    assert await ann.call("PUT", f"{place}/pieces/0", PIECE) == ended
    assert await ann.call("POST", f"{place}/finish", {}) == ended


async def test_pieces_that_come_at_once_are_all_kept(sign_in):
    ann = await sign_in("acme")
    place = f"/snapshots/{await begin(ann)}"
    await asyncio.gather(*(ann.call("PUT", f"{place}/pieces/{number}", PIECE) for number in range(8)))
    shown = await ann.call("GET", place)
    assert (shown["numbers"], shown["snapshot"]["objects"]) == (list(range(8)), 24)
    assert [total["objects"] for total in shown["totals"]] == [8, 8]


@pytest.mark.parametrize(
    "caps,objects",
    [({"snapshot_objects": 4}, 4), ({"snapshot_bytes": 300}, 3), ({"snapshot_pieces": 1}, 3), ({"snapshot_objects": 2}, 2)],
)
async def test_more_than_a_cap_is_left_out_and_the_mark_says_so(admin, sign_in, caps, objects):
    ann = await limited(admin, await sign_in("acme"), **caps)
    place = f"/snapshots/{await begin(ann)}"
    for number in range(3):
        await ann.call("PUT", f"{place}/pieces/{number}", PIECE)
    shown = await ann.call("GET", place)
    assert (shown["snapshot"]["objects"], shown["snapshot"]["truncated"]) == (objects, True)
    header = json.loads(gzip.decompress((await ann.ask("GET", f"{place}/export")).content).splitlines()[0])
    assert header["truncated"]
    assert (await ann.call("GET", "/snapshots"))["snapshots"][0]["truncated"]
    await ann.client.aclose()


async def test_nobody_may_have_too_many(admin, sign_in):
    ann = await limited(admin, await sign_in("acme"), snapshots_per_owner=1)
    snapshot = await begin(ann)
    assert (await ann.call("POST", "/snapshots", NEW, 409))["error"]["code"] == "TooManySnapshots"
    await admin.call("POST", "/snapshots", NEW, 201)
    await ann.call("DELETE", f"/snapshots/{snapshot}")
    await begin(ann)
    await ann.client.aclose()


async def test_they_are_listed_in_pages_the_newest_first(admin, sign_in):
    ann = await sign_in("acme")
    made = sorted([await begin(ann) for _ in range(3)], reverse=True)
    first = await ann.call("GET", "/snapshots", limit=2)
    assert ([it["snapshot_id"] for it in first["snapshots"]], first["truncated"]) == (made[:2], True)
    rest = await ann.call("GET", "/snapshots", after=made[1])
    assert ([it["snapshot_id"] for it in rest["snapshots"]], rest["truncated"]) == (made[2:], False)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "https://key:secret@s3.example"},
        {"endpoint": "https://s3.example/path"},
        {"endpoint": "https://s3.example?X-Amz-Signature=1"},
        {"endpoint": "ftp://s3.example"},
        {"keys": "all"},
        {"title": "x" * 201},
        {"secret_key": "x"},
    ],
)
async def test_a_bad_beginning_is_refused_and_leaves_nothing(admin, sign_in, changes):
    ann = await sign_in("acme")
    await ann.call("POST", "/snapshots", NEW | changes, 400)
    assert await admin.sql.fetchval("SELECT count(*) FROM snapshots") == 0


@pytest.mark.parametrize(
    "number,piece,status",
    [
        ("0", b"{", 400),
        ("0", {"objects": [{"bucket": "a", "size": "x"}]}, 400),
        ("0", {"objects": [{"bucket": "a", "key": "\x00"}]}, 200),  # a key may hold it, and the line is JSON
        ("-1", PIECE, 400),
        ("x", PIECE, 400),
        ("1000001", PIECE, 400),
        ("\u0663", PIECE, 400),
        ("0", b'{"objects":[{"bucket":"a","key":"' + b"x" * (5 << 20) + b'"}]}', 400),
    ],
)
async def test_a_bad_piece_is_refused_and_leaves_nothing(admin, sign_in, number, piece, status):
    ann = await sign_in("acme")
    snapshot = await begin(ann)
    await ann.call("PUT", f"/snapshots/{snapshot}/pieces/{number}", piece, status)
    assert await admin.sql.fetchval("SELECT count(*) FROM snapshot_pieces") == (status == 200)


@pytest.mark.parametrize("snapshot", ["x", "0" * 32, "0" * 31 + "'", "%00"])
async def test_what_is_not_there_is_404(sign_in, snapshot):
    ann = await sign_in("acme")
    assert (await ann.call("GET", f"/snapshots/{snapshot}", status=404))["error"]["code"] == "NoSuchSnapshot"
    await ann.call("DELETE", f"/snapshots/{snapshot}", status=404)
