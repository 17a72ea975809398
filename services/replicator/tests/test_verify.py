from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from domicile_common.checksums import ALGORITHMS
from domicile_common.model import Digest
from domicile_common.testing.memory import digest_of, md5
from domicile_replicator.verify import Verifier

NAMES = st.lists(st.sampled_from(sorted(ALGORITHMS)), unique=True, max_size=3)


def fed(verifier: Verifier, body: bytes, chunk: int = 5) -> Verifier:
    for start in range(0, len(body), chunk):
        verifier.update(body[start : start + chunk])
    return verifier


def cut(body: bytes, places: list[int]) -> tuple[int, ...]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return tuple(end - start for start, end in pairwise(edges))


@given(body=st.binary(max_size=100), chunk=st.integers(1, 60), names=NAMES, places=st.lists(st.integers(0, 100), max_size=4))
def test_accepts_the_recorded_bytes_however_they_arrive(body, chunk, names, places):
    for parts in ((), cut(body, places)):
        for composed in {False, bool(parts)}:
            digest = digest_of(body, parts, *names, composed=composed)
            verifier = fed(Verifier(digest), body, chunk)
            assert verifier.fault() is None


@given(body=st.binary(max_size=60), other=st.binary(max_size=60), places=st.lists(st.integers(0, 100), max_size=3))
def test_refuses_any_other_bytes(body, other, places):
    assume(body != other)
    for parts in ((), cut(body, places)):
        assert fed(Verifier(digest_of(body, parts)), other).fault()


@given(body=st.binary(max_size=60), names=NAMES.filter(bool), composed=st.booleans())
def test_compares_every_checksum_of_the_record(body, names, composed):
    digest = digest_of(body, (len(body),), *names, composed=composed)
    for name in names:
        wrong = digest_of(body + b"!", (len(body) + 1,), name, composed=composed).checksums
        verifier = fed(
            Verifier(type(digest)(digest.size, digest.md5, digest.checksums | wrong, digest.checksum_type, digest.parts)), body
        )
        assert name in (verifier.fault() or "")


@given(
    body=st.binary(min_size=1, max_size=60),
    recorded=st.lists(st.integers(0, 60), max_size=3),
    sent=st.lists(st.integers(0, 60), max_size=3),
)
def test_tells_the_etag_that_the_target_will_show(body, recorded, sent):
    for parts in ((), cut(body, recorded)):
        assert fed(Verifier(digest_of(body, parts)), body).etag() == md5(body)
        cuts = cut(body, sent)
        verifier = fed(Verifier(digest_of(body, parts), cuts), body)
        assert verifier.etag() == digest_of(body, cuts).etag
        assert verifier.fault() is None


def test_an_algorithm_that_only_a_newer_release_knows_is_left_out():
    digest = digest_of(b"x")
    assert fed(Verifier(type(digest)(1, digest.md5, {"blake9": "AA=="})), b"x").fault() is None


@given(body=st.binary(max_size=60), places=st.lists(st.integers(0, 60), max_size=3))
def test_learns_what_the_record_does_not_know(body, places):
    """Of an adopted object: nothing but its size, or the sizes of its parts and what their MD5s come to."""
    whole, parts = digest_of(body), digest_of(body, cut(body, places))
    assert fed(Verifier(whole), body).learned() is None
    unread = Digest(len(body), "", given_etag="x-1")
    learned = fed(Verifier(unread), body).learned()
    assert learned == msgspec.structs.replace(whole, given_etag="x-1")
    unnamed = tuple(msgspec.structs.replace(part, etag="") for part in parts.parts)
    proven = msgspec.structs.replace(parts, parts=unnamed, crc="")
    verifier = fed(Verifier(proven, [part.size for part in parts.parts]), body)
    assert verifier.fault() is None
    assert verifier.learned() == parts
