"""The page itself: the files that ``make web`` has built, kept in memory, plain and compressed.

The page finds its way behind the ``#`` of its address, so that what somebody looks at is never sent here, and ``/`` is all that there is to open.
"""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

WEB = files("domicile_discovery").joinpath("web")
FOREVER = "public, max-age=31536000, immutable"  # what is under assets/ has a hash of its content in its name
_PACKED = frozenset({"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"})


def page_routes(headers: Mapping[str, str], web: Traversable = WEB) -> list[BaseRoute]:
    """``headers`` go with everything. A checkout in which nothing was built serves its API all the same, and says what is missing."""
    if not web.joinpath("index.html").is_file():
        return [Route("/", _not_built)]
    assets = [(f"/assets/{it.name}", it, FOREVER) for it in web.joinpath("assets").iterdir()]
    others = [("/" if it.name == "index.html" else f"/{it.name}", it, "no-cache") for it in web.iterdir() if it.is_file()]
    return [_route(path, file, {**headers, "cache-control": caching}) for path, file, caching in (*assets, *others)]


def _route(path: str, file: Traversable, headers: Mapping[str, str]) -> Route:
    """https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 for ``If-None-Match``."""
    body = file.read_bytes()
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, mtime=0) if media_type in _PACKED else None
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    always = {**headers, "etag": f"W/{etag}", "vary": "accept-encoding"}

    async def answer(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=always)
        if packed is None or "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(body, headers=always, media_type=media_type)
        return Response(packed, headers={**always, "content-encoding": "gzip"}, media_type=media_type)

    return Route(path, answer)


async def _not_built(_request: Request) -> Response:
    return PlainTextResponse("The page is not built yet: make web does it.\n", 503)
