from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from domicile_common.metadata_client.probes import NameProbe, ReportProbe
from domicile_common.namespace import is_namespace_name
from domicile_metadata.services import probes

pytestmark = pytest.mark.servers

ENDPOINT = "http://127.0.0.1:9000"


async def begun(admin):
    """Backends of open probes; and none is open any more."""
    rows = await admin.sql.fetch(
        "UPDATE tasks SET state = 'done' WHERE kind = 'probe' AND state = 'waiting' RETURNING parameters ->> 'backend_id' AS id"
    )
    return sorted(row["id"] for row in rows)


async def report(admin, endpoint=ENDPOINT, notes=None, **found):
    await probes.report(admin.context, ReportProbe(backend_id="fi", endpoint=endpoint, found=found, notes=notes or {}))
    return (await admin.call("GET", "/backends/fi"))["capabilities"]


async def history(admin):
    return (await admin.call("GET", "/backends/fi/probes"))["probes"]


async def test_a_backend_is_probed_when_it_is_registered_and_when_it_is_reached_otherwise(admin):
    shown = await admin.backend("fi", "FI")
    assert (shown["quirks"], shown["capabilities"]) == ("probed", {})
    assert await begun(admin) == ["fi"]
    await admin.backend("fi", "FI", cost=5)
    assert await begun(admin) == []
    await report(admin, copies=True)
    assert (await admin.backend("fi", "FI", cost=6))["capabilities"] == {"copies": True}
    assert (await admin.backend("fi", "FI", endpoint="http://127.0.0.1:9001"))["capabilities"] == {}
    assert await begun(admin) == ["fi"]


async def test_one_probe_of_a_backend_at_a_time(admin):
    await admin.backend("fi", "FI")
    wanted = {"kind": "probe", "parameters": {"backend_id": "fi"}}
    await admin.refused(409, "TaskExists", "POST", "/tasks", wanted)
    await admin.backend("fi", "FI", endpoint="http://127.0.0.1:9001")  # no error either
    assert await begun(admin) == ["fi"]
    task = await admin.call("POST", "/tasks", wanted, 201)
    await admin.call("PATCH", f"/tasks/{task['task_id']}", {"action": "cancel"})
    await admin.refused(404, "NoSuchBackend", "POST", "/tasks", {"kind": "probe", "parameters": {"backend_id": "none"}})


async def test_what_is_found_counts_and_a_change_is_told(admin):
    await admin.backend("fi", "FI")
    await admin.invalidations()
    assert await report(admin, copies=True, multipart=True) == {"copies": True, "multipart": True}
    assert await admin.invalidations() == [("backend", "fi")]
    with structlog.testing.capture_logs() as logged:
        assert await report(admin, copies=True, notes={"multipart": "it did not answer"}) == {"copies": True, "multipart": True}
    assert (await admin.invalidations(), logged) == ([], [])
    with structlog.testing.capture_logs() as logged:
        assert await report(admin, copies=False, ranges=True) == {"ranges": True, "copies": False, "multipart": True}
    assert await admin.invalidations() == [("backend", "fi")]
    assert [(line["log_level"], line["now"]) for line in logged] == [("warning", {"copies": False})]
    latest, first = await history(admin)
    assert (latest["changed"], latest["notes"]) == (["copies"], {})
    assert (first["changed"], first["notes"], first["capabilities"]) == (
        [],
        {"multipart": "it did not answer"},
        {"copies": True, "multipart": True},
    )
    assert first["seen_at"] > first["found_at"]


async def test_what_is_found_of_another_place_counts_for_nothing(admin):
    await admin.backend("fi", "FI")
    assert await report(admin, endpoint="http://127.0.0.1:9001", copies=True) == {}
    await probes.report(admin.context, ReportProbe(backend_id="none", endpoint=ENDPOINT, found={"copies": True}))
    assert await history(admin) == []
    await admin.refused(404, "NoSuchBackend", "GET", "/backends/none/probes")


async def test_names_that_a_later_version_may_find_are_left_out(admin):
    await admin.backend("fi", "FI")
    assert await report(admin, copies=True, telepathy=True) == {"copies": True}


async def test_probes_use_names_of_the_installation_that_no_bucket_has(admin):
    await admin.prepared()
    names = await probes.name_buckets(admin.context, NameProbe(backend_id="fi"))
    assert names == await probes.name_buckets(admin.context, NameProbe(backend_id="fi"))
    assert names.plain != names.versioned
    assert all(is_namespace_name("s3gw", name) for name in (names.plain, names.versioned))


async def test_probes_come_by_themselves(admin):
    await admin.prepared()
    await admin.call("PATCH", "/backends/us", {"state": "disabled"})
    assert await begun(admin) == ["de", "fi", "us"]
    await probes.begin_due(admin.context)
    assert await begun(admin) == []  # they have just been begun, and came to nothing
    await admin.sql.execute("UPDATE tasks SET created_at = now() - interval '2 hours'")
    await report(admin, copies=True)
    await probes.begin_due(admin.context)
    assert await begun(admin) == ["de"]
    await admin.sql.execute("UPDATE tasks SET created_at = now() - interval '8 days'")
    await admin.sql.execute("UPDATE probes SET seen_at = now() - interval '8 days'")
    never = replace(admin.context, settings=admin.context.settings.model_copy(update={"probe_seconds": 0}))
    await probes.begin_due(never)
    assert await begun(admin) == []
    await probes.begin_due(admin.context)
    assert await begun(admin) == ["de", "fi"]
