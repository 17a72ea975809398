import msgspec
import pytest

from domicile_common.backends.quirks import QUIRKS, quirks_of
from domicile_common.backends.stores import Stores
from domicile_common.errors import ConfigurationError
from domicile_common.model import Backend
from domicile_common.sealing import Sealer, backend_context


@pytest.fixture(scope="module")
def sealer():
    return Sealer("a passphrase of some length")


@pytest.fixture(scope="module")
def registered(sealer):
    def make(backend_id: str, **changes) -> Backend:
        sealed = sealer.seal("secret", backend_context(backend_id))
        return Backend(backend_id, "test", "http://127.0.0.1:1", "FI", ("FI",), "ak", sealed, **changes)

    return make


async def test_unchanged_backends_keep_their_store(sealer, registered):
    stores = Stores(sealer)
    fi, de = registered("fi"), registered("de")
    await stores.refresh([fi, de])
    before = dict(stores)
    await stores.refresh([msgspec.structs.replace(fi), msgspec.structs.replace(de, cost=7), registered("us")])
    assert set(stores) == {"fi", "de", "us"}
    assert stores["fi"] is before["fi"]
    assert stores["de"] is not before["de"]
    assert stores["de"].backend.cost == 7
    await stores.refresh([de])
    assert len(stores) == 1
    assert stores.get("fi") is None
    await stores.close()
    assert not stores


async def test_a_secret_that_does_not_open_changes_nothing(sealer, registered):
    stores = Stores(sealer)
    await stores.refresh([registered("fi")])
    moved = msgspec.structs.replace(registered("de"), sealed_secret=registered("fi").sealed_secret)
    with pytest.raises(ConfigurationError):
        await stores.refresh([moved])
    assert list(stores) == ["fi"]


def test_unknown_quirks_are_generic_and_generic_trusts_no_etag(registered):
    assert quirks_of(registered("fi", quirks="of the future")) == QUIRKS["generic"]
    assert not QUIRKS["generic"].etag_is_md5
