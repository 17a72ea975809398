"""After a change of passphrase: everything sealed with the previous one is sealed anew, so that the previous one can be forgotten."""

from __future__ import annotations

import msgspec

from domicile_common.events import Invalidation
from domicile_common.sealing import backend_context, credential_context
from domicile_metadata.context import Context
from domicile_metadata.domain.tasks import task_backend
from domicile_metadata.storage import backends, credentials, directory, invalidations, transfers

PAGE = 500
BEFORE_ALL = "0" * 32


class Resealed(msgspec.Struct, frozen=True):
    """How many secrets were sealed anew by this call."""

    credentials: int
    backends: int
    tasks: int


async def reseal(context: Context) -> Resealed:
    """Each secret in a transaction of its own; may be repeated. Raises ``ConfigurationError`` for one that no passphrase opens."""
    return Resealed(await _reseal_credentials(context), await _reseal_backends(context), await _reseal_tasks(context))


async def _reseal_credentials(context: Context) -> int:
    count, after = 0, ""
    while page := await credentials.list_sealed(context.database, after, PAGE):
        for access_key, envelope in page:
            if context.sealer.needs_reseal(envelope):
                sealed = _anew(context, envelope, credential_context(access_key))
                async with context.database.transaction() as session:
                    count += await credentials.reseal(session, access_key, envelope, sealed)
                    await invalidations.send(session, [Invalidation("credential", access_key)])
        after = page[-1][0]
    return count


async def _reseal_backends(context: Context) -> int:
    count = 0
    for backend in await directory.list_backends(context.database):
        if context.sealer.needs_reseal(backend.sealed_secret):
            sealed = _anew(context, backend.sealed_secret, backend_context(backend.backend_id))
            async with context.database.transaction() as session:
                count += await backends.reseal(session, backend.backend_id, backend.sealed_secret, sealed)
                await invalidations.send(session, [Invalidation("backend", backend.backend_id)])
    return count


async def _reseal_tasks(context: Context) -> int:
    count, after = 0, BEFORE_ALL
    while page := await transfers.list_secrets(context.database, after, PAGE):
        for task_id, envelope in page:
            if context.sealer.needs_reseal(envelope):
                sealed = _anew(context, envelope, backend_context(task_backend(task_id)))
                async with context.database.transaction() as session:
                    count += await transfers.reseal(session, task_id, envelope, sealed)
        after = page[-1][0]
    return count


def _anew(context: Context, envelope: str, owner: str) -> str:
    return context.sealer.seal(context.sealer.open(envelope, owner), owner)
