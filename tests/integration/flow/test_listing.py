"""Listings against a model that sorts and groups the plain way."""

from __future__ import annotations

import itertools

import pytest

pytestmark = pytest.mark.servers

KEYS = sorted(
    (
        "a", "a!", "a/", "a/b", "a/b/c", "a/b/d", "a/bb", "a0", "ab", "b/", "b//", "b//c", "b/c/d", "é", "é/x", "z/1", "z/2", "z/3", "zz", "\U0001f642/a",
    ),
    key=str.encode,
)  # fmt: skip


@pytest.fixture(scope="module")
def full_bucket(domicile):
    name = domicile.new_bucket()
    for key in KEYS:
        domicile.client().put_object(Bucket=name, Key=key, Body=key.encode())
    return name


def expected(prefix: str, delimiter: str, after: str = "") -> list[tuple[str, bool]]:
    """Keys and common prefixes (marked True) in order."""
    rows: list[tuple[str, bool]] = []
    for key in KEYS:
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        rest = key[len(prefix) :]
        head, found, _ = rest.partition(delimiter) if delimiter else (rest, "", "")
        row = (prefix + head + found, bool(found))
        if row not in rows:
            rows.append(row)
    return rows


def rows(page) -> list[tuple[str, bool]]:
    found = [(entry["Key"], False) for entry in page.get("Contents", [])]
    found += [(entry["Prefix"], True) for entry in page.get("CommonPrefixes", [])]
    return sorted(found, key=lambda row: row[0].encode())


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"), [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("b/", "/"), ("b", "//"), ("nothing", "/"), ("é", "/"), ("a/b", "b")]
)  # fmt: skip
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_every_page_of_every_listing(s3, full_bucket, operation, *, prefix, delimiter, limit):
    found: list[tuple[str, bool]] = []
    more: dict[str, str] = {}
    while True:
        page = getattr(s3, operation)(Bucket=full_bucket, Prefix=prefix, Delimiter=delimiter, MaxKeys=limit, **more)
        assert len(rows(page)) <= limit
        found += rows(page)
        if not page["IsTruncated"]:
            break
        if operation == "list_objects":
            more = {"Marker": page.get("NextMarker") or page["Contents"][-1]["Key"]}
        else:
            more = {"ContinuationToken": page["NextContinuationToken"]}
    assert found == expected(prefix, delimiter)


@pytest.mark.parametrize("after", ["", "a", "a/b", "a/zzz", "b//", "zz", "\U0001f643"])
def test_a_listing_may_start_anywhere(s3, full_bucket, after):
    assert rows(s3.list_objects_v2(Bucket=full_bucket, StartAfter=after)) == expected("", "", after)
    assert rows(s3.list_objects(Bucket=full_bucket, Marker=after)) == expected("", "", after)


def test_a_listing_tells_what_is_listed(s3, full_bucket):
    page = s3.list_objects_v2(Bucket=full_bucket, Prefix="a/b/", FetchOwner=True)
    sizes = {entry["Key"]: (entry["Size"], entry["ETag"]) for entry in page["Contents"]}
    assert sizes == {key: (5, s3.head_object(Bucket=full_bucket, Key=key)["ETag"]) for key in ("a/b/c", "a/b/d")}
    assert page["KeyCount"] == 2
    assert all(len(entry["Owner"]["ID"]) == 64 for entry in page["Contents"])


def test_no_keys_at_all(s3, full_bucket):
    page = s3.list_objects_v2(Bucket=full_bucket, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"], "Contents" in page) == (0, False, False)


def test_a_listing_stays_true_while_keys_come_and_go(s3, bucket):
    """Keys that were there all the time are listed exactly once, whatever happens to the others between two pages."""
    lasting = [f"{letter}/{number}" for letter, number in itertools.product("bdf", range(3))]
    passing = [f"{letter}/{number}" for letter, number in itertools.product("ace", range(3))]
    for key in lasting + passing[:5]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    found, more = [], {}
    for key in itertools.cycle(passing):
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2, **more)
        found += [entry["Key"] for entry in page["Contents"]]
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
        s3.delete_object(Bucket=bucket, Key=key)
        s3.put_object(Bucket=bucket, Key=f"{key}-new", Body=b"")
    assert [key for key in found if key in lasting] == lasting
    assert len(found) == len(set(found))
