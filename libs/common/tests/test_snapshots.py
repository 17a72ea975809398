from __future__ import annotations

import gzip
import json
import tracemalloc
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common import snapshots
from domicile_common.snapshots import Bucket, Header, Object, Piece, Sum, Total, diff, keep, key_hasher, lines_of, merged, order

HASH = key_hasher(b"a secret", "acme")

names = st.sampled_from(["a", "b", "c"])
objects = st.builds(
    Object,
    bucket=names,
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
    size=st.integers(0, 99),
    etag=st.sampled_from([None, '"abc"']),
    storage_class=st.sampled_from(["STANDARD", "GLACIER"]),
    version_id=st.sampled_from([None, "v1", "v2"]),
    is_delete_marker=st.booleans(),
)
pieces = st.builds(
    Piece,
    buckets=st.lists(st.builds(Bucket, bucket=names), unique_by=lambda it: it.bucket).map(tuple),
    objects=st.lists(objects, max_size=30).map(tuple),
)
whole = st.lists(pieces, max_size=4).map(
    lambda many: [
        Piece(
            tuple({order(it): it for piece in many for it in piece.buckets}.values()),
            tuple({order(it): it for piece in many for it in piece.objects}.values()),
        )
    ]
)


@given(pieces)
def test_a_piece_is_kept_whole_and_in_order(piece):
    kept = keep(piece, "kept", HASH)
    lines = list(lines_of(kept.content))
    assert lines == sorted([*piece.buckets, *piece.objects], key=order)
    assert kept.objects == len(piece.objects)
    real = [it for it in piece.objects if not it.is_delete_marker]
    assert sum(total.objects for total in kept.totals.values()) == len(real)
    assert sum(total.bytes for total in kept.totals.values()) == sum(it.size for it in real)
    assert keep(piece, "kept", HASH) == kept


@given(pieces)
def test_hashed_and_dropped_keys_are_not_there(piece):
    for keys in ("hashed", "dropped"):
        kept = keep(piece, keys, HASH)
        for line in lines_of(kept.content):
            if isinstance(line, Object):
                assert line.key is None if keys == "dropped" else line.key.startswith("hmac:")
        assert kept.totals == keep(piece, "kept", HASH).totals


def test_what_was_compressed_a_thousandfold_is_read_piecemeal():
    piece = Piece((), tuple(Object(bucket="a", key="x" * 1000 + f"{number:04}") for number in range(5000)))
    content = keep(piece, "kept", HASH).content
    assert len(content) < 100_000
    tracemalloc.start()
    assert sum(1 for _ in lines_of(content)) == 5000
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()


def test_a_hash_is_the_same_for_one_owner_and_another_for_another():
    assert HASH("a/b") == key_hasher(b"a secret", "acme")("a/b") != HASH("a/c")
    assert HASH("a/b") not in (key_hasher(b"a secret", "zeta")("a/b"), key_hasher(b"another", "acme")("a/b"))


@given(st.lists(pieces, max_size=4))
def test_several_pieces_are_one_ordered_sequence(many):
    read = list(merged([keep(piece, "kept", HASH).content for piece in many]))
    assert read == sorted(read, key=order)
    assert len(read) == sum(len(piece.buckets) + len(piece.objects) for piece in many)


def test_pieces_behind_each_other_are_one_gzip_file():
    header = Header(
        snapshot_id="1", title="t", endpoint="https://s3.example", keys="kept", created_at=AT, truncated=False, objects=1, bytes=3
    )
    piece = Piece((Bucket(bucket="a"),), (Object(bucket="a", key="k", size=3),))
    file = snapshots.header_member(header) + keep(piece, "kept", HASH).content
    first, *rest = gzip.decompress(file).splitlines()
    assert json.loads(first)["format"] == "domicile-snapshot/1"
    assert [json.loads(line)["line"] for line in rest] == ["bucket", "object"]


AT = msgspec.convert("2026-01-02T03:04:05Z", snapshots.Instant)


def test_nothing_is_kept_that_is_not_named():
    sent = {
        "buckets": [{"bucket": "a", "owner": "AKIASECRET", "policy": {"x": 1}}],
        "objects": [{"bucket": "a", "key": "k", "size": 1, "url": "https://x/?X-Amz-Signature=abc", "owner": {"id": "zzz"}}],
        "secret_key": "wJalrXUtnFEMI",
        "headers": {"authorization": "AWS4-HMAC-SHA256 ..."},
    }
    kept = gzip.decompress(keep(msgspec.convert(sent, Piece), "kept", HASH).content)
    for secret in (b"AKIASECRET", b"Signature", b"zzz", b"wJalr", b"AWS4", b"policy"):
        assert secret not in kept


