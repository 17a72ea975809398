"""Probes of backends."""

from __future__ import annotations

from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.probes import NameProbe, ReportProbe
from domicile_common.testing.metadata_contract.common import make_bucket, refused


class ProbeContract:
    async def test_a_probe_has_buckets_of_its_own(self, metadata: Metadata) -> None:
        named = [await metadata.call(NameProbe(backend_id=backend_id)) for backend_id in ("fi", "fi", "de")]
        assert named[0] == named[1]
        taken = {*(await make_bucket(metadata, "probe")).namespaces.values()}
        names = [name for probe in named[1:] for name in (probe.plain, probe.versioned)]
        assert sorted(names) == sorted(set(names) - taken)
        assert await refused(metadata, NameProbe(backend_id="nowhere")) == "NoSuchBackend"

    async def test_what_was_found_counts_for_the_backend_that_was_probed(self, metadata: Metadata) -> None:
        async def capabilities() -> dict[str, bool]:
            listed = (await metadata.call(m.ListBackends())).backends
            return next(dict(it.capabilities) for it in listed if it.backend_id == "fi")

        for found in ({"ranges": True, "unheard-of": True}, {"ranges": False, "versioning": True}):
            await metadata.call(ReportProbe(backend_id="fi", endpoint="http://fi", found=found))
        assert await capabilities() == {"ranges": False, "versioning": True}
        await metadata.call(ReportProbe(backend_id="fi", endpoint="http://before", found={"ranges": True}))
        await metadata.call(ReportProbe(backend_id="nowhere", endpoint="http://fi", found={}))
        assert await capabilities() == {"ranges": False, "versioning": True}
