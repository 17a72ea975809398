"""Where the copies of an object are, since when, and when each was last verified: for the bucket's owner alone."""

from __future__ import annotations

from domicile_common.access import engine
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import FindPlacement, PlacementOfVersion
from domicile_common.model import Version
from domicile_proxy.context import Context
from domicile_proxy.request import S3Request
from domicile_proxy.s3.headers import PLACEMENT, object_policy
from domicile_proxy.s3.placement import check_asked, placement_header


async def find_placement(version: Version, trace: str, context: Context) -> PlacementOfVersion:
    call = FindPlacement(bucket_id=version.bucket_id, version_id=version.version_id, trace=trace)
    return await context.metadata.call(call)


async def owner_headers(request: S3Request, version: Version, context: Context) -> dict[str, str]:
    """What GetObject and HeadObject tell the bucket's owner beside what S3 tells everybody who may read.

    Raises:
        RequestError: AccessDenied for anybody else who asks where the copies are, InvalidArgument, NoSuchVersion.
    """
    asked = request.headers.get(PLACEMENT)
    if not engine.owns(request.caller, request.bucket):
        if asked is not None:
            raise RequestError("AccessDenied")
        return {}
    policy = object_policy(version.facts)
    headers = {"x-domicile-replica-count": str(policy.replica_count)} if policy else {}
    if asked is not None:
        check_asked(asked)
        headers[PLACEMENT] = placement_header(await find_placement(version, request.trace, context))
    return headers
