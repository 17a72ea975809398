"""Where a page of a listing starts. Pure."""

from __future__ import annotations

from typing import Final

from domicile_metadata.domain.ids import is_id

FIRST_ID: Final = "0" * 32  # before every id that is ever given


def start_of_page(prefix: str, delimiter: str, after: str) -> bytes:
    """The first key that may stand on the page: not before the prefix, behind ``after``, and behind all of it when it is a common prefix.

    Keys are UTF-8: no key lies between ``key`` and ``key || 00``, and none that begins with ``prefix`` behind ``prefix || FF``.
    """
    behind = after.encode() + (b"\xff" if is_common_prefix(prefix, delimiter, after) else b"\x00")
    return max(prefix.encode(), behind) if after else prefix.encode()


def is_common_prefix(prefix: str, delimiter: str, text: str) -> bool:
    """Whether ``text`` is a key rolled up: everything up to and with the first delimiter behind the prefix."""
    return (
        bool(delimiter)
        and text.startswith(prefix)
        and text.find(delimiter, len(prefix)) == len(text) - len(delimiter) >= len(prefix)
    )


def start_of_uploads(prefix: str, delimiter: str, after_key: str, after_upload: str) -> tuple[bytes, str]:
    """Key and upload id that the page lies behind. Without ``after_upload``, all uploads of ``after_key`` lie before the page."""
    if after_upload and is_id(after_upload) and after_key.encode() >= prefix.encode():
        return after_key.encode(), after_upload
    return start_of_page(prefix, delimiter, after_key), FIRST_ID
