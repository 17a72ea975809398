"""GetObjectAttributes and GetObjectPlacement: what is known of an object, without its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from domicile_common.access.actions import NEEDS
from domicile_common.errors import RequestError
from domicile_common.model import Part
from domicile_proxy.authorization import check
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import xml
from domicile_proxy.operations.objects_read import locate_object
from domicile_proxy.operations.placement import find_placement
from domicile_proxy.operations.waiting import read_wait, wait_for
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.answers import PartsPage
from domicile_proxy.s3.headers import unmodified_headers, version_header, wanted_version
from domicile_proxy.s3.placement import render_placement
from domicile_proxy.s3.query import whole_number

ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
MOST_PARTS = 1000


async def get_object_attributes(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html."""
    asked = wanted_attributes(request.headers)
    marker = whole_number(request.headers, "x-amz-part-number-marker", 0)
    limit = min(whole_number(request.headers, "x-amz-max-parts", MOST_PARTS), MOST_PARTS)
    version = (await locate_object(request, context)).version
    page = parts_page(version.digest.parts, marker, limit) if version.digest.parts else None
    body = answers.object_attributes(version.digest, version.facts.storage_class, asked, page)
    headers = unmodified_headers(version, versioned=request.bucket.versioning != "off")
    del headers["etag"]  # it is asked for, or not
    return xml(body, headers)


async def get_object_placement(request: S3Request, context: Context) -> Response:
    """``GET /bucket/key?placement``, also of a version. What keeps the owner from reading the object keeps it from this, too."""
    await check(request, context, request.bucket, NEEDS["GetObject"], request.key, version_id=wanted_version(request.params))
    version = (await locate_object(request, context)).version
    waited = await wait_for(read_wait(request, version.facts), version, context)
    body = render_placement(version, await find_placement(version, request.trace, context))
    return xml(body, waited | version_header(version, versioned=request.bucket.versioning != "off"))


def wanted_attributes(headers: Mapping[str, str]) -> frozenset[str]:
    """Raises RequestError: InvalidRequest (none), InvalidArgument (one that there is not)."""
    asked = frozenset(name.strip() for name in headers.get("x-amz-object-attributes", "").split(",") if name.strip())
    if not asked:
        message = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"
        raise RequestError("InvalidRequest", message)
    if unknown := asked - ATTRIBUTES:
        detail = {"ArgumentName": "x-amz-object-attributes", "ArgumentValue": min(unknown)[:100]}
        raise RequestError("InvalidArgument", "Invalid attribute name specified.", detail)
    return asked


def parts_page(parts: tuple[Part, ...], marker: int, limit: int) -> PartsPage:
    """Parts are numbered as reads by part number count them: from 1, without gaps."""
    page = tuple(islice(parts, marker, marker + limit))
    return PartsPage(page, marker, limit, truncated=marker + len(page) < len(parts) and limit > 0)


OPERATIONS: dict[str, Handler] = {"GetObjectAttributes": get_object_attributes, "GetObjectPlacement": get_object_placement}
