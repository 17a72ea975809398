"""The parameters and internal calls of probes: what kind of backend a backend is (docs/adr/0036). Pure."""

from __future__ import annotations

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Value


class Probe(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    backend_id: str


class NameProbe(Request["ProbeBuckets"], frozen=True, kw_only=True):
    """Which buckets a probe of this backend uses. Error: ``NoSuchBackend``."""

    backend_id: str


class ProbeBuckets(Value, frozen=True):
    """Of the installation's own names, always the same for a backend, so that the next probe removes what one that died has left."""

    plain: str
    versioned: str


class ReportProbe(Request[Empty], frozen=True, kw_only=True):
    """``endpoint``: of the backend that was probed; what is reported of another one than is registered now is out of date.

    ``found``: of ``backends.capabilities``. ``notes``: check → why it could not be carried out.
    """

    backend_id: str
    endpoint: str
    found: dict[str, bool]
    notes: dict[str, str] = {}


CALLS = (
    Call("name-probe", NameProbe, ProbeBuckets, safe=True),
    Call("report-probe", ReportProbe, Empty, safe=True),
)
