"""XML of S3: a bounded parser for what clients send, and escaping for what they get. Pure.

Control characters in keys: S3 keys may hold characters that XML 1.0 cannot carry in any form (U+0000 to U+001F but tab, line feed and
carriage return). They are written as numeric references (``&#x1;``), as AWS does: a strict parser then refuses the document, which is
right, because a replacement character would name another key. Clients ask for ``encoding-type=url`` to list such keys. Where an answer
only repeats what was asked for, it is no use to anybody that cannot be parsed (see ``show``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.ElementTree import DefusedXMLParser

from domicile_common.errors import RequestError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

MAX_BYTES = 4 * 1024 * 1024  # 10,000 parts with checksums take 2 MB, 1,000 keys of 1 KiB with every byte escaped 5 MB at worst
MAX_DEPTH = 16
MAX_ELEMENTS = 100_000

_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f-\x9f\ufffe\uffff]')
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCES = {code: f"&#x{code:X};" for code in (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF)} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
}


def escape(text: str) -> str:
    """Text content. Line ends and tabs are references too, since parsers normalise bare ones."""
    return text.translate(_REFERENCES) if _SPECIAL.search(text) else text


def show(text: str) -> str:
    """Text content that the client knows already, such as the key in an error or beside an upload id: U+FFFD stands for what XML cannot carry.

    Lone surrogates, which nothing can carry, come from JSON.
    """
    return escape(_NOT_XML.sub("\ufffd", text))


def url_encode(text: str) -> str:
    """``encoding-type=url``: everything but unreserved characters and ``/``; needs no further escaping."""
    return quote(text, safe="/")


def timestamp(instant: datetime) -> str:
    """ISO 8601 with milliseconds; whole seconds, so that it equals the Last-Modified header of the same object."""
    return f"{instant.isoformat(timespec='seconds')[:19]}.000Z"


class _BoundedBuilder(TreeBuilder):
    """Counts while the tree grows, so that neither depth nor number of elements is ever built beyond the limits."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise RequestError("MalformedXML")
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag.rpartition("}")[2])


def parse(body: bytes, root: str) -> Element:
    """The document's root element, which must be called ``root``; names come without their namespace.

    Raises:
        RequestError: MalformedXML: not well-formed, too large, too deep, another root, a document type, or an entity.
    """
    if len(body) > MAX_BYTES:
        raise RequestError("MalformedXML")
    parser = DefusedXMLParser(target=_BoundedBuilder(), forbid_dtd=True)
    try:
        parser.feed(body)
        document = parser.close()
    except (ParseError, ValueError, LookupError):  # bad XML; an entity or a document type; an encoding nobody knows
        raise RequestError("MalformedXML") from None
    if not isinstance(document, Element) or document.tag != root:
        raise RequestError("MalformedXML")
    return document
