"""The probe on real servers: the run's own kind of backend, and rclone, which does many things otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.backends import contract, documents
from domicile_common.backends.capabilities import CAPABILITIES, changes, merged
from domicile_common.backends.contract import Place, probe
from domicile_common.backends.quirks import PROBED, QUIRKS, Quirks, quirks_of
from domicile_common.backends.wire import Wire
from domicile_common.errors import BackendRefused, BackendUnavailable
from domicile_common.model import Backend
from domicile_common.testing.memory import backend as memory_backend
from domicile_common.testing.private import private_backend
from domicile_local.servers.reach import DEFAULT_BACKENDS, S3Backend, backend_kind

# What each kind was found to lack, with the versions that are pinned.
LACKS = {
    "seaweedfs": {"needs_location", "own_bucket_exists", "vague_completion", "key_bytes", "ordered_listing"},
    "rclone": {
        "needs_location", "vague_completion", "key_bytes", "conditional_put", "etag_is_md5", "checks_checksums", "multipart",
        "versioning", "object_lock",
    },
}  # fmt: skip
KINDS = {backend_kind(os.environ) or DEFAULT_BACKENDS, "rclone"}
BUCKETS = ("s3gw-0123456789abcdef-test", "s3gw-fedcba9876543210-test")


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request, tmp_path_factory, backends) -> Iterator[S3Backend]:
    if request.param == backends[0].quirks:
        yield backends[0]
    else:
        with private_backend(tmp_path_factory.mktemp("backend"), "private", "FI", request.param) as private:
            yield private.backend


def registered(server: S3Backend, **fields) -> Backend:
    access = {"endpoint": server.endpoint, "access_key": server.access_key} | fields
    return Backend(server.backend_id, "test", country="FI", jurisdictions=("FI",), sealed_secret="", **access)


@pytest.fixture
async def wire(server):
    wire = Wire(registered(server), server.secret_key, None)
    yield wire
    await wire.close()


async def buckets(wire: Wire) -> set[str]:
    return set(documents.namespaces((await wire.ask("GET", "")).document)) & set(BUCKETS)


@pytest.mark.servers
async def test_what_it_finds_is_true_and_nothing_is_left_behind(wire, server):
    found, notes = await probe(wire, "us-east-1", *BUCKETS)
    assert (set(found), notes) == (set(CAPABILITIES), {})
    if server.quirks in LACKS:
        assert {name for name, can in found.items() if not can} == LACKS[server.quirks]
    # What the code is told of this kind by its name agrees with what was found, as far as it would do harm otherwise.
    named, probed = QUIRKS[server.quirks], quirks_of(registered(server, quirks=PROBED, capabilities=found))
    assert (probed.etag_is_md5, probed.multipart, probed.own_bucket_exists) == (
        named.etag_is_md5,
        named.multipart,
        named.own_bucket_exists,
    )
    assert await buckets(wire) == set()


@pytest.mark.servers
async def test_what_another_probe_has_left_goes_too(wire):
    plain, versioned = Place(wire, BUCKETS[0]), Place(wire, BUCKETS[1])
    await plain.send("PUT")
    await plain.put("left/behind", b"x")
    await plain.send("POST", "begun", query={"uploads": ""})
    await contract.check_versions(versioned)
    await contract.clear(plain)
    await contract.clear(versioned)
    assert await buckets(wire) == set()


@pytest.mark.servers
async def test_a_check_that_cannot_be_carried_out_finds_nothing(wire, monkeypatch):
    async def check_chunks(_place):
        raise BackendUnavailable("x", "PUT: ConnectionLost")

    monkeypatch.setattr(contract, "CHECKS", (check_chunks, contract.check_copies))
    found, notes = await probe(wire, "us-east-1", *BUCKETS)
    assert ("chunked_uploads" in found, "copies" in found) == (False, True)
    assert notes == {"chunks": "x: PUT: ConnectionLost"}
    assert await buckets(wire) == set()


@pytest.mark.servers
async def test_a_backend_that_refuses_or_is_away_is_no_finding(server):
    refused = Wire(registered(server), "a secret that is wrong", None)
    with pytest.raises(BackendRefused):
        await probe(refused, "us-east-1", *BUCKETS)
    await refused.close()
    away = Wire(registered(server, endpoint="http://127.0.0.1:9"), server.secret_key, None)
    with pytest.raises(BackendUnavailable):
        await probe(away, "us-east-1", *BUCKETS)
    await away.close()


FOUND = st.dictionaries(st.sampled_from(sorted(CAPABILITIES)), st.booleans())


@given(FOUND, FOUND)
def test_what_was_not_found_out_stays_as_it_was(before, found):
    after = merged(before, found)
    assert after == before | found
    assert set(changes(before, after)) == {name for name in before if before[name] != after[name]}
    assert merged(after, found) == after


@given(FOUND)
def test_what_a_probe_found_counts_where_nobody_has_said_what_it_is(found):
    probed = quirks_of(memory_backend("x", quirks=PROBED, capabilities=found))
    for name in Quirks.__slots__:
        assert getattr(probed, name) == found.get(name, getattr(QUIRKS["generic"], name))
    for name, quirks in QUIRKS.items():
        assert quirks_of(memory_backend("x", quirks=name, capabilities=found)) == quirks
