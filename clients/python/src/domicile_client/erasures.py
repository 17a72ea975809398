"""Certificates of erasure."""

from __future__ import annotations

from domicile_client.call import Call, call


def certify(
    tenant: str,
    bucket: str | None = None,
    *,
    key: str | None = None,
    prefix: str | None = None,
    hash_keys: bool | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> Call:
    """States what of a tenant, a bucket, a key or a prefix is gone, signed. ``after``: what the certificate before ends with."""
    subject = {"tenant": tenant, "bucket": bucket, "key": key, "prefix": prefix}
    return call("POST", "erasures", body={**subject, "hash_keys": hash_keys, "after": after, "limit": limit})


def public_key() -> Call:
    """What certificates are verified with: ``domicile_client.certificates.verify``."""
    return call("GET", "erasures", "key")
