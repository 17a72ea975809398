"""What somebody waits for: a version in so many verified copies, in so many countries or in certain ones. Pure.

In a header it is a dictionary as of RFC 9651: ``copies=2, countries=("FI" "DE"), timeout=10``; and so is what was reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from domicile_common.countries import COUNTRIES
from domicile_common.metadata_client.models import Copy
from domicile_common.policy import MAXIMUM_REPLICAS
from domicile_common.value import Value

DEFAULT_SECONDS = 30
LONGEST_SECONDS = 300
_NUMBER = re.compile(r"[0-9]{1,15}")
_COUNTRY = r'(?:"[A-Z]{2}"|[A-Z]{2})'
_LIST = re.compile(rf"\( *({_COUNTRY}(?: +{_COUNTRY})*) *\)")


class Demand(Value, frozen=True):
    """``count``: how many countries. ``countries``: which ones. ``seconds``: for how long to wait."""

    copies: int = 0
    count: int = 0
    countries: frozenset[str] = frozenset()
    seconds: int = DEFAULT_SECONDS

    def is_met_by(self, reached: Reached) -> bool:
        enough = len(reached.backends) >= self.copies and len(reached.countries) >= self.count
        return enough and self.countries <= set(reached.countries)


class Reached(Value, frozen=True):
    """Where verified copies are: backend ids, and the countries of those, sorted."""

    backends: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


def reached_by(copies: Iterable[Copy]) -> Reached:
    verified = [copy for copy in copies if copy.state == "verified"]
    return Reached(tuple(sorted(copy.backend_id for copy in verified)), tuple(sorted({copy.country for copy in verified})))


def make_demand(copies: str | None, countries: str | Iterable[str] | None, timeout: str | None) -> Demand:
    """``countries``: a number as text, or codes. Raises ``ValueError`` that says what is wrong."""
    if copies is None and countries is None:
        raise ValueError("Either copies or countries says what to wait for.")
    names = frozenset[str]() if countries is None or isinstance(countries, str) else frozenset(countries)
    if unknown := names - COUNTRIES:
        raise ValueError(f"{min(unknown)[:10]!r} is not an ISO 3166-1 alpha-2 country code.")
    return Demand(
        copies=0 if copies is None else _number("copies", copies, MAXIMUM_REPLICAS),
        count=_number("countries", countries, MAXIMUM_REPLICAS) if isinstance(countries, str) else 0,
        countries=names,
        seconds=DEFAULT_SECONDS if timeout is None else _number("timeout", timeout, LONGEST_SECONDS),
    )


def _number(name: str, text: str, most: int) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        raise ValueError(f"{name} is a number from 1 to {most}.")
    return number


def parse_demand(header: str) -> Demand:
    """Raises ``ValueError`` that says what is wrong."""
    members: dict[str, str] = {}
    for member in header.split(","):
        name, _, value = member.strip(" \t").partition("=")
        if name not in {"copies", "countries", "timeout"} or name in members:
            raise ValueError('The form is copies=2, countries=("FI" "DE"), timeout=10; each at most once.')
        members[name] = value
    countries: str | list[str] | None = members.get("countries")
    if isinstance(countries, str) and (listed := _LIST.fullmatch(countries)):
        countries = listed[1].replace('"', "").split()
    return make_demand(members.get("copies"), countries, members.get("timeout"))


def reached_header(reached: Reached | None, demand: Demand) -> str:
    """``None``: nobody can tell (in time), or the version is gone."""
    if reached is None:
        return "reached=?0"
    countries = " ".join(f'"{country}"' for country in reached.countries)
    return f"reached=?{int(demand.is_met_by(reached))}, copies={len(reached.backends)}, countries=({countries})"


def unattainable(demand: Demand, most_copies: int, allowed: Iterable[str] | None) -> str | None:
    """Why it will not be met, however long one waits: more copies or other countries than the policy makes (``None``: any country)."""
    asked: Mapping[str, int] = {"copies": demand.copies, "countries": max(demand.count, len(demand.countries))}
    for what, number in asked.items():
        if number > most_copies:
            return f"{number} {what} were asked for; the policy makes copies: {most_copies}."
    if allowed is not None and (outside := demand.countries.difference(allowed)):
        return f"The policy allows no copy in {min(outside)}."
    return None
