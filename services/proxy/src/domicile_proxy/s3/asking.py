"""What a request tells about itself, as the conditions of a bucket policy ask for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from domicile_common.access.conditions import REQUEST_TAG, Facts
from domicile_common.errors import RequestError
from domicile_common.model import Lock, Tenant
from domicile_common.sigv4.claim import Claim
from domicile_proxy.s3.addressing import parse_source


class Signed(NamedTuple):
    """How a request was signed. ``kind``: as ``s3:authType`` has it. ``payload``: what was signed in place of the body, if anything was.

    ``signed_at``: ``None`` where the signature does not tell.
    """

    kind: str
    version: str
    signed_at: datetime | None
    payload: str | None = None


def signed_by(claim: Claim) -> Signed:
    kind = "REST-QUERY-STRING" if claim.presigned else "REST-HEADER"
    return Signed(kind, claim.version, claim.signed_at, claim.payload)


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
_FROM_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
# Operations that need leave to put an object, and whether they make one by themselves.
_CREATES = {
    **dict.fromkeys(("PutObject", "CopyObject", "PostObject", "CompleteMultipartUpload"), "true"),
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "UploadPartCopy"), "false"),
}


def request_facts(operation: str, headers: Mapping[str, str], params: Mapping[str, str]) -> Facts:
    """What headers and query say; which of it counts is for the engine to know."""
    facts = {key: (headers[name],) for name, key in _FROM_HEADERS.items() if name in headers}
    facts |= {key: (params[name],) for name, key in _FROM_QUERY.items() if name in params}
    if operation in _CREATES:
        facts["s3:objectcreationoperation"] = (_CREATES[operation],)
    source = facts.pop("s3:x-amz-copy-source", None)
    if source and operation in {"CopyObject", "UploadPartCopy"}:
        facts["s3:x-amz-copy-source"] = (_source(source[0]),)
    return facts


def _source(header: str) -> str:
    """As policies name it: by another encoding nobody gets past a condition."""
    try:
        return str(parse_source(header))
    except RequestError:  # which the operation itself will raise
        return header


def tag_facts(tags: Mapping[str, str]) -> Facts:
    """``tags``: those that an object shall have."""
    if not tags:
        return {}
    return {"s3:requestobjecttagkeys": tuple(tags), **{REQUEST_TAG + key: (value,) for key, value in tags.items()}}


def lock_facts(lock: Lock) -> Facts:
    """``lock``: what a version shall have."""
    facts: dict[str, tuple[str, ...]] = {}
    if lock.mode is not None and lock.until is not None:
        facts["s3:object-lock-mode"] = (lock.mode,)
        facts["s3:object-lock-retain-until-date"] = (lock.until.isoformat(),)
    if lock.legal_hold is not None:
        facts["s3:object-lock-legal-hold"] = ("ON" if lock.legal_hold else "OFF",)
    return facts


def circumstances(
    caller: Tenant, access_key: str, signed: Signed | None, owner: Tenant, *, remote: str, secure: bool, now: datetime
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
    if signed is not None:
        facts["s3:authtype"] = (signed.kind,)
        facts["s3:signatureversion"] = (signed.version,)
        if signed.signed_at is not None:
            facts["s3:signatureage"] = (str(int((now - signed.signed_at).total_seconds() * 1000)),)
        if signed.payload is not None:
            facts["s3:x-amz-content-sha256"] = (signed.payload,)
    return facts
