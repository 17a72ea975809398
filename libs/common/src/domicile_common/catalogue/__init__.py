"""The provider catalogue: who runs which S3 endpoint, in which country, and under whose law. Pure, but for reading its own files.

One file a provider in ``providers/``, in the form of ``schema.json``. Every fact, or group of facts, names a public page and a day, and
says whether somebody read that page (``Fact``). What is not known for sure is ``null``, and never counts as a yes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from domicile_common.countries import COUNTRIES
from domicile_common.errors import ConfigurationError
from domicile_common.value import Value

Feature = Literal["versioning", "object_lock", "checksums", "conditional_writes", "lifecycle", "bucket_policies"]
Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}\Z")]
Page = Annotated[str, msgspec.Meta(pattern=r"^https://[!-~]+\Z")]
Endpoint = Annotated[str, msgspec.Meta(pattern=r"^https://[a-z0-9.-]+(:[0-9]+)?\Z")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")]


class _Strict(Value, frozen=True, omit_defaults=False, forbid_unknown_fields=True):
    pass


class Fact(_Strict, frozen=True, kw_only=True):
    """``checked``: on the day ``noted`` somebody read ``source``, or a copy of it, and it says so; it may have changed since.

    Otherwise it is common knowledge, ``source`` is where to look for it, and nothing may be decided in its favour.
    """

    source: Page
    noted: dt.date
    checked: bool


class Company(_Strict, frozen=True):
    """``country``: ISO 3166-1 alpha-2, of its seat."""

    name: Text
    country: Country


class Entity(Fact, frozen=True, kw_only=True):
    """The company that the customer has the contract with."""

    name: Text
    country: Country


class Ownership(Fact, frozen=True, kw_only=True):
    """``parents``: companies that control the entity, nearest first; empty: it is controlled by none."""

    parents: tuple[Company, ...]


class Features(Fact, frozen=True, kw_only=True):
    """What its S3 API can do; ``None``: not known. ``checksums``: those of S3's newer clients (CRC32, CRC64NVME, SHA-256 …)."""

    versioning: bool | None
    object_lock: bool | None
    checksums: bool | None
    conditional_writes: bool | None
    lifecycle: bool | None
    bucket_policies: bool | None


class Certification(Fact, frozen=True, kw_only=True):
    name: Text


class Site(Fact, frozen=True, kw_only=True):
    """A place where objects are kept; its ``source`` says where that is. ``country``: ``None`` where the provider does not commit itself to one.

    ``region``: for SigV4, ``None`` where not known. ``endpoint``: ``None`` where each customer has one of his own.
    """

    site: Slug
    region: Text | None
    country: Country | None
    city: Text | None
    endpoint: Endpoint | None


class Provider(_Strict, frozen=True, kw_only=True):
    """``endpoint_pattern``: how endpoints are formed, for people to read."""

    provider: Slug
    name: Text
    entity: Entity | None
    ownership: Ownership | None
    endpoint_pattern: Text | None
    features: Features | None
    certifications: tuple[Certification, ...]
    sites: Annotated[tuple[Site, ...], msgspec.Meta(min_length=1)]

    @property
    def jurisdictions(self) -> tuple[str, ...]:
        """The laws that its operator is known to answer to, checked or not; all of them only when ``owners_known``."""
        companies = (*(() if self.entity is None else (self.entity,)), *(self.ownership.parents if self.ownership else ()))
        return tuple(dict.fromkeys(company.country for company in companies))

    @property
    def owners_known(self) -> bool:
        return all(fact is not None and fact.checked for fact in (self.entity, self.ownership))


class Catalogue(Value, frozen=True):
    providers: tuple[Provider, ...]

    def at(self, endpoint: str) -> tuple[Provider, Site] | None:
        """Whose this endpoint is, when it is one place's alone."""
        found = [(it, site) for it in self.providers for site in it.sites if site.endpoint == origin(endpoint)]
        return found[0] if len(found) == 1 else None

    def endpoints(self) -> frozenset[str]:
        return frozenset(site.endpoint for it in self.providers for site in it.sites if site.endpoint)


def origin(url: str) -> str:
    """``https://host[:port]`` of a URL, in lower case, without a port that goes without saying; ``""`` when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or (parts.scheme, port) in {("https", 443), ("http", 80)}
    return f"{parts.scheme}://{shown}" + ("" if usual else f":{port}") if host else ""


def parse_provider(document: bytes) -> Provider:
    """One file of the catalogue. Raises ``ConfigurationError`` that says what is wrong with it."""
    try:
        provider = msgspec.json.decode(document, type=Provider)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"catalogue: {error}") from None
    for code in _countries(provider):
        if code not in COUNTRIES:
            raise ConfigurationError(f"catalogue: {provider.provider}: {code} is not a country of ISO 3166-1.")
    return provider


def _countries(provider: Provider) -> Iterable[str]:
    yield from provider.jurisdictions
    yield from (site.country for site in provider.sites if site.country is not None)


def make_catalogue(providers: Iterable[Provider]) -> Catalogue:
    """Raises ``ConfigurationError`` when a provider, site or endpoint is there twice. One endpoint may serve several regions."""
    made = Catalogue(tuple(sorted(providers, key=lambda it: it.provider)))
    _check_once("provider", [it.provider for it in made.providers])
    _check_once("site", [f"{it.provider}/{site.site}" for it in made.providers for site in it.sites])
    _check_once("endpoint", [(site.endpoint, site.region) for it in made.providers for site in it.sites if site.endpoint])
    return made


def _check_once(what: str, values: list[Any]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ConfigurationError(f"catalogue: {what} {min(twice)!r} is there twice.")


@cache
def load_catalogue() -> Catalogue:
    """The catalogue of this release."""
    folder = files(__package__).joinpath("providers")
    return make_catalogue(parse_provider(file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".json"))


def schema() -> str:
    """The JSON Schema of a provider's file, as it stands in ``schema.json``; its patterns are ECMA 262's, where ``$`` is the very end."""
    return json.dumps(msgspec.json.schema(Provider), indent=2).replace(r"\\Z", "$") + "\n"
