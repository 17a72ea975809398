"""What binds a row of PostgreSQL to the admin key, so that whoever writes rows makes no sessions or tokens of them."""

from __future__ import annotations

import hmac

from domicile_metadata.context import Context


def prove(context: Context, message: bytes) -> bytes:
    return hmac.digest(context.settings.admin_api_keys[0].encode(), message, "sha256")


def is_proven(context: Context, message: bytes, proof: bytes) -> bool:
    """With the admin key, or while it is changed with the other one."""
    made = (hmac.digest(key.encode(), message, "sha256") for key in context.settings.admin_api_keys)
    return any(hmac.compare_digest(proof, each) for each in made)
