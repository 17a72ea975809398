"""The catalogue of providers: filtered, looked at, each fact with its source."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from domicile_common.catalogue import load_catalogue

pytestmark = pytest.mark.servers


def test_everybody_may_look_a_provider_up_with_the_source_of_each_fact(page, look):
    providers = {it.provider: it for it in load_catalogue().providers}
    page.get_by_role("navigation").get_by_role("link", name="Catalogue").click()
    expect(page.get_by_text(f"{len(providers)} providers of S3")).to_be_visible()
    look(page, "catalogue")
    page.get_by_label("Search").fill("helsinki")
    page.get_by_label("Has a site in").select_option("FI")
    table = page.get_by_role("table", name="Providers")
    expect(table.get_by_role("link", name=providers["hetzner"].name)).to_be_visible()
    expect(table.get_by_role("link", name=providers["aws"].name)).to_have_count(0)
    page.reload()  # what was chosen stands in the address
    expect(page.get_by_label("Search")).to_have_value("helsinki")
    table.get_by_role("link", name=providers["hetzner"].name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(providers["hetzner"].name)
    for site in providers["hetzner"].sites:
        expect(page.get_by_role("row").filter(has_text=site.endpoint)).to_contain_text("checked")
    expect(page.locator(f"a[href='{providers['hetzner'].entity.source}']").first).to_be_visible()
    look(page, "catalogue-provider")


def test_what_is_not_known_is_said_to_be_so(page):
    page.goto("/#/catalogue/infomaniak")
    expect(page.get_by_text("not checked").first).to_be_visible()
    expect(page.get_by_text("not known").first).to_be_visible()
    page.goto("/#/catalogue/nobody")
    expect(page.get_by_text("The catalogue has no provider nobody.")).to_be_visible()
    page.goto("/#/catalogue?q=zzzz")
    expect(page.get_by_text("No provider is like that.")).to_be_visible()
