"""Access keys and backends for proxies and workers, which cache the answers."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Backends, FindCredential, FindTenants, ListBackends, Tenants
from domicile_common.model import Credential
from domicile_metadata.context import Context
from domicile_metadata.storage import directory


async def find_credential(context: Context, request: FindCredential) -> Credential:
    """An unknown, disabled and expired key are not told apart."""
    known = request.access_key.isprintable() and await directory.find_credential(context.database, request.access_key)
    if not known:
        raise RequestError(
            "InvalidAccessKeyId", "The access key does not exist in our records.", {"AWSAccessKeyId": request.access_key}
        )
    return known


async def list_backends(context: Context, _request: ListBackends) -> Backends:
    return Backends(await directory.list_backends(context.database))


async def find_tenants(context: Context, request: FindTenants) -> Tenants:
    return Tenants(await directory.find_tenants(context.database, request.canonical_ids))
