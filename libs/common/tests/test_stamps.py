from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.model import Digest, Facts, Part, Version
from domicile_common.stamps import (
    STAMP_HEADER,
    Stamp,
    blob_key,
    make_stamp,
    read_sidecar,
    read_stamp,
    sidecar_body,
    sidecar_key,
    stamp_header,
    version_of_blob,
)

ID = "018f2d3c4b5a69788796a5b4c3d2e1f0"
OTHER_ID = "018f2d3c4b5a69788796a5b4c3d2e1f1"

# Keys as S3 takes them, with more than a fair share of trouble.
keys = st.lists(
    st.sampled_from(["a", "/", ".", "..", "~", "~2F", "~2E", "\\", "\x00", "\x7f", "\x85", " ", "%2F", "é", "日", "😀", "\uffff", ID, ".domicile", "stamps", f"{ID}.json", "~sha256"])
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
    | st.integers(1, 300).map(lambda n: "x" * n),
    min_size=1,
    max_size=12,
).map("".join).filter(lambda key: len(key.encode()) <= 1024)  # fmt: skip


@pytest.mark.parametrize(
    "key,safe",
    [
        ("photos/2024/a cat.jpg", "photos/2024/a cat.jpg"),
        ("100%/é/日本", "100%/é/日本"),
        ("/lead", "~2F/lead"),
        ("dir/", "dir/~2F"),
        ("e//f", "e/~2F/f"),
        ("./g/../h", "~2E/g/~2E./h"),
        ("...", "..."),
        ("a~b\\c\n", "a~7Eb~5Cc~0A"),
        ("\u0085\uffff", "~C2~85~EF~BF~BF"),
        (ID, "~30" + ID[1:]),
        (f"a/{ID.upper()}/b", f"a/~30{ID.upper()[1:]}/b"),
        (".domicile/stamps/x", "~2Edomicile/stamps/x"),
        ("a/.domicile", "a/.domicile"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "~sha256/" + hashlib.sha256(b"x" * 256).hexdigest()),
        ("x/" * 430 + "\n" * 10, "~sha256/" + hashlib.sha256(b"x/" * 430 + b"\n" * 10).hexdigest()),
    ],
)
def test_keys_are_made_safe(key, safe):
    assert blob_key(key, ID) == f"{safe}/{ID}"


@given(keys, st.sampled_from(["readable", "opaque"]), st.sampled_from(["", "0a1b2c3d"]))
def test_the_version_is_read_from_the_blob_key(key, layout, again):
    assert version_of_blob(blob_key(key, ID, layout, again)) == ID


@pytest.mark.parametrize("blob", ["", "a", f"{ID}/a", f"a/{ID}~", f"a/{ID}~r", f"a/{ID.upper()}x", sidecar_key(ID)])
def test_what_is_no_blob_key_names_no_version(blob):
    assert version_of_blob(blob) is None


def test_the_opaque_layout_shows_nothing_of_the_key():
    assert blob_key("patients/jane-doe.pdf", ID, "opaque") == ID


@given(keys)
def test_every_blob_key_is_safe_for_every_backend(key):
    blob = blob_key(key, ID)
    assert len(blob.encode()) <= 900
    assert blob.endswith(f"/{ID}")
    assert not re.search("[\\\\\x00-\x1f\x7f-\x9f\ufffe\uffff]", blob)
    for segment in blob.split("/"):
        assert segment not in ("", ".", "..")
        assert len(segment.encode()) <= 255


@given(keys, keys)
def test_different_keys_never_share_a_blob(one, other):
    assert (blob_key(one, ID) == blob_key(other, ID)) == (one == other)
    assert blob_key(one, ID) != blob_key(other, OTHER_ID)


@given(keys, keys)
def test_no_blob_or_sidecar_is_a_folder_of_another(one, other):
    for layout in ("readable", "opaque"):
        blobs = [blob_key(one, ID, layout), blob_key(other, OTHER_ID, layout), blob_key(one, ID, layout, "0a1b2c3d")]
        names = [*blobs, *map(sidecar_key, blobs)]
        assert not any(a != b and b.startswith(f"{a}/") for a in names for b in names)
        assert len(set(names)) == 6


@given(keys)
def test_a_readable_key_leads_back_to_the_exact_key(key):
    """What docs/namespaces.md promises a tenant who leaves."""
    safe = blob_key(key, ID).removesuffix(f"/{ID}")
    if safe.startswith("~sha256/"):
        return
    segments = ["" if segment == "~2F" else segment for segment in safe.split("/")]
    raw = re.sub(rb"~([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), "/".join(segments).encode())
    assert raw.decode() == key


FACTS = Facts({"content-type": "text/plain", "cache-control": "no-store"}, {"who": "J\xe4ne"}, {"team": "röd"}, "STANDARD")
VERSION = Version(
    bucket_id="b",
    key="a/ö.txt",
    version_id=ID,
    committed_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    facts=FACTS,
    digest=Digest(
        11, "5eb63bbbe01eeed093cb22bb8f5acdc3", {"crc32": "DUoRhQ=="}, parts=(Part(1, 11, "5eb63bbbe01eeed093cb22bb8f5acdc3"),)
    ),
)
STAMP = make_stamp(VERSION, tenant_id="acme", bucket="analytics", policy_version=7)


def test_a_stamp_holds_all_that_the_record_knows():
    assert Stamp(
        version_id=ID, tenant_id="acme", bucket="analytics", key="a/ö.txt", policy_version=7,
        facts=FACTS, digest=VERSION.digest, committed_at=VERSION.committed_at,
    ) == STAMP  # fmt: skip


def test_a_stamp_survives_header_and_sidecar():
    header = stamp_header(STAMP)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", header[STAMP_HEADER])
    assert read_stamp(header) == STAMP
    assert read_sidecar(sidecar_body(STAMP)) == STAMP


def test_a_stamp_without_a_digest_is_read_as_such():
    stamp = Stamp(version_id=ID, tenant_id="acme", bucket="analytics", key="k", policy_version=1)
    assert read_stamp(stamp_header(stamp)).digest is None


def stamps(metadata):
    return Stamp(version_id=ID, tenant_id="acme", bucket="b", key="k", policy_version=1, facts=Facts(metadata=metadata))


@given(st.integers(0, 3000))
def test_a_stamp_fits_into_two_kibibytes_or_is_none(length):
    header = stamp_header(stamps({"m": "x" * length}))
    if header is None:
        assert length > 1200
    else:
        assert len(STAMP_HEADER) + len(header[STAMP_HEADER]) <= 2048
        assert length < 1500


@given(st.dictionaries(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)), max_size=5))
def test_any_metadata_survives(metadata):
    assert read_sidecar(sidecar_body(stamps(metadata))).facts.metadata == metadata


def test_a_blob_without_a_stamp_has_none():
    assert read_stamp({"content-type": "text/plain"}) is None


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_a_damaged_stamp_is_a_value_error(value):
    with pytest.raises(ValueError):
        read_stamp({STAMP_HEADER: value})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", sidecar_body(STAMP)[:-1], sidecar_body(STAMP).replace(b'{"', b'{"format":2,"', 1)]
)
def test_a_damaged_or_future_sidecar_is_a_value_error(body):
    with pytest.raises(ValueError, match="stamp"):
        read_sidecar(body)


def test_sidecars_stand_in_a_folder_of_their_own():
    assert sidecar_key(ID) == f".domicile/stamps/{ID}.json"
