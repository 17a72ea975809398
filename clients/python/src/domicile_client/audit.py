"""The audit log: what was done and refused through the admin API."""

from __future__ import annotations

from domicile_client.call import Call, Pages, call


def list_all(**asked: str | None) -> Call:
    """Newest first. ``asked``: ``tenant``, ``actor``, ``role``, ``about``, ``since``, ``until``, ``refused``."""
    return call("GET", "audit", query=dict(asked), pages=Pages("entries"))


def export(tenant: str | None = None, after: int | None = None) -> Call:
    """For ``Domicile.download``: NDJSON, oldest first, from behind the entry with the number ``after``."""
    return call("GET", "audit", "export", query={"tenant": tenant, "after": after})


def verify(after: int | None = None, hash_of: str | None = None) -> Call:
    """Whether the entries hang together; ``after``, ``hash_of``: one that was kept elsewhere."""
    return call("GET", "audit", "verify", query={"after": after, "hash": hash_of})
