"""A secret that is made for somebody at a browser, sealed for the page that has asked for it: whoever passes the answer on cannot read it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from domicile_common.errors import RequestError
from domicile_common.sealing import seal_for

PublicKey = Annotated[str, msgspec.Meta(max_length=200)]


def hand_over(public_key: str, secret: str, owner: str) -> str:
    """``owner``: as in ``sealing``. Raises ``InvalidArgument``, so it is to be called before the transaction ends."""
    try:
        return seal_for(public_key, secret, owner)
    except ValueError as error:
        raise RequestError("InvalidArgument", f"seal_to is no public key: {error}") from None
