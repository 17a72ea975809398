"""The header ``x-domicile-wait``: the answer comes when the version has so many verified copies, or its time is up. For the owner alone.

A write that was committed is never failed by it: the answer tells what was reached.
"""

from __future__ import annotations

from domicile_common.access import engine
from domicile_common.errors import RequestError, Unavailable
from domicile_common.model import Facts, Version
from domicile_common.waiting import Demand, parse_demand, reached_header, unattainable
from domicile_proxy.context import Context
from domicile_proxy.request import S3Request
from domicile_proxy.s3.headers import WAIT, object_policy


def read_wait(request: S3Request, facts: Facts) -> Demand | None:
    """What the client wants to wait for.

    Raises:
        RequestError: InvalidArgument, also for what the policy will never make; AccessDenied for anybody but the bucket's owner.
    """
    header = request.headers.get(WAIT)
    if header is None:
        return None
    if not engine.owns(request.caller, request.bucket):
        raise RequestError("AccessDenied")
    try:
        demand = parse_demand(header)
    except ValueError as error:
        raise _invalid(str(error), header) from None
    policy = request.bucket.policy
    own = object_policy(facts)
    copies = (own.replica_count if own else None) or policy.replica_count
    if (why := unattainable(demand, copies, policy.countries)) is not None:
        raise _invalid(why, header)
    return demand


def _invalid(why: str, header: str) -> RequestError:
    return RequestError("InvalidArgument", why, {"ArgumentName": WAIT, "ArgumentValue": header[:100]})


async def wait_for(demand: Demand | None, version: Version, context: Context) -> dict[str, str]:
    """The header that says what was reached. Raises ``Unavailable``, when too many wait or the record cannot be looked at."""
    if demand is None:
        return {}
    return {WAIT: reached_header(await context.watch.wait((version.bucket_id, version.version_id), demand), demand)}


async def wait_after_write(demand: Demand | None, version: Version, context: Context) -> dict[str, str]:
    """As ``wait_for``, but what was written is written, whatever can be said of its copies."""
    try:
        return await wait_for(demand, version, context)
    except Unavailable:
        return {} if demand is None else {WAIT: reached_header(None, demand)}
