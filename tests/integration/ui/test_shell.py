"""What surrounds every page: the menu, signing in and out, the theme, and what is not there."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.servers

FIRST_PAGE = 200 << 10  # bytes, compressed


def test_the_first_page_is_small_and_comes_from_here_only(page, domicile):
    expect(page.get_by_role("heading", level=1)).to_have_text("Domicile")
    loaded = page.evaluate("performance.getEntries().filter(it => it.encodedBodySize).map(it => [it.name, it.encodedBodySize])")
    assert sum(size for _, size in loaded) < FIRST_PAGE
    assert {name.startswith(domicile.suite.discovery_url) for name, _ in loaded} == {True}


def test_an_operator_signs_in_with_the_admin_key_and_out_again(page, domicile, look):
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    look(page, "sign-in")
    page.get_by_label("Admin key").fill("not-the-admin-key")
    page.get_by_role("button", name="Sign in as operator").click()
    expect(page.get_by_role("alert").filter(has_text="This is not the admin key.")).to_be_visible()
    page.get_by_label("Admin key").fill(domicile.suite.admin_key)
    page.get_by_role("button", name="Sign in as operator").click()
    expect(page.locator(".who")).to_have_text("Operator")
    look(page, "home")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_tenant_signs_in_and_the_secret_key_stays_in_the_tab(page, domicile):
    key = domicile.keys["one"]
    sent = []
    page.on("request", lambda request: sent.append(json.dumps([request.url, request.all_headers(), request.post_data])))
    page.goto("/#/signin?back=%23%2Fnowhere")
    page.get_by_label("Access key").fill(key.access_key)
    page.get_by_label("Secret key").fill(key.secret_key)
    page.get_by_role("button", name="Sign in as tenant").click()
    expect(page.locator(".who")).to_have_text("one")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not here")  # where the link led
    assert any(key.access_key in request for request in sent)
    assert not any(key.secret_key in request for request in sent)


def test_somebody_unknown_is_not_let_in(page, domicile):
    page.goto("/#/signin")
    page.get_by_label("Access key").fill(domicile.keys["one"].access_key)
    page.get_by_label("Secret key").fill("another-secret-key")
    page.get_by_role("button", name="Sign in as tenant").click()
    expect(page.get_by_role("alert").filter(has_text="sign")).to_be_visible()
    expect(page.locator(".who")).to_have_count(0)


def test_what_is_told_leaves_room_for_what_is_asked_about_on_a_phone(operator):
    """Long names of facts break, before what they are about gets narrow."""
    operator.set_viewport_size({"width": 360, "height": 740})
    operator.goto("/#/policies")
    fact = operator.locator(".facts dd").first
    expect(fact).to_be_visible()
    assert fact.bounding_box()["width"] > 150


def test_sessions_outlive_a_reload(tenant):
    expect(tenant.locator(".who")).to_have_text("one")


def test_the_theme_is_kept(page):
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_the_menu_stands_beside_the_page_and_opens_above_it_where_that_is_narrow(operator, look):
    menu, opener = operator.get_by_role("navigation", name="Pages"), operator.get_by_role("button", name="Menu")
    expect(menu.get_by_role("list", name="Operation").get_by_role("link")).to_have_text(["Work", "Backends", "Adopt"])
    expect(opener).to_be_hidden()
    operator.set_viewport_size({"width": 390, "height": 844})
    expect(menu).to_be_hidden()
    opener.click()
    expect(opener).to_have_attribute("aria-expanded", "true")
    look(operator, "menu")
    menu.get_by_role("link", name="Catalogue").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("Catalogue")
    expect(menu).to_be_hidden()


def test_the_keyboard_reaches_the_content_past_the_menu(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_wrong_token_is_told_in_words_of_this_page(page):
    page.goto("/#/signin")
    page.get_by_label("Token").fill("dmt_not-a-token")
    page.get_by_role("button", name="Sign in with the token").click()
    expect(page.get_by_role("alert").filter(has_text="This is no token")).to_be_visible()


def test_the_outermost_level_speaks_of_no_level_above(operator):
    operator.goto("/#/policies")
    expect(operator.get_by_text("What is empty is not demanded.")).to_be_visible()
    expect(operator.get_by_text("level above")).to_have_count(0)
    operator.goto("/#/policies/one")
    expect(operator.get_by_text("What is empty is as the level above says.")).to_be_visible()


def test_what_is_not_there_is_told_as_such(operator):
    operator.goto("/#/backends/none")
    expect(operator.get_by_role("alert")).to_contain_text("This is not here")


def test_a_session_that_has_ended_meanwhile_is_told(operator, domicile):
    token = next(it["value"] for it in operator.context.cookies() if it["name"] == "domicile_session")
    url = f"{domicile.suite.metadata_url}/proxy/sessions/current"
    assert operator.request.delete(url, headers={"Authorization": f"Bearer {token}"}).ok
    operator.goto("/#/audit")
    expect(operator.get_by_text("Your session has ended.")).to_be_visible()
    expect(operator.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
    expect(operator.locator(".who")).to_have_count(0)


def test_a_wrong_key_does_not_end_the_session_that_is_there(operator):
    operator.goto("/#/signin")
    operator.get_by_label("Admin key").fill("not-the-admin-key")
    operator.get_by_role("button", name="Sign in as operator").click()
    expect(operator.get_by_role("alert").filter(has_text="This is not the admin key.")).to_be_visible()
    expect(operator.locator(".who")).to_have_text("Operator")


@pytest.mark.explores
def test_whoever_cannot_be_known_now_is_not_told_that_they_may_not(operator):
    operator.route("**/api/session", lambda route: route.abort())
    operator.goto("/#/buckets")
    operator.reload()
    main = operator.get_by_role("main")
    expect(main.get_by_role("alert")).to_contain_text("The service does not answer.")
    expect(main.get_by_text("This page is for")).to_have_count(0)
    operator.unroute("**/api/session")
    main.get_by_role("button", name="Try again").click()
    expect(operator.locator(".who")).to_have_text("Operator")


@pytest.mark.explores
def test_what_is_shown_stays_when_it_cannot_be_loaded_again(operator, look):
    operator.clock.install()
    operator.goto("/#/overview")
    operator.reload()
    copies = operator.get_by_role("table", name="Copies by country and backend")
    expect(copies).to_be_visible()
    operator.route("**/api/summary", lambda route: route.abort())
    operator.clock.fast_forward(20_000)  # beyond the next look
    told = operator.get_by_role("alert").filter(has_text="not up to date")
    expect(told).to_contain_text("The service does not answer.")
    expect(copies).to_be_visible()
    look(operator, "not-up-to-date")
    operator.unroute("**/api/summary")
    told.get_by_role("button", name="Try again").click()
    expect(told).to_have_count(0)
