"""Probes of backends."""

from __future__ import annotations

import msgspec

from domicile_common.backends.capabilities import merged
from domicile_common.errors import RequestError
from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.fake.state import State, answers
from domicile_common.metadata_client.probes import NameProbe, ProbeBuckets, ReportProbe
from domicile_common.namespace import namespace_name


@answers(NameProbe)
def name_probe(fake: State, request: NameProbe) -> ProbeBuckets:
    backend = fake.backends.get(request.backend_id)
    if backend is None:
        raise RequestError("NoSuchBackend")
    plain, versioned = (
        namespace_name(b"fake", "s3gw", "", name, backend.backend_id, backend.provider, 0)
        for name in ("probe", "probe-versioned")
    )
    return ProbeBuckets(plain, versioned)


@answers(ReportProbe)
def report_probe(fake: State, request: ReportProbe) -> Empty:
    backend = fake.backends.get(request.backend_id)
    if backend is not None and backend.endpoint == request.endpoint:
        fake.probed.append(request)
        known = merged(backend.capabilities, request.found)
        fake.backends[backend.backend_id] = msgspec.structs.replace(backend, capabilities=known)
    return Empty()
