from __future__ import annotations

import dataclasses

import pytest

from domicile_common.errors import ConfigurationError
from domicile_common.sealing import Sealer, backend_context, credential_context
from domicile_metadata.services import sealing
from domicile_metadata.services.sealing import Resealed

pytestmark = pytest.mark.servers

SECRET = "wJalrXUtnFEMI/K7MDENG"
NEW = "an entirely other passphrase"


@pytest.fixture(scope="module")
def rotated():
    return Sealer(NEW, "correct horse battery staple")


async def prepared_secrets(admin):
    await admin.prepared()
    for access_key in ("AK1", "AK2", "AK3"):
        await admin.call("POST", "/credentials", {"tenant_id": "acme", "access_key": access_key, "secret_key": SECRET}, 201)
    await admin.invalidations()


async def test_nothing_is_resealed_while_the_passphrase_is_the_same(admin):
    await prepared_secrets(admin)
    assert await admin.call("POST", "/secrets/reseal") == {"credentials": 0, "backends": 0, "tasks": 0}
    assert await admin.invalidations() == []


async def test_after_a_rotation_the_previous_passphrase_can_be_forgotten(admin, rotated, monkeypatch):
    monkeypatch.setattr(sealing, "PAGE", 2)
    await prepared_secrets(admin)
    context = dataclasses.replace(admin.context, sealer=rotated)
    assert await sealing.reseal(context) == Resealed(credentials=3, backends=3, tasks=0)
    assert await sealing.reseal(context) == Resealed(credentials=0, backends=0, tasks=0)
    only_new = Sealer(NEW)
    for row in await admin.sql.fetch("SELECT access_key, sealed_secret FROM credentials"):
        assert only_new.open(row["sealed_secret"], credential_context(row["access_key"])) == SECRET
    for row in await admin.sql.fetch("SELECT backend_id, sealed_secret FROM backends"):
        assert only_new.open(row["sealed_secret"], backend_context(row["backend_id"])) == "hunter2hunter2"
    sent = await admin.invalidations()
    assert sorted(sent) == [
        *(("backend", it) for it in ("de", "fi", "us")),
        *(("credential", it) for it in ("AK1", "AK2", "AK3")),
    ]


async def test_a_secret_that_no_passphrase_opens_is_named_and_left_alone(admin):
    await prepared_secrets(admin)
    stranger = dataclasses.replace(admin.context, sealer=Sealer("yet another passphrase"))
    with pytest.raises(ConfigurationError, match="credential:AK1"):
        await sealing.reseal(stranger)
    assert await admin.call("POST", "/secrets/reseal") == {"credentials": 0, "backends": 0, "tasks": 0}


async def test_the_api_says_so_too(admin):
    await prepared_secrets(admin)
    await admin.sql.execute("UPDATE credentials SET sealed_secret = 'v1.00000000.AAAA.AAAA' WHERE access_key = 'AK2'")
    assert "credential:AK2" in await admin.refused(409, "Misconfigured", "POST", "/secrets/reseal")
