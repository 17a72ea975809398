"""Snapshots at the page: listed, looked into, compared, held against a policy, exported, deleted."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.servers, pytest.mark.explores]

MIB = 1 << 20


def keep(domicile, title, objects, *, truncated=False, versioning="Off"):
    """A snapshot of an account at ``us``, as the explorer sends it."""
    made = domicile.admin("POST", "/snapshots", {"endpoint": domicile.backends["us"].endpoint, "keys": "kept", "title": title})
    path = f"/snapshots/{made['snapshot_id']}"
    buckets = [{"bucket": "papers", "region": "us-east-1", "versioning": versioning, "is_public": False}]
    for number, piece in enumerate([objects[:2000], objects[2000:]]):
        domicile.admin("PUT", f"{path}/pieces/{number}", {"buckets": [] if number else buckets, "objects": piece})
    domicile.admin("POST", f"{path}/finish", {"truncated": truncated})
    return made["snapshot_id"]


def objects_of(count, size=MIB, bucket="papers"):
    return [
        {"bucket": bucket, "key": f"2026/{n:05}.pdf", "size": size, "last_modified": "2026-01-02T03:04:05Z", "etag": "e"}
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def snapshots(domicile):
    """Before and after: a thousand objects more, one grown, one gone, and versioning turned on."""
    before = keep(domicile, "Before the summer", objects_of(3000))
    later = objects_of(4000)[1:]
    later[0] |= {"size": 3 * MIB, "etag": "f"}
    after = keep(domicile, "After the summer", later, truncated=True, versioning="Enabled")
    return before, after


def facts(page, name):
    return page.locator("dt", has_text=name).locator("xpath=following-sibling::dd[1]")


def test_a_snapshot_is_listed_looked_into_and_exported(operator, snapshots, look, tmp_path):
    operator.goto("/#/snapshots")
    row = operator.get_by_role("row").filter(has_text="After the summer")
    expect(row).to_contain_text("truncated")
    expect(operator.get_by_role("row").filter(has_text="Before the summer")).to_contain_text("whole")
    look(operator, "snapshots")
    row.get_by_role("link").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("After the summer")
    expect(operator.get_by_role("note")).to_contain_text("There was more than this")
    expect(facts(operator, "Holds")).to_contain_text("3,999 objects, 3.9 GiB")
    expect(operator.get_by_role("table", name="Buckets").get_by_role("row").filter(has_text="papers")).to_contain_text("Enabled")
    table = operator.get_by_role("table", name="Objects")
    expect(table).to_have_attribute("aria-rowcount", "4000")  # with the heading
    assert table.get_by_role("row").count() < 100  # however many there are
    operator.get_by_label("Key contains").fill("03999")
    expect(table.get_by_role("row")).to_have_count(2)
    look(operator, "snapshot")
    with operator.expect_download() as download:
        operator.get_by_role("link", name="Export").click()
    download.value.save_as(tmp_path / "snapshot")
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "snapshot").read_bytes()).splitlines()]
    assert (lines[0]["format"], lines[0]["truncated"], len(lines)) == ("domicile-snapshot/1", True, 1 + 1 + 3999)


def test_two_snapshots_are_compared(operator, snapshots, look):
    operator.goto("/#/snapshots")
    operator.get_by_label("Before").select_option(snapshots[0])
    operator.get_by_label("After").select_option(snapshots[1])
    operator.get_by_role("button", name="Compare").click()
    for title, told in {"Added": "1,000", "Removed": "1", "Changed": "1", "The same": "2,998"}.items():
        tile = operator.get_by_role("listitem").filter(has=operator.get_by_role("heading", name=title, exact=True))
        expect(tile.locator("strong")).to_have_text(told)
    expect(operator.get_by_role("table", name="Buckets that differ")).to_contain_text("versioning: Off → Enabled")
    table = operator.get_by_role("table", name="Objects that differ")
    expect(table.get_by_role("row").filter(has_text="00001.pdf")).to_contain_text("+2.0 MiB")
    expect(table.get_by_role("row").filter(has_text="00000.pdf")).to_contain_text("removed")
    look(operator, "snapshots-compared")


def test_a_snapshot_under_a_policy_gives_the_move_plan(operator, snapshots, look):
    operator.goto(f"/#/snapshots/{snapshots[0]}")
    operator.get_by_role("link", name="Hold it against a policy").click()
    expect(operator.get_by_label("Among")).to_have_value("backends")
    operator.get_by_label("Where it may be").fill("EU")
    operator.get_by_role("button", name="Make the plan").click()
    expect(facts(operator, "Where it is now")).to_contain_text("us is in US, outside the region_lock")
    expect(facts(operator, "Would be read from there")).to_contain_text("3,000 objects, 2.9 GiB")
    expect(facts(operator, "Refused")).to_have_text("nothing")
    for backend in ("de", "fi"):
        row = operator.get_by_role("table", name="Targets").get_by_role("row").filter(has_text=re.compile(f"^{backend}"))
        expect(row).to_contain_text("3,000")
    look(operator, "snapshot-plan")
    operator.get_by_label("Where it may be").fill("FI")
    operator.get_by_role("button", name="Make the plan").click()
    expect(facts(operator, "Refused")).to_contain_text("3,000 objects")
    expect(operator.locator(".moves")).to_contain_text("2 replicas need")


def test_what_was_typed_stays_when_something_else_arrives(operator, snapshots):
    held = []

    def hold(request) -> None:
        held.append(request)

    operator.route(f"**/api/snapshots/{snapshots[0]}", hold)
    operator.goto(f"/#/snapshots/{snapshots[0]}/plan")
    operator.get_by_label("Where it may be").fill("EU")
    operator.get_by_label("Which are kept").select_option("anywhere")
    operator.get_by_label("Among").select_option("all places of the catalogue")
    features = operator.get_by_role("group", name="Each place must have").get_by_role("checkbox")
    features.first.check()
    expect(operator.get_by_role("link", name="Before the summer")).to_have_count(0)
    (request,) = held
    request.continue_()
    expect(operator.get_by_role("link", name="Before the summer")).to_be_visible()
    expect(operator.get_by_label("Where it may be")).to_have_value("EU")
    expect(operator.get_by_label("Which are kept")).to_have_value("backend")
    expect(operator.get_by_label("Among")).to_have_value("catalogue")
    expect(features.first).to_be_checked()


def test_a_snapshot_is_deleted_when_somebody_says_so_twice(operator, domicile):
    keep(domicile, "To be deleted", objects_of(1))
    operator.goto("/#/snapshots")
    operator.get_by_role("link", name="To be deleted").click()
    operator.get_by_role("button", name="Delete").click()
    dialog = operator.get_by_role("dialog")
    expect(dialog).to_contain_text("goes for good")
    look_away = dialog.get_by_role("button", name="Close")
    look_away.click()
    expect(dialog).to_have_count(0)
    operator.get_by_role("button", name="Delete").click()
    operator.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("Snapshots")
    expect(operator.get_by_role("link", name="To be deleted")).to_have_count(0)


def test_a_tenant_sees_its_own_alone(tenant, snapshots, look):
    tenant.goto("/#/snapshots")
    expect(tenant.get_by_text("There is no snapshot yet.")).to_be_visible()
    look(tenant, "snapshots-none")
    tenant.goto(f"/#/snapshots/{snapshots[0]}")
    expect(tenant.get_by_text("There is no snapshot")).to_be_visible()


def test_nobody_sees_snapshots_without_signing_in(page):
    page.goto("/#/snapshots")
    expect(page.get_by_text("This page is for")).to_be_visible()


def test_what_the_explorer_shows_is_kept(tenant, domicile, look):
    backend, name = domicile.backends["de"], f"{domicile.prefix}-looked-at"
    domicile.at("de").create_bucket(Bucket=name)
    for key in ("a.txt", "folder/b.txt", "folder/c.txt"):
        domicile.at("de").put_object(Bucket=name, Key=key, Body=b"x" * 1000)
    tenant.goto("/#/snapshots/new")
    expect(tenant.get_by_text("No account is open in this tab.")).to_be_visible()
    tenant.get_by_role("main").get_by_role("link", name="To the explorer").click()
    tenant.get_by_label("Endpoint").fill(backend.endpoint)
    tenant.get_by_label("Access key").fill(backend.access_key)
    tenant.get_by_label("Secret key").fill(backend.secret_key)
    tenant.get_by_role("button", name="Open", exact=True).click()
    tenant.get_by_role("link", name="Save a snapshot").first.click()
    tenant.get_by_role("textbox", name="Buckets").fill(f"{name}, not-there")
    tenant.get_by_role("button", name="Keep it").click()
    expect(tenant.get_by_role("alert").filter(has_text="The account shows no bucket not-there.")).to_be_visible()
    tenant.get_by_role("textbox", name="Buckets").fill(name)
    expect(tenant.get_by_text("The account shows no bucket")).to_have_count(0)  # it was about what stood there
    tenant.get_by_label("Title").fill("Kept by one")
    tenant.get_by_label("Keys of objects").select_option("hashed")
    look(tenant, "snapshot-new")
    tenant.get_by_role("button", name="Keep it").click()
    expect(tenant.get_by_role("heading", level=1)).to_have_text("Kept by one")
    expect(facts(tenant, "Holds")).to_contain_text("3 objects, 2.9 KiB")
    table = tenant.get_by_role("table", name="Objects")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(table).to_contain_text("hmac:")
    expect(table).not_to_contain_text("folder")
