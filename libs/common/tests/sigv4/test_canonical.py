from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.sigv4 import canonical


@pytest.mark.parametrize(
    "raw, forms",
    [
        (b"/a//b/./../c", ("/a//b/./../c",)),
        (b"/a+b@c:d", ("/a%2Bb%40c%3Ad", "/a+b@c:d")),
        (b"/a%2fb", ("/a/b", "/a%2Fb", "/a%2fb")),
        (b"/a%7Eb%20c", ("/a~b%20c", "/a%7Eb%20c")),
        (b"/%zz", ("/%25zz", "/%zz")),
        (b"/\xc3\xa9", ("/%C3%A9",)),
        (b"/a\nb", ("/a%0Ab",)),
    ],
)
def test_a_path_has_the_forms_that_clients_sign(raw: bytes, forms: tuple[str, ...]) -> None:
    assert canonical.path_forms(raw) == forms


@given(st.binary())
def test_every_form_of_a_path_means_the_same_key(raw: bytes) -> None:
    for form in canonical.path_forms(raw):
        assert unquote_to_bytes(form) == unquote_to_bytes(raw)
        assert form.isprintable()


@given(st.binary())
def test_every_form_of_a_query_means_the_same_parameters(raw: bytes) -> None:
    for form in canonical.query_forms(raw):
        assert sorted(canonical.decode_query(form.encode())) == sorted(canonical.decode_query(raw))
        assert form.isprintable()


@pytest.mark.parametrize(
    "raw, forms",
    [
        (b"", ("",)),
        (b"uploads", ("uploads=",)),
        (b"&&b=&a", ("a=&b=",)),
        (b"prefix=a+b/c", ("prefix=a%20b%2Fc", "prefix=a+b/c")),
        (b"a=2&a=1&A=3", ("A=3&a=1&a=2",)),
        (b"a-b=1&a=2", ("a=2&a-b=1",)),
        (b"a=b=c", ("a=b%3Dc", "a=b=c")),
    ],
)
def test_a_query_has_the_forms_that_clients_sign(raw: bytes, forms: tuple[str, ...]) -> None:
    assert canonical.query_forms(raw) == forms


@given(st.lists(st.tuples(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1), st.text())))
def test_an_encoded_query_decodes_to_what_it_was_made_of(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name, value.encode("utf-8", "replace").decode()) for name, value in pairs]
    encoded = canonical.encode_query(pairs)
    assert sorted(canonical.decode_query(encoded.encode())) == sorted((n.encode(), v.encode()) for n, v in pairs)
    assert canonical.query_forms(encoded.encode()) == (canonical.sorted_query(encoded),) == (encoded,)


def test_headers_are_folded_without_losing_bytes() -> None:
    folded = canonical.fold_headers([(b"x", b"  a \t b\xa0\xc2\x85 "), (b"y", b"1"), (b"x", b"c"), (b"x", b"")])
    assert folded == {b"x": b"a b\xa0\xc2\x85,c,", b"y": b"1"}
