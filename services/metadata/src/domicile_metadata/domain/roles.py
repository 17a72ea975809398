"""Who may call what of the admin API: the one table of routes and roles. Pure.

=============  ==========================================================================================
operator       everything
auditor        reads everything, changes nothing
tenant_admin   what is its tenant's: keys, policies within the locks, placement, jobs, snapshots, tokens
tenant         somebody who has signed in with an access key of a tenant, at the discovery service: sees what is its tenant's
=============  ==========================================================================================

A route that is not listed is the operators' alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

from domicile_common.errors import RequestError
from domicile_common.model import Value

Role = Literal["operator", "auditor", "tenant_admin", "tenant"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
TokenRole = Literal["operator", "auditor", "tenant_admin"]
Scope = Literal["none", "named", "own", "looked_up"]


class Caller(Value, frozen=True, omit_defaults=False):
    """Who asks. ``access``: ``read`` may change nothing. ``expires_at``: of a session or token.

    ``kind`` and ``actor``: what was shown, and which (a token's id, the access key that a session began with); never the secret itself.
    """

    role: Role
    tenant_id: str | None = None
    access: Literal["full", "read"] = "full"
    expires_at: datetime | None = None
    kind: Literal["key", "token", "session"] = "key"
    actor: str = ""

    @property
    def sees_all(self) -> bool:
        """Not only what is one tenant's."""
        return self.role in ("operator", "auditor")


def caller_of_token(
    role: TokenRole, tenant_id: str | None, expires_at: datetime, kind: Literal["token", "session"], token_id: str
) -> Caller:
    return Caller(role, tenant_id, "read" if role == "auditor" else "full", expires_at, kind, token_id)


class Rule(NamedTuple):
    """``reads``: changes nothing, whatever its method is.

    ``scope``, of those who have a tenant: ``named``: the request must name their tenant; ``own``: it may leave it
    out, and the handler sees to it that it is theirs (``own_tenant``); ``looked_up``: the service finds out whose
    the thing is; ``none``: it is nobody's.
    """

    roles: frozenset[Role]
    scope: Scope = "none"
    reads: bool = False


def _rule(roles: str, scope: Scope = "none", *, reads: bool = False) -> Rule:
    return Rule(frozenset(role for role in ROLES if role in roles.split()), scope, reads)


OPERATORS: Final = _rule("operator")

ACCESS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "POST /proxy/tenants": OPERATORS,
        "GET /proxy/tenants": _rule("operator auditor"),
        "GET /proxy/tenants/{tenant}": _rule("operator auditor tenant_admin", "named"),
        "PATCH /proxy/tenants/{tenant}": OPERATORS,
        "GET /proxy/tenants/{tenant}/limits": _rule("operator auditor tenant_admin", "named"),
        "PUT /proxy/tenants/{tenant}/limits": OPERATORS,
        "POST /proxy/credentials": _rule("operator tenant_admin", "named"),
        "GET /proxy/credentials": _rule("operator auditor tenant_admin tenant", "own"),
        "PATCH /proxy/credentials/{access_key}": _rule("operator tenant_admin", "looked_up"),
        "POST /proxy/credentials/{access_key}/rotate": _rule("operator tenant_admin", "looked_up"),
        "GET /proxy/backends": _rule("operator auditor"),
        "GET /proxy/backends/{backend}": _rule("operator auditor"),
        "GET /proxy/backends/{backend}/probes": _rule("operator auditor"),
        "PUT /proxy/backends/{backend}": OPERATORS,
        "PATCH /proxy/backends/{backend}": OPERATORS,
        "GET /proxy/policies/default": _rule("operator auditor"),
        "PUT /proxy/policies/default": OPERATORS,
        "GET /proxy/policies/tenants/{tenant}": _rule("operator auditor tenant_admin tenant", "own"),
        "PUT /proxy/policies/tenants/{tenant}": _rule("operator tenant_admin", "named"),
        "GET /proxy/policies/buckets/{tenant}/{bucket}": _rule("operator auditor tenant_admin tenant", "own"),
        "PUT /proxy/policies/buckets/{tenant}/{bucket}": _rule("operator tenant_admin", "named"),
        "GET /proxy/namespaces/explain": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/placement": _rule("operator auditor tenant_admin", "named"),
        "GET /proxy/wait": _rule("operator auditor tenant_admin", "named"),
        "POST /proxy/placement/preview": _rule("operator auditor tenant_admin", "named", reads=True),
        "GET /proxy/placement/progress": _rule("operator auditor tenant_admin tenant", "own"),
        "POST /proxy/placement/compare": _rule("operator tenant_admin", "named"),
        "GET /proxy/lag": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/lag/history": _rule("operator auditor"),
        "GET /proxy/health": _rule("operator auditor"),
        "GET /proxy/summary": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/buckets": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/buckets/{tenant}/{bucket}": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/objects": _rule("operator auditor tenant_admin tenant", "own"),
        "GET /proxy/jobs": _rule("operator auditor tenant_admin", "named"),
        "GET /proxy/jobs/{bucket_id}/{version_id}/{backend_id}": _rule("operator auditor"),
        "POST /proxy/jobs/replay": _rule("operator tenant_admin", "named"),
        "POST /proxy/jobs/drop": OPERATORS,
        "GET /proxy/jobs/drops": _rule("operator auditor tenant_admin", "named"),
        "POST /proxy/tasks": OPERATORS,
        "GET /proxy/tasks": _rule("operator auditor"),
        "GET /proxy/tasks/{task}": _rule("operator auditor"),
        "GET /proxy/tasks/{task}/findings": _rule("operator auditor"),
        "PATCH /proxy/tasks/{task}": OPERATORS,
        "POST /proxy/erasures": _rule("operator auditor tenant_admin", "named", reads=True),
        "GET /proxy/erasures": _rule("operator auditor tenant_admin", "named"),
        "GET /proxy/erasures/key": _rule("operator auditor tenant_admin"),
        "GET /proxy/findings": _rule("operator auditor"),
        "POST /proxy/secrets/reseal": OPERATORS,
        "GET /proxy/handover": _rule("operator auditor"),
        "POST /proxy/tokens": _rule("operator tenant_admin", "looked_up"),
        "GET /proxy/tokens": _rule("operator auditor tenant_admin", "looked_up"),
        "DELETE /proxy/tokens/{token}": _rule("operator tenant_admin", "looked_up"),
        "GET /proxy/audit": _rule("operator auditor tenant_admin", "named"),
        "GET /proxy/audit/export": _rule("operator auditor tenant_admin", "named"),
        "GET /proxy/audit/verify": _rule("operator auditor"),
        "POST /proxy/sessions/operator": OPERATORS,
        "POST /proxy/sessions/token": _rule("operator auditor tenant_admin", reads=True),
        "GET /proxy/sessions/current": _rule("operator auditor tenant_admin tenant"),
        "DELETE /proxy/sessions/current": _rule("operator auditor tenant_admin tenant"),
        "POST /proxy/snapshots": _rule("operator tenant_admin tenant", "looked_up"),
        "GET /proxy/snapshots": _rule("operator auditor tenant_admin tenant", "looked_up"),
        "GET /proxy/snapshots/{snapshot}": _rule("operator auditor tenant_admin tenant", "looked_up"),
        "PUT /proxy/snapshots/{snapshot}/pieces/{number}": _rule("operator tenant_admin tenant", "looked_up"),
        "GET /proxy/snapshots/{snapshot}/pieces/{number}": _rule("operator auditor tenant_admin tenant", "looked_up"),
        "POST /proxy/snapshots/{snapshot}/finish": _rule("operator tenant_admin tenant", "looked_up"),
        "GET /proxy/snapshots/{snapshot}/export": _rule("operator auditor tenant_admin tenant", "looked_up"),
        "DELETE /proxy/snapshots/{snapshot}": _rule("operator tenant_admin tenant", "looked_up"),
    }
)

# For whoever reaches the API: what is shown there is proof enough.
OPEN: Final = frozenset({"POST /proxy/sessions/tenant"})


def rule_of(route: str) -> Rule:
    """``route``: method and path, with the names of its parameters."""
    return ACCESS.get(route, OPERATORS)


def refuse(caller: Caller, rule: Rule, named: frozenset[Any]) -> None:
    """Raises ``NotAllowed``. ``named``: the tenants that the request names, in whatever place."""
    if caller.role not in rule.roles:
        raise RequestError("NotAllowed", f"The role {caller.role} may not do this.")
    own = {caller.tenant_id}
    if not caller.sees_all and ((rule.scope == "named" and named != own) or (rule.scope == "own" and not named <= own)):
        raise RequestError("NotAllowed", f"This is for the tenant {caller.tenant_id} only, and the request has to name it.")
