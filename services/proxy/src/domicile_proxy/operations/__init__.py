"""One module a family of S3 operations; each operation is ``async def name(request: S3Request, context: Context) -> Response``.

Every module ends in its own ``OPERATIONS: dict[str, Handler]`` by S3 operation name (``{"GetObject": get_object}``); ``table`` joins
them. What an operation refuses it raises as ``RequestError``; what is away as ``Unavailable`` or ``BackendError``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from domicile_proxy.context import Context
from domicile_proxy.request import Response, S3Request

Handler = Callable[[S3Request, Context], Awaitable[Response]]
