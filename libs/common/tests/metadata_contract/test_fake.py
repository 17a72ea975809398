import pytest

from domicile_common.metadata_client.fake import FakeMetadata
from domicile_common.model import Backend, Tenant
from domicile_common.testing.metadata_contract import MetadataContract


class TestFake(MetadataContract):
    @pytest.fixture
    def metadata(self) -> FakeMetadata:
        sites = (("fi", "FI", 10), ("de", "DE", 20), ("us", "US", 5))
        return FakeMetadata(
            (Backend(name, name, f"http://{name}", country, (country,), "k", "s", cost=cost) for name, country, cost in sites),
            tenants=(Tenant("acme", "Acme", "a" * 64), Tenant("zeta", "Zeta", "b" * 64), Tenant("small", "Small", "d" * 64)),
            quotas={"small": (10, 2)},
        )
