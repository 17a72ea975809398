"""What a request tells about itself, as the conditions of a bucket policy ask for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domicile_common.access.conditions import REQUEST_TAG, Facts
from domicile_common.model import Tenant
from domicile_common.sigv4.claim import Claim

# Header → condition key, where both have the same value.
_FROM_HEADERS = {
    "referer": "aws:referer",
    "user-agent": "aws:useragent",
    "if-match": "s3:if-match",
    "if-none-match": "s3:if-none-match",
    **{
        f"x-amz-{name}": f"s3:x-amz-{name}"
        for name in (
            "acl",
            "content-sha256",
            "copy-source",
            "grant-full-control",
            "grant-read",
            "grant-read-acp",
            "grant-write",
            "grant-write-acp",
            "metadata-directive",
            "server-side-encryption",
            "server-side-encryption-aws-kms-key-id",
            "server-side-encryption-customer-algorithm",
            "storage-class",
        )
    },
    **{f"x-amz-object-lock-{name}": f"s3:object-lock-{name}" for name in ("legal-hold", "mode", "retain-until-date")},
}
_FROM_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", "versionId": "s3:versionid"}


def request_facts(headers: Mapping[str, str], params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What headers and query say. ``tags``: those that an object shall have."""
    facts: dict[str, tuple[str, ...]] = {key: (headers[name],) for name, key in _FROM_HEADERS.items() if name in headers}
    facts |= {key: (params[name],) for name, key in _FROM_QUERY.items() if name in params}
    if source := headers.get("x-amz-copy-source"):
        facts["s3:x-amz-copy-source"] = (source.removeprefix("/"),)
    if tags:
        facts |= {REQUEST_TAG + key: (value,) for key, value in tags.items()}
        facts["s3:requestobjecttagkeys"] = tuple(tags)
    return facts


def circumstances(
    caller: Tenant, access_key: str, claim: Claim | None, owner: Tenant, *, remote: str, secure: bool, now: datetime
) -> Facts:
    """Who asks, from where, when and how. ``remote``: the address that the connection comes from."""
    facts = {
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:resourceaccount": (owner.canonical_id,),
        "s3:resourceaccount": (owner.canonical_id,),
        "aws:securetransport": ("true" if secure else "false",),
        "aws:principaltype": ("Account" if access_key else "Anonymous",),
    }
    if remote:
        facts["aws:sourceip"] = (remote,)
    if access_key:
        facts["aws:principalaccount"] = (caller.canonical_id,)
        facts["aws:principalarn"] = (f"arn:aws:iam::{caller.canonical_id}:user/{access_key}",)
        facts["aws:userid"] = facts["aws:username"] = (access_key,)
    if claim is not None:
        facts["s3:signatureversion"] = ("AWS4-HMAC-SHA256",)
        facts["s3:authtype"] = ("REST-QUERY-STRING" if claim.presigned else "REST-HEADER",)
        facts["s3:signatureage"] = (str(int((now - claim.signed_at).total_seconds() * 1000)),)
    return facts
