"""What buckets are called at their backends."""

from __future__ import annotations

from domicile_common.namespace import namespace_name
from domicile_metadata.context import Context


def physical_name(context: Context, tenant_id: str, bucket: str, backend: tuple[str, str], counter: int) -> str:
    """``backend``: its id and provider. Only the holder of the namespace key can make it up."""
    key, prefix = context.settings.namespace_key.get_secret_value().encode(), context.settings.namespace_prefix
    return namespace_name(key, prefix, tenant_id, bucket, *backend, counter)
