"""How backends look to the services that use them."""

from __future__ import annotations

import json

import pytest

from domicile_common.metadata_client.health import NoteHealth, Seen
from domicile_metadata.services import health

pytestmark = pytest.mark.servers


async def shown(admin):
    return {it["backend_id"]: it for it in (await admin.call("GET", "/health"))["backends"]}


async def test_proxies_say_what_they_see_and_are_forgotten_when_they_are_silent(admin):
    await admin.prepared()
    assert (await shown(admin))["fi"] == {"backend_id": "fi", "proxies": 0, "avoiding": 0, "seconds": None, "last_failure": None}
    for observer, avoided, seconds in (("a", False, 0.25), ("b", True, 0.75), ("b", True, 0.75)):
        seen = (Seen("fi", is_avoided=avoided, seconds=seconds), Seen("de", is_avoided=False, seconds=0.0))
        await health.note(admin.context, NoteHealth(observer=observer, backends=(*seen, seen[0])))
    known = await shown(admin)
    assert (known["fi"]["proxies"], known["fi"]["avoiding"], known["fi"]["seconds"]) == (2, 1, 0.5)
    assert (known["de"]["proxies"], known["de"]["avoiding"], known["de"]["seconds"]) == (2, 0, None)
    await admin.sql.execute("UPDATE backend_health SET seen_at = now() - interval '1 minute' WHERE observer = 'b'")
    assert ((await shown(admin))["fi"]["proxies"], (await shown(admin))["fi"]["avoiding"]) == (1, 0)
    await admin.sql.execute("UPDATE backend_health SET seen_at = now() - interval '2 hours'")
    await health.note(admin.context, NoteHealth(observer="c", backends=()))
    assert await admin.sql.fetchval("SELECT count(*) FROM backend_health") == 0


async def test_the_last_failure_of_what_is_tried_again_is_shown(admin):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    for hour, key in ((10, "old"), (11, "new"), (12, "replayed")):
        version_id = await admin.version(bucket_id, key, fi="verified", de="wanted")
        failures = [{"at": f"2026-03-04T{hour}:00:00Z", "error_class": "unavailable", "reason": f"{key} failed"}]
        await admin.sql.execute(
            """UPDATE replicas
                  SET failures = $1, attempt = $2, is_backfill = $3, next_attempt_at = now() + interval '1 minute'
                WHERE version_id = $4 AND backend_id = 'de'""",
            json.dumps(failures), int(key != "replayed"), key == "new", version_id,
        )  # fmt: skip
    known = await shown(admin)
    assert (known["de"]["last_failure"]["reason"], known["fi"]["last_failure"]) == ("new failed", None)
