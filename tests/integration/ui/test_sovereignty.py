"""Where data may live: asked of the catalogue by everybody, and of the registered backends by operators."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.servers


def group(page, name):
    return page.locator("details.verdicts").filter(has=page.locator("summary", has_text=name))


def test_places_are_ranked_and_each_is_told_why_it_is_in_or_out(page, look):
    page.get_by_role("navigation").get_by_role("link", name="Where may it live?").click()
    expect(page.get_by_text("Nothing has been asked yet.")).to_be_visible()
    page.get_by_label("Where it may be").fill("eu")
    page.get_by_label("Whose laws").fill("EU")
    page.get_by_label("Versioning").check()
    page.get_by_role("button", name="Rank places").click()
    expect(page.locator(".placements > li")).to_have_count(20)
    expect(page.get_by_role("status").filter(has_text="A write would go to")).to_be_visible()
    expect(group(page, "In").get_by_role("link", name="ovhcloud/gra")).to_be_visible()
    group(page, "Out for certain").locator("summary").click()
    far = group(page, "Out for certain").get_by_role("listitem").filter(has_text="aws/us-east-1")
    expect(far).to_contain_text("outside the region_lock")
    group(page, "Not known well enough").locator("summary").click()
    doubtful = group(page, "Not known well enough")
    expect(doubtful.get_by_role("listitem").filter(has_text="hetzner/fsn1")).to_contain_text("not known who owns")
    expect(doubtful.get_by_role("listitem").filter(has_text="upcloud/europe-1")).to_contain_text("said to be in Finland (FI)")
    look(page, "sovereignty")
    page.reload()  # the question stands in the address
    expect(page.get_by_label("Where it may be")).to_have_value("EU")
    expect(page.locator(".placements > li")).to_have_count(20)


def test_what_nothing_satisfies_is_refused_and_what_is_no_country_is_not_asked(page):
    page.goto("/#/sovereignty?where=AQ&copies=2")
    expect(page.get_by_text("No set of places satisfies this.")).to_be_visible()
    page.get_by_label("Where it may be").fill("FI, Atlantis")
    page.get_by_role("button", name="Rank places").click()
    expect(page.get_by_role("alert").filter(has_text="ATLANTIS is neither a country")).to_be_visible()


def test_operators_ask_about_their_own_backends(operator, look):
    operator.goto("/#/sovereignty")
    operator.get_by_label("Among").select_option("backends")
    operator.get_by_label("Where it may be").fill("EU")
    operator.get_by_role("button", name="Rank places").click()
    expect(operator.locator(".placements > li")).to_have_count(1)
    expect(operator.locator(".placements > li")).to_contain_text(re.compile("Finland.*Germany|Germany.*Finland", re.DOTALL))
    group(operator, "Out for certain").locator("summary").click()
    expect(group(operator, "Out for certain").get_by_role("listitem")).to_contain_text("us is in US, outside the region_lock")
    look(operator, "sovereignty-backends")
