from __future__ import annotations

import datetime as dt
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.catalogue import Catalogue, Fact, Provider, load_catalogue, make_catalogue, origin, parse_provider, schema
from domicile_common.countries import COUNTRIES
from domicile_common.errors import ConfigurationError

EUROPE = frozenset(
    "AD AL AT BA BE BG CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE SI SK SM UA".split()  # noqa: SIM905 - a table of codes is checked by eye
)


FACT = {"source": "https://example.com/", "noted": "2026-01-02", "checked": True}
UNCHECKED = FACT | {"checked": False}


def document(**changes):
    site = {"site": "x1", "region": "x1", "country": "FI", "city": None, "endpoint": "https://x1.example.com", **FACT}
    whole = {
        "provider": "acme",
        "name": "Acme",
        "entity": {"name": "Acme Oy", "country": "FI", **FACT},
        "ownership": None,
        "endpoint_pattern": None,
        "features": None,
        "certifications": [],
        "sites": [site],
    }
    return msgspec.json.encode({**whole, **changes})


def with_site(**changes):
    (site,) = msgspec.json.decode(document())["sites"]
    return document(sites=[{**site, **changes}])


def facts(value):
    """Every fact in a value, however deep."""
    if isinstance(value, Fact):
        yield value
    if isinstance(value, msgspec.Struct):
        value = [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, list | tuple):
        for item in value:
            yield from facts(item)


def test_the_catalogue_has_the_providers_that_people_ask_for():
    catalogue = load_catalogue()
    european = [it for it in catalogue.providers if it.entity is not None and it.entity.country in EUROPE - {"LU", "IE"}]
    assert len(european) >= 20  # AWS and Google sell through companies in Luxembourg and Ireland
    assert len([site for it in european for site in it.sites if site.checked and site.country in EUROPE]) >= 40
    assert {"aws", "wasabi", "backblaze", "cloudflare", "google"} <= {it.provider for it in catalogue.providers}


def test_every_fact_has_a_source_and_a_day_that_is_not_in_the_future():
    found = list(facts(load_catalogue()))
    assert len(found) > 200
    for fact in found:
        assert fact.source.startswith("https://")
        assert dt.date(2026, 1, 1) <= fact.noted <= dt.date(2100, 1, 1)


def test_nobody_is_certified_from_memory():
    assert all(certification.checked for provider in load_catalogue().providers for certification in provider.certifications)


def test_a_page_that_was_read_is_a_page_and_not_a_whole_site():
    for fact in facts(load_catalogue()):
        assert not fact.checked or urlsplit(fact.source).path.strip("/")


def test_the_schema_in_the_repository_is_that_of_the_loader():
    assert files("domicile_common.catalogue").joinpath("schema.json").read_text("utf-8") == schema()


def test_each_file_is_named_for_its_provider():
    for file in files("domicile_common.catalogue").joinpath("providers").iterdir():
        assert file.name == f"{parse_provider(file.read_bytes()).provider}.json"


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2).filter(lambda code: code not in COUNTRIES))
def test_a_country_that_is_not_iso_3166_is_refused(code):
    with pytest.raises(ConfigurationError, match="ISO 3166-1"):
        parse_provider(with_site(country=code))
    entity = {"name": "A", "country": code, **FACT}
    with pytest.raises(ConfigurationError, match="ISO 3166-1"):
        parse_provider(document(entity=entity))


@pytest.mark.parametrize("code", ["UK", "EU", "de", "DEU", "D", "", "Germany"])
def test_what_only_looks_like_a_country_is_refused(code):
    with pytest.raises(ConfigurationError):
        parse_provider(with_site(country=code))


def test_de_is_germany_and_never_denmark():
    for provider in load_catalogue().providers:
        for site in provider.sites:
            assert (site.city == "Copenhagen") == (site.country == "DK")
            if site.city in {"Frankfurt", "Berlin", "Nuremberg", "Falkenstein", "Munich", "Darmstadt"}:
                assert site.country == "DE"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "http://example.com/"},
        {"source": ""},
        {"source": None},
        {"noted": "yesterday"},
        {"noted": None},
        {"checked": None},
        {"checked": "yes"},
        {"country": 7},
        {"endpoint": "http://x1.example.com"},
        {"endpoint": "https://key:secret@x1.example.com"},
        {"endpoint": "https://x1.example.com/path"},
        {"endpoint": "https://X1.example.com"},
        {"site": "X 1"},
        {"nonsense": "x"},
    ],
)
def test_a_malformed_site_is_refused(changes):
    with pytest.raises(ConfigurationError):
        parse_provider(with_site(**changes))


@pytest.mark.parametrize("missing", ["source", "noted", "checked", "country", "endpoint", "region"])
def test_nothing_may_be_left_out(missing):
    (site,) = msgspec.json.decode(document())["sites"]
    del site[missing]
    with pytest.raises(ConfigurationError, match=missing):
        parse_provider(document(sites=[site]))


def test_a_provider_a_site_and_an_endpoint_are_there_once():
    one, other = parse_provider(document()), parse_provider(document(provider="other"))
    with pytest.raises(ConfigurationError, match="provider 'acme'"):
        make_catalogue([one, one])
    with pytest.raises(ConfigurationError, match="endpoint"):
        make_catalogue([one, other])
    with pytest.raises(ConfigurationError, match="site 'acme/x1'"):
        make_catalogue([msgspec.structs.replace(one, sites=one.sites * 2)])


def test_jurisdictions_are_those_of_the_entity_and_of_whoever_owns_it():
    exoscale = next(it for it in load_catalogue().providers if it.provider == "exoscale")
    assert exoscale.jurisdictions == ("CH", "AT", "MX")
    assert parse_provider(document(entity=None)).jurisdictions == ()


def test_owners_are_known_when_operator_and_owners_were_checked():
    acme = {"name": "Acme Oy", "country": "FI"}
    for entity, ownership, known in [
        (acme | FACT, {"parents": [], **FACT}, True),
        (acme | FACT, {"parents": [], **UNCHECKED}, False),
        (acme | UNCHECKED, {"parents": [], **FACT}, False),
        (acme | FACT, None, False),
        (None, {"parents": [], **FACT}, False),
    ]:
        assert parse_provider(document(entity=entity, ownership=ownership)).owners_known == known


def test_an_endpoint_tells_its_place_unless_it_serves_several():
    catalogue = load_catalogue()
    provider, site = catalogue.at("https://FSN1.your-objectstorage.com:443/bucket") or pytest.fail("not found")
    assert (provider.provider, site.country) == ("hetzner", "DE")
    assert catalogue.at("https://storage.googleapis.com") is None
    assert catalogue.at("http://fsn1.your-objectstorage.com") is None
    assert catalogue.at("") is None


def test_every_endpoint_is_an_origin():
    for endpoint in load_catalogue().endpoints():
        assert origin(endpoint) == endpoint


@given(st.text())
def test_whatever_is_no_url_has_no_origin_that_is_known(text):
    assert origin(text) not in load_catalogue().endpoints() or text.lower().startswith("https://")


@given(st.binary())
def test_nonsense_is_refused_and_nothing_else_happens(data):
    with pytest.raises(ConfigurationError):
        parse_provider(data)


def test_values_are_frozen():
    catalogue: Catalogue = load_catalogue()
    provider: Provider = catalogue.providers[0]
    with pytest.raises(AttributeError):
        provider.name = "x"  # type: ignore[misc]
