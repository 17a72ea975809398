"""Whether a tenant stays within its quotas. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from domicile_common.errors import RequestError


@dataclass(frozen=True, slots=True)
class Room:
    """``bytes``, ``objects``: what the tenant may use, ``None``: as much as it likes. ``own_…``: what of the used is not committed yet."""

    tenant_id: str
    bytes: int | None
    objects: int | None
    used_bytes: int
    used_objects: int
    own_bytes: int = 0
    own_objects: int = 0

    def objection(self, more_bytes: int = 0, more_objects: int = 0) -> RequestError | None:
        """Why it may not add this to what it uses. Whoever adds nothing may, however much it uses: it may have got less since."""
        for what, limit, used, added in (
            ("bytes", self.bytes, self.used_bytes + more_bytes, self.own_bytes + more_bytes),
            ("objects", self.objects, self.used_objects + more_objects, self.own_objects + more_objects),
        ):
            if limit is not None and used > limit and added > 0:
                text = f"The tenant's quota of {what} is {limit}, and with this {used} would be used."
                return RequestError("QuotaExceeded", text, {"Quota": what, "Limit": str(limit)})
        return None