@pytest.mark.parametrize(
    "sent",
    [
        {"bucket": "a b"},
        {"bucket": ""},
        {"bucket": "a", "etag": "https://x/?X-Amz-Signature=abc"},
        {"bucket": "a", "storage_class": "AWS4-HMAC-SHA256 Credential=AK/x"},
        {"bucket": "a", "size": -1},
        {"bucket": "a", "size": "1"},
        {"bucket": "a", "key": ""},
        {"bucket": "a", "version_id": "a b"},
        {"bucket": "a", "last_modified": "yesterday"},
        {"bucket": "a", "last_modified": "2026-01-02T03:04:05"},
        {},
        [],
    ],
)
def test_what_has_another_shape_is_refused(sent):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"objects": [sent]}, Piece)


def test_a_piece_has_an_end():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"objects": [{"bucket": "a"}] * (snapshots.LARGEST_PIECE + 1)}, Piece)


def test_the_schema_in_the_repository_is_that_of_the_code():
    assert files("domicile_common.snapshots").joinpath("schema.json").read_text("utf-8") == snapshots.schema()


# --- differences ---


def lines(many):
    return merged([keep(piece, "kept", HASH).content for piece in many])


@given(whole, whole)
def test_differences_account_for_everything(before, after):
    found = diff(lines(before), lines(after), limit=10_000)
    old = {order(it): it for piece in before for it in piece.objects}
    new = {order(it): it for piece in after for it in piece.objects}
    assert found.complete
    assert found.added.objects == len(new.keys() - old.keys())
    assert found.removed == Sum(len(old.keys() - new.keys()), sum(old[place].size for place in old.keys() - new.keys()))
    assert found.same.objects == sum(old[place] == new[place] for place in old.keys() & new.keys())
    assert found.added.objects + found.changed.objects + found.same.objects == len(new)
    for it in found.objects:
        assert it.before == old.get((it.bucket, it.key, it.version_id or ""))
        assert it.after == new.get((it.bucket, it.key, it.version_id or ""))
    assert len(found.objects) == found.added.objects + found.removed.objects + found.changed.objects


@given(whole)
def test_nothing_differs_from_itself(piece):
    found = diff(lines(piece), lines(piece), limit=1)
    assert (found.added, found.removed, found.changed, found.objects, found.buckets, found.complete) == (
        Sum(),
        Sum(),
        Sum(),
        (),
        (),
        True,
    )


@given(whole, whole, st.integers(0, 3))
def test_what_is_left_out_of_an_answer_is_counted_and_shown(before, after, limit):
    found, full = (diff(lines(before), lines(after), limit=it) for it in (limit, 10_000))
    assert (found.added, found.removed, found.changed) == (full.added, full.removed, full.changed)
    assert len(found.objects) + len(found.buckets) <= limit
    assert found.complete == (len(full.objects) + len(full.buckets) <= limit)


def test_buckets_are_compared_and_objects_without_keys_are_left_out():
    before = keep(Piece((Bucket(bucket="a", versioning="Enabled"),), (Object(bucket="a", key="x"),)), "dropped", HASH)
    after = keep(Piece((Bucket(bucket="a", versioning="Suspended"), Bucket(bucket="b"))), "dropped", HASH)
    found = diff(lines_of(before.content), lines_of(after.content), limit=10)
    assert [(it.bucket, it.before is None) for it in found.buckets] == [("a", False), ("b", True)]
    assert found.same == found.removed == Sum()


def test_hashed_keys_can_be_compared():
    one = keep(Piece((), (Object(bucket="a", key="x"), Object(bucket="a", key="y"))), "hashed", HASH)
    two = keep(Piece((), (Object(bucket="a", key="y"), Object(bucket="a", key="z"))), "hashed", HASH)
    found = diff(lines_of(one.content), lines_of(two.content), limit=10)
    assert (found.same.objects, found.added.objects, found.removed.objects) == (1, 1, 1)


def test_totals_are_by_bucket_and_class():
    piece = Piece(
        (),
        (
            Object(bucket="a", key="x", size=2),
            Object(bucket="a", key="y", size=3),
            Object(bucket="b", key="x", is_delete_marker=True),
        ),
    )
    assert keep(piece, "kept", HASH).totals == {("a", "STANDARD"): Total(2, 5)}
