"""A bucket that a tenant shares, or does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domicile_common.testing.sharing import Shared, sender


@pytest.fixture
def make_shared(domicile) -> Callable[..., Shared]:
    def make(**headers: str) -> Shared:
        name, raw = f"s-{domicile.new_bucket()}", domicile.raw()
        given = {header.replace("_", "-"): value for header, value in headers.items()}
        assert raw.send("PUT", f"/{name}", headers=given).status == 200
        two = domicile.raw("two").signer
        return Shared(name, sender(raw, name, raw.signer), sender(raw, name, two), sender(raw, name, None))

    return make


@pytest.fixture
def shared(make_shared) -> Shared:
    return make_shared()


@pytest.fixture(scope="module")
def ids(domicile) -> dict[str, str]:
    return {tenant: domicile.client(tenant).list_buckets()["Owner"]["ID"] for tenant in ("one", "two")}
