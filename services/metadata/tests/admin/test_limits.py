from __future__ import annotations

import pytest

from domicile_common.metadata_client.models import FindBucket, FindCredential
from domicile_common.model import Rates
from domicile_metadata.services import buckets, directory

pytestmark = pytest.mark.servers

NOTHING = {
    "bytes": None, "objects": None, "buckets": None, "requests_per_second": None, "bytes_per_second": None, "concurrent_requests": None,
}  # fmt: skip


async def test_limits_are_set_shown_and_lifted(admin):
    await admin.prepared()
    await admin.invalidations()
    assert await admin.call("GET", "/tenants/acme/limits") == {
        "limits": NOTHING,
        "usage": {"bytes": 0, "objects": 0, "buckets": 0},
    }
    wanted = {"bytes": 10**12, "buckets": 3, "requests_per_second": 50.5}
    assert (await admin.call("PUT", "/tenants/acme/limits", wanted))["limits"] == NOTHING | wanted
    assert await admin.invalidations() == [("tenant", "acme")]
    assert (await admin.call("PUT", "/tenants/acme/limits", {}))["limits"] == NOTHING
    await admin.refused(404, "NoSuchTenant", "GET", "/tenants/nobody/limits")
    await admin.refused(404, "NoSuchTenant", "PUT", "/tenants/nobody/limits", {})


async def test_proxies_learn_rates_with_the_key_and_with_the_bucket(admin):
    await admin.prepared()
    await admin.bucket("photos")
    key = (await admin.call("POST", "/credentials", {"tenant_id": "acme"}, 201))["credential"]["access_key"]

    async def learned():
        credential = await directory.find_credential(admin.context, FindCredential(access_key=key))
        bucket = await buckets.find(admin.context, FindBucket(tenant_id="acme", name="photos"))
        assert credential.rates == bucket.rates
        return bucket.rates

    assert await learned() is None
    await admin.call("PUT", "/tenants/acme/limits", {"bytes": 5})
    assert await learned() is None
    await admin.call("PUT", "/tenants/acme/limits", {"bytes_per_second": 10**6, "concurrent_requests": 4})
    assert await learned() == Rates(None, 10**6, 4)


@pytest.mark.parametrize(
    "body",
    [
        {"bytes": -1}, {"bytes": "many"}, {"objects": 1.5}, {"buckets": 10_001}, {"requests_per_second": 0}, {"bytes_per_second": 1},
        {"concurrent_requests": 0}, {"bytes": 2**63},
    ],
)  # fmt: skip
async def test_what_is_no_limit_is_refused(admin, body):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    await admin.refused(400, "InvalidArgument", "PUT", "/tenants/acme/limits", body)
