from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.namespace import check_bucket_name, is_namespace_name, namespace_name, provider_slug

DOCUMENT = Path(__file__).parents[3] / "docs" / "namespaces.md"
KEY = b"an example key, not one to use"


def published_vectors():
    section = DOCUMENT.read_text("utf-8").split("### Test vectors")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    return [((row[0].encode(), *row[1:6], int(row[6])), row[7].strip("`")) for row in rows[2:]]


def test_the_published_vectors_are_there():
    assert len(published_vectors()) == 7


@pytest.mark.parametrize("parts,name", published_vectors())
def test_published_vector(parts, name):
    assert namespace_name(*parts) == name


text = st.text(max_size=20)


@given(
    st.binary(min_size=1),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True),
    st.tuples(text, text, text, text),
    st.integers(0, 99),
)
def test_every_name_is_a_valid_bucket_name(key, prefix, parts, counter):
    try:
        name = namespace_name(key, prefix, *parts, counter)
    except ValueError:
        assert prefix.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
        return
    check_bucket_name(name)
    assert name == namespace_name(key, prefix, *parts, counter)
    assert is_namespace_name(prefix, name)


@given(st.tuples(text, text, text, st.integers(0, 9)), st.tuples(text, text, text, st.integers(0, 9)))
def test_different_owners_get_different_names(one, other):
    names = {namespace_name(KEY, "s3gw", *parts[:3], "acme", parts[3]) for parts in (one, other)}
    assert len(names) == (1 if one == other else 2)


@pytest.mark.parametrize(
    "name",
    [
        "photos",
        "eu-0123456789abcdef-acme",
        "s3gw-eu-0123456789abcdef-acme",
        "s3gw-0123456789abcde-acme",
        "s3gw-0123456789abcdef",
        "s3gw-0123456789abcdef-",
        "s3gw-0123456789abcdef-acme-2",
    ],
)
def test_what_has_another_prefix_or_form_is_no_name_of_ours(name):
    assert not is_namespace_name("s3gw", name)


def test_parts_that_run_together_stay_apart():
    pairs = [("a", "bc"), ("ab", "c"), ('a","b', "c"), ("a", 'b","c')]
    assert len({namespace_name(KEY, "s3gw", tenant, bucket, "fi", "acme", 0) for tenant, bucket in pairs}) == len(pairs)


@pytest.mark.parametrize(
    "provider,slug",
    [("acme", "acme"), ("Amazon Web Services", "amazonwe"), ("ovh-", "ovh"), ("", "s3"), ("日本", "s3"), ("s3-alias", "s3")],
)
def test_providers_become_slugs(provider, slug):
    assert provider_slug(provider) == slug


@pytest.mark.parametrize("prefix", ["", "-a", "A", "a_b", "xn--a", "sthree-x", "a" * 33, "a\n"])
def test_an_unusable_prefix_is_refused(prefix):
    with pytest.raises(ValueError):
        namespace_name(KEY, prefix, "t", "b", "fi", "acme", 0)


@pytest.mark.parametrize("name", ["abc", "my.bucket-1", "1.2.3", "a" * 63, "192.168.1.1.2", "a--b"])
def test_names_that_s3_allows(name):
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "ab", "a" * 64, "Abc", "a_b", "a b", "-abc", "abc-", ".abc", "abc.", "a..b", "192.168.5.4", "xn--abc",
        "sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3", "abc\n", "äbc", "../abc",
    ],
)  # fmt: skip
def test_names_that_s3_refuses(name):
    with pytest.raises(RequestError) as caught:
        check_bucket_name(name)
    assert (caught.value.code, caught.value.detail) == ("InvalidBucketName", {"BucketName": name})
