"""Backends: registered, changed and taken out of use by an operator. Their secrets are kept sealed and never shown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from domicile_common.backends.quirks import PROBED, QUIRKS
from domicile_common.countries import COUNTRIES
from domicile_common.errors import RequestError
from domicile_common.events import Invalidation
from domicile_common.model import Backend, BackendState
from domicile_common.sealing import backend_context
from domicile_metadata.context import Context
from domicile_metadata.domain.demands import NAMED, Broken, broken_by, refuse
from domicile_metadata.services import probes, rearrange
from domicile_metadata.storage import backends, directory, invalidations, policies
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.rearrange import reconsider_refused

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}\Z")]
_REPLICATION = ("paused", "job_limit", "bytes_per_second", "requests_per_second")
Printable = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,256}\Z")]


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of ``model.Backend``; secret and ``state`` may be left out to keep those that a known backend has.

    ``force``: as in ``BackendChange``. ``sealed_secret_key``: in place of ``secret_key``, as a browser seals it for this very backend (``sealing``).
    """

    provider: Slug
    endpoint: Annotated[str, msgspec.Meta(max_length=500)]
    country: str
    jurisdictions: tuple[str, ...]
    access_key: Printable
    secret_key: Printable | None = None
    sealed_secret_key: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    region: Printable = "us-east-1"
    addressing: Literal["path", "virtual"] = "path"
    quirks: str = PROBED
    state: BackendState | None = None
    cost: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    force: bool = False


Unset = msgspec.UnsetType


class BackendChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is; a limit that is ``null`` ends. All replicators share the limits.

    ``force``: also when policies could not be satisfied any more.
    """

    state: BackendState | Unset = msgspec.UNSET
    paused: bool | Unset = msgspec.UNSET
    job_limit: Annotated[int, msgspec.Meta(ge=1, le=10000)] | Unset | None = msgspec.UNSET
    bytes_per_second: Annotated[int, msgspec.Meta(ge=65536, le=10**12)] | Unset | None = msgspec.UNSET
    requests_per_second: Annotated[float, msgspec.Meta(ge=0.1, le=10**6)] | Unset | None = msgspec.UNSET
    force: bool = False


class ShownBackend(msgspec.Struct, frozen=True):
    """A backend without its secret. ``capabilities``: what the last probes have found; missing is what is not known."""

    backend_id: str
    provider: str
    endpoint: str
    country: str
    jurisdictions: tuple[str, ...]
    access_key: str
    region: str
    addressing: str
    quirks: str
    state: str
    cost: int
    paused: bool
    job_limit: int | None
    bytes_per_second: int | None
    requests_per_second: float | None
    capabilities: dict[str, bool]


class BackendList(msgspec.Struct, frozen=True):
    backends: tuple[ShownBackend, ...]


async def put(context: Context, backend_id: str, registration: Registration) -> ShownBackend:
    """Registers or changes. Raises ``InvalidArgument``, and as ``change`` does."""
    _check(backend_id, registration)
    async with context.database.transaction() as session:
        before = await backends.lock(session, backend_id)
        sealed = _sealed_secret(context, backend_id, registration, before)
        kept = {} if before is None else {field: getattr(before, field) for field in _REPLICATION}
        backend = Backend(
            backend_id=backend_id,
            provider=registration.provider,
            endpoint=registration.endpoint.rstrip("/"),
            country=registration.country,
            jurisdictions=tuple(dict.fromkeys(registration.jurisdictions)),
            access_key=registration.access_key,
            sealed_secret=sealed,
            region=registration.region,
            addressing=registration.addressing,
            quirks=registration.quirks,
            state=registration.state or (before.state if before else "active"),
            cost=registration.cost,
            **kept,
        )
        is_same = before is not None and _reached(before) == _reached(backend)
        if before is not None and is_same:
            backend = msgspec.structs.replace(backend, capabilities=before.capabilities)
        await _store(context, session, before, backend, force=registration.force)
        if not is_same:
            await probes.begin(context, session, backend_id)
    return _shown(backend)


class Place(NamedTuple):
    """What policies ask about."""

    provider: str
    country: str
    jurisdictions: frozenset[str]


def _reached(backend: Backend) -> tuple[str, str, str, str]:
    """What a probe depends on."""
    return backend.endpoint, backend.region, backend.addressing, backend.provider


def _place(backend: Backend) -> Place:
    return Place(backend.provider, backend.country, frozenset(backend.jurisdictions))


def _moves(before: Backend, after: Backend) -> bool:
    """Whether what exists may have to move when the backend comes into this place and state."""
    return _place(before) != _place(after) or (
        before.state != after.state and bool({before.state, after.state} & {"draining", "lost"})
    )


async def _store(context: Context, session: Session, before: Backend | None, backend: Backend, *, force: bool) -> None:
    """What exists follows, and the proxies get word. The backend is locked."""
    if before and not force:
        await _check_policies(session, before, backend)
    moves = before is not None and _moves(before, backend)
    if moves:
        await backends.stop_replica_changes(session)
    await backends.upsert(session, backend)
    if backend.state == "lost":
        await backends.replay_parked(session, backend.backend_id)
    if moves:
        cause = f"backend {backend.backend_id} is {backend.state} in {backend.country} under {', '.join(backend.jurisdictions)}"
        await rearrange.request(context, session, None, cause)
    await reconsider_refused(session)
    await invalidations.send(session, [Invalidation("backend", backend.backend_id)])


async def _check_policies(session: Session, before: Backend, backend: Backend) -> None:
    """Raises ``PolicyRefused`` when writes that were possible would not be any more."""
    is_same = (_place(before), before.state) == (_place(backend), backend.state)
    if not is_same and (broken := await broken_by_change(session, backend)):
        raise refuse(broken)


async def broken_by_change(statements: Statements, backend: Backend, tenant_id: str | None = None) -> tuple[Broken, ...]:
    """The policies (or only those of a tenant) that could not be satisfied any more if a backend that is known became this."""
    listed = await directory.list_backends(statements)
    after = [backend if it.backend_id == backend.backend_id else it for it in listed]
    return broken_by(await policies.demands(statements, NAMED, tenant_id), listed, after)


def _sealed_secret(context: Context, backend_id: str, registration: Registration, before: Backend | None) -> str:
    secret = given_secret(context, backend_id, registration)
    if secret is not None:
        return context.sealer.seal(secret, backend_context(backend_id))
    if before is None:
        raise RequestError("InvalidArgument", "secret_key is needed for a new backend.")
    return before.sealed_secret


def given_secret(context: Context, backend_id: str, registration: Registration) -> str | None:
    """The secret that came along, in clear. ``backend_id``: for whom it was sealed, ``""`` when it is not to be registered."""
    if registration.sealed_secret_key is None:
        return registration.secret_key
    if registration.secret_key is not None:
        raise RequestError("InvalidArgument", "secret_key and sealed_secret_key are two ways to say one thing.")
    try:
        secret = context.sealer.open_handed_over(registration.sealed_secret_key, backend_context(backend_id))
        return msgspec.convert(secret, Printable)
    except ValueError as error:  # what is not printable among them
        raise RequestError("InvalidArgument", f"sealed_secret_key does not open: {error}.") from None


def _check(backend_id: str, registration: Registration) -> None:
    try:
        msgspec.convert(backend_id, Slug)
    except msgspec.ValidationError:
        raise RequestError("InvalidArgument", "A backend id is up to 31 of a-z, 0-9 and -, not beginning with -.") from None
    check_registration(registration)


def check_registration(registration: Registration) -> None:
    """Raises ``InvalidArgument``."""
    check_place(registration.country, registration.jurisdictions)
    if registration.quirks not in (PROBED, *QUIRKS):
        raise RequestError("InvalidArgument", f"quirks is one of {', '.join((PROBED, *QUIRKS))}.")
    if not _is_endpoint(registration.endpoint):
        raise RequestError("InvalidArgument", "endpoint is an http:// or https:// address without path, user or query.")


def check_place(country: str, jurisdictions: Collection[str]) -> None:
    """Raises ``InvalidArgument``."""
    if country not in COUNTRIES:
        raise RequestError("InvalidArgument", "country is not an ISO 3166-1 alpha-2 code in capitals, such as FI.")
    if not jurisdictions or not COUNTRIES.issuperset(jurisdictions):
        raise RequestError(
            "InvalidArgument", 'jurisdictions are one or more ISO 3166-1 alpha-2 codes in capitals, such as ["DE", "US"].'
        )


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and plain
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


async def list_all(context: Context) -> BackendList:
    return BackendList(tuple(_shown(backend) for backend in await directory.list_backends(context.database)))


async def show(context: Context, backend_id: str) -> ShownBackend:
    found = [backend for backend in (await list_all(context)).backends if backend.backend_id == backend_id]
    if not found:
        raise no_such_backend(backend_id)
    return found[0]


async def change(context: Context, backend_id: str, wanted: BackendChange) -> ShownBackend:
    """``readonly``: no new writes. ``draining``: everything moves away. ``disabled``: not even reads. ``lost``: gone for good.

    Raises ``NoSuchBackend``, and ``PolicyRefused`` for what would leave policies without the backends that they need, unless forced.
    """
    fields = ("state", *_REPLICATION)
    changes = {field: value for field in fields if (value := getattr(wanted, field)) is not msgspec.UNSET}
    if not changes:
        raise RequestError("InvalidArgument", f"Nothing is to be changed: {', '.join(fields)} may be.")
    async with context.database.transaction() as session:
        before = await backends.lock(session, backend_id)
        if before is None:
            raise no_such_backend(backend_id)
        backend = msgspec.structs.replace(before, **changes)
        await _store(context, session, before, backend, force=wanted.force)
    return _shown(backend)


def no_such_backend(backend_id: str) -> RequestError:
    return RequestError("NoSuchBackend", f"There is no backend {backend_id}.")


def _shown(backend: Backend) -> ShownBackend:
    return ShownBackend(*(getattr(backend, field) for field in ShownBackend.__struct_fields__))
