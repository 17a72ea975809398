"""What a browser asks before a web page may use a bucket: OPTIONS, which never carries credentials.

Which bucket is meant by a name may depend on who will ask, so the rules of all buckets of that name count. That reveals no more than
that somebody has published such rules; without any, the answer is the same whether there is such a bucket or not.
"""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_proxy.context import Context
from domicile_proxy.request import Incoming, Response
from domicile_proxy.s3.addressing import parse_address
from domicile_proxy.s3.cors import allowing, find_rule


async def preflight(incoming: Incoming, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html."""
    incoming.label = "Preflight"
    headers = incoming.headers
    origin, method = headers.get("origin"), headers.get("access-control-request-method")
    if not origin:
        raise RequestError("BadRequest", "Insufficient information. Origin request header needed.")
    if not method:
        raise RequestError("BadRequest", "Invalid Access-Control-Request-Method: null")
    bucket, _ = parse_address(headers.get("host", ""), incoming.raw_path, context.settings.s3_base_domain)
    wanted = [name.strip() for name in headers.get("access-control-request-headers", "").split(",") if name.strip()]
    rules = await context.directory.cors(bucket) if bucket else ()
    rule = find_rule(rules, origin, method, wanted)
    if rule is None:
        message = "CORSResponse: This CORS request is not allowed."
        raise RequestError("AccessForbidden", message, {"Method": method[:100], "ResourceType": "OBJECT"})
    answer = allowing(rule, origin)
    if wanted:
        answer["access-control-allow-headers"] = ", ".join(wanted)
    return Response(200, answer)
