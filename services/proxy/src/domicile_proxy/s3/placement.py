"""Where the copies of an object are, as its owner is told: a document of Domicile's own, and one header. Pure."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Copy, PlacementOfVersion
from domicile_common.model import Version
from domicile_proxy.s3.answers import document
from domicile_proxy.s3.headers import PLACEMENT
from domicile_proxy.s3.xml import escape, timestamp


def render_placement(version: Version, placement: PlacementOfVersion) -> bytes:
    """GetObjectPlacement."""
    head = f"<VersionId>{version.shown_id}</VersionId><Reason>{escape(placement.reason)}</Reason>"
    return document("ObjectPlacement", head + "".join(map(_copy, placement.copies)))


def _copy(copy: Copy) -> str:
    rows = [("Backend", copy.backend_id), ("Provider", copy.provider), ("Country", copy.country), ("State", copy.state)]
    rows.append(("Since", timestamp(copy.since)))
    if copy.verified_at is not None:
        rows.append(("LastVerified", timestamp(copy.verified_at)))
    return f"<Copy>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in rows)}</Copy>"


def check_asked(value: str) -> None:
    """Raises RequestError: InvalidArgument."""
    if value.lower() != "true":
        raise RequestError(
            "InvalidArgument", "The value must be true.", {"ArgumentName": PLACEMENT, "ArgumentValue": value[:100]}
        )


def placement_header(placement: PlacementOfVersion) -> str:
    """A list as of RFC 9651: ``"fi";country=FI;state=verified;since="2026-01-01T00:00:00.000Z";verified="…", …``."""
    return ", ".join(map(_item, placement.copies))


def _item(copy: Copy) -> str:
    item = f'"{copy.backend_id}";country={copy.country};state={copy.state};since="{timestamp(copy.since)}"'
    return item if copy.verified_at is None else f'{item};verified="{timestamp(copy.verified_at)}"'
