"""What callers may expect of metadata, whoever answers: one suite for the fake and for the service.

    class TestFake(MetadataContract):
        @pytest.fixture
        def metadata(self) -> Metadata: ...

``metadata`` holds the tenants ``acme`` (canonical id ``aaa…``), ``zeta`` (``bbb…``) and ``small`` (with a quota of 10 bytes and 2 objects)
without buckets, the backends ``fi`` (FI, cost 10), ``de`` (DE, cost 20) and ``us`` (US, cost 5) at ``http://fi`` and so on, and a default
policy of two replicas and a quorum of one.
"""

from __future__ import annotations

from domicile_common.testing.metadata_contract.buckets import BucketContract
from domicile_common.testing.metadata_contract.listing import PageContract
from domicile_common.testing.metadata_contract.probes import ProbeContract
from domicile_common.testing.metadata_contract.quotas import QuotaContract
from domicile_common.testing.metadata_contract.settings import SettingsContract
from domicile_common.testing.metadata_contract.uploads import UploadContract
from domicile_common.testing.metadata_contract.versions import VersionContract
from domicile_common.testing.metadata_contract.work import HealthContract, TaskContract
from domicile_common.testing.metadata_contract.writes import WriteContract


class MetadataContract(
    QuotaContract,
    ProbeContract,
    BucketContract,
    SettingsContract,
    VersionContract,
    WriteContract,
    PageContract,
    UploadContract,
    TaskContract,
    HealthContract,
):
    """The whole suite."""
