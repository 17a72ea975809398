"""The explorer, at real S3 servers: straight from the tab, and through the relay."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.servers, pytest.mark.explores]

FILES = {
    "readme.txt": 11,
    "photos/2025/summer sun.jpg": 3_000,
    "photos/2026/winter+snow.jpg": 2_000,
    "photos/2026/ü & <b>.png": 500,
    "logs/a.log": 100,
}


@pytest.fixture(scope="module", autouse=True)
def acme(domicile):
    """The key of a tenant of this module's own: others have more buckets than a table shows at a time."""
    return domicile.add_tenant("acme")


@pytest.fixture(scope="module")
def bucket(domicile, acme):
    """Of tenant ``acme``, with versioning, a policy and an object that has metadata, tags and two versions."""
    name, s3 = domicile.new_bucket("acme"), domicile.client("acme")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "archive"}]})
    s3.put_object(Bucket=name, Key="readme.txt", Body=b"old")
    for key, size in FILES.items():
        s3.put_object(Bucket=name, Key=key, Body=b"x" * size, Metadata={"colour": "blue"}, Tagging="kind=test")
    return name


def open_account(page, endpoint, key, **more):
    page.get_by_label("Endpoint").fill(endpoint)
    page.get_by_label("Access key").fill(key.access_key)
    page.get_by_label("Secret key").fill(key.secret_key)
    page.get_by_text("More", exact=True).click()
    for label, value in more.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Open", exact=True).click()


@pytest.fixture
def explore(page, domicile):
    """A tab with the account of tenant ``acme`` open."""
    page.goto("/#/explore")
    open_account(page, domicile.suite.s3_endpoint, domicile.keys["acme"], Name="Acme")
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()
    return page


def cells(page, column):
    """The texts of a column, as they are drawn."""
    return page.locator(f".table-row > :nth-child({column})").all_inner_texts()


def test_an_account_is_opened_and_its_buckets_are_browsed(page, domicile, bucket, look):
    page.goto("/#/explore")
    look(page, "explore-open")
    open_account(page, domicile.suite.s3_endpoint, domicile.keys["acme"], Name="Acme")
    page.get_by_role("link", name=bucket).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(bucket)
    expect(page.locator(".table-row")).to_have_count(3)
    assert cells(page, 1) == ["logs/", "photos/", "readme.txt"]
    page.get_by_role("link", name="photos/").click()
    page.get_by_role("link", name="2026/").click()
    expect(page.get_by_role("link", name="ü & <b>.png")).to_be_visible()
    assert cells(page, 1) == ["winter+snow.jpg", "ü & <b>.png"]
    look(page, "explore-folder")
    page.get_by_role("link", name="ü & <b>.png").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("x-amz-meta-colour")).to_be_visible()
    expect(dialog.get_by_text("kind", exact=True)).to_be_visible()
    look(page, "explore-object")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_label("Where you are").get_by_role("link", name=bucket).click()
    expect(page.get_by_role("link", name="logs/")).to_be_visible()


def test_everything_is_listed_counted_searched_and_sorted(explore, bucket, look):
    page = explore
    page.get_by_label("with versions").check()
    page.get_by_role("button", name="List all buckets").click()
    row = page.locator(".table-row", has_text=bucket)
    expect(row.get_by_text("done")).to_be_visible()
    expect(row).to_contain_text("6")  # a version more than objects
    look(page, "explore-buckets")
    page.get_by_role("link", name=bucket).click()
    page.get_by_label("without folders").check()
    page.get_by_label("Search").fill("SNOW")
    expect(page.locator(".table-row")).to_have_count(1)
    assert cells(page, 1) == ["photos/2026/winter+snow.jpg"]
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Size").click()
    expect(page.locator(".table-row").first).to_contain_text("readme.txt")
    page.get_by_role("button", name="Size").click()
    expect(page.locator(".table-row").first).to_contain_text("summer sun.jpg")
    page.get_by_label("with versions").check()
    expect(page.locator(".table-row")).to_have_count(6)
    expect(page.get_by_text("older version")).to_be_visible()
    page.get_by_role("link", name="Totals").click()
    expect(page.locator(".lead")).to_contain_text("6 objects")
    expect(page.locator("svg.treemap a").first).to_be_visible()
    assert ".jpg" in page.locator("section", has_text="By type").inner_text()
    look(page, "explore-totals")


def test_a_buckets_settings_are_shown_and_lines_for_the_shell_have_no_secret(explore, domicile, bucket, look):
    page = explore
    page.get_by_role("link", name=bucket).click()
    page.get_by_role("link", name="Settings").click()
    expect(page.locator("li", has_text="Versioning").get_by_text("Enabled")).to_be_visible()
    expect(page.locator("li", has_text="Tags")).to_contain_text("archive")
    expect(page.locator("li", has_text="Lifecycle")).to_contain_text("not set")
    look(page, "explore-settings")
    page.get_by_text("The same from a shell").click()
    lines = page.locator(".copy code").all_inner_texts()
    assert any(line.startswith(f"aws s3api list-objects-v2 --bucket {bucket} ") for line in lines)
    page.get_by_role("button", name=re.compile("Copy: rclone")).click()
    assert page.evaluate("navigator.clipboard.readText()") == lines[2]
    assert domicile.keys["acme"].secret_key not in page.content()


def test_a_link_leads_there_again_once_the_account_is_open(explore, domicile, bucket):
    page = explore
    page.get_by_role("link", name=bucket).click()
    page.get_by_role("link", name="photos/").click()
    expect(page.get_by_role("link", name="2025/")).to_be_visible()
    address = page.url
    key = domicile.keys["acme"]
    assert key.secret_key not in address
    assert key.access_key not in address
    page.reload()
    assert page.get_by_label("Endpoint").input_value() == domicile.suite.s3_endpoint
    open_account(page, domicile.suite.s3_endpoint, key)
    expect(page.get_by_role("link", name="2025/")).to_be_visible()
    assert page.url == address


def test_several_accounts_are_explored_at_once_one_of_them_straight_from_the_tab(explore, domicile, bucket):
    page, backend = explore, domicile.backends["fi"]
    straight = []
    page.on("request", lambda request: straight.append(request.url) if request.url.startswith(backend.endpoint) else None)
    page.get_by_role("button", name="Open another account").click()
    open_account(page, backend.endpoint, backend, Name="Provider")
    expect(page.locator("li", has=page.get_by_role("heading", name="Provider"))).to_contain_text("straight from this tab")
    expect(page.locator("li", has=page.get_by_role("heading", name="Acme"))).to_contain_text("relayed by the service")
    assert straight
    physical = domicile.namespace("fi", bucket, "acme")
    page.get_by_role("button", name="List all buckets").click()
    for name in (physical, bucket):
        page.get_by_label("Search").fill(name.upper())
        expect(page.locator(".table-row")).to_have_count(1)
        expect(page.locator(".table-row", has_text=name).get_by_text("done")).to_be_visible()
    page.get_by_label("Search").fill("no such bucket")
    expect(page.get_by_text("No bucket is called so.")).to_be_visible()


def test_what_the_provider_refuses_is_said(page, domicile):
    page.goto("/#/explore")
    key = domicile.keys["acme"]
    page.get_by_label("Endpoint").fill("not an address")
    page.get_by_label("Access key").fill(key.access_key)
    page.get_by_label("Secret key").fill("wrong")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="The endpoint is no address")).to_be_visible()
    page.get_by_label("Endpoint").fill(domicile.suite.s3_endpoint)
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="signature")).to_be_visible()


def test_a_listing_is_cancelled_and_what_was_listed_stays(explore, domicile):
    page, name, s3 = explore, domicile.new_bucket("acme"), domicile.client("acme")
    for index in range(3):
        s3.put_object(Bucket=name, Key=f"k{index}", Body=b"")
    page.reload()
    open_account(page, domicile.suite.s3_endpoint, domicile.keys["acme"], Name="Acme")
    held = []

    def on_page(route, request):
        """The second page never comes."""
        asked = json.loads(request.post_data)["url"]
        if "continuation-token" in asked:
            held.append(route)
            return
        response = route.fetch()
        if f"/{name}?" in asked and "list-type=2" in asked:
            body = response.text().replace(
                "<IsTruncated>false", "<NextContinuationToken>more</NextContinuationToken><IsTruncated>true"
            )
            route.fulfill(response=response, body=body)
        else:
            route.fulfill(response=response)

    page.context.route("**/api/relay", on_page)
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="List the whole bucket").click()
    expect(page.get_by_text("running")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled")).to_be_visible()
    expect(page.get_by_role("link", name="k2")).to_be_visible()
    for route in held:
        route.abort()


def spellings(secret):
    """How it could stand somewhere: as it is, encoded for URLs and JSON, as base64 (wherever it begins), as hex; and half of it."""
    raw = secret.encode()
    inner = [base64.b64encode(b"x" * shift + raw)[4 * bool(shift) : -4] for shift in range(3)]
    return {
        raw,
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        *inner,
        raw.hex().encode(),
        raw[: len(raw) // 2],
    }


def holds(haystack, secret):
    lowered = haystack.lower()
    return [it for it in spellings(secret) if it in haystack or it.lower() in lowered]


@pytest.mark.parametrize("spelled", ["{}", "https://x/?key={}", '{{"a": "{}"}}'])
def test_the_search_finds_a_secret_that_is_there(spelled):
    secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY"KEY'
    for planted in (secret, quote(secret, safe=""), secret[: len(secret) // 2], secret.encode().hex().upper()):
        assert holds(spelled.format(planted).encode(), secret)
    for before in (b"", b"a", b"ab", b"abc"):
        assert holds(base64.b64encode(before + secret.encode() + b"z"), secret)
    assert not holds(b"wJalrXUtnFEMI is where an access key begins", secret)


def test_the_secret_key_never_leaves_the_tab(page, domicile, bucket, tap):
    """In nothing that the tab requests, and nothing that the service sends, logs or stores, while an account is explored."""
    key = domicile.keys["acme"]
    provider, metadata = tap(domicile.suite.s3_endpoint), tap(domicile.suite.metadata_url)
    requests = []
    with domicile.another(
        "discovery", DOMICILE_METADATA_URL=metadata.url, RELAY_ENDPOINTS=provider.url, LOG_LEVEL="debug"
    ) as service:
        page.context.on("request", lambda request: requests.append(request))  # noqa: PLW0108 -- Playwright takes no built-in
        page.goto(f"{service.health}/#/signin?back=%23%2Fexplore")
        page.get_by_label("Access key").fill(key.access_key)
        page.get_by_label("Secret key").fill(key.secret_key)
        page.get_by_role("button", name="Sign in as tenant").click()
        open_account(page, provider.url, key, Name="Acme")
        page.get_by_role("link", name=bucket).click()
        page.get_by_role("link", name="readme.txt").click()
        expect(page.get_by_role("dialog").get_by_text("x-amz-meta-colour")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Settings").click()
        expect(page.locator("li", has_text="Versioning").get_by_text("Enabled")).to_be_visible()
        page.get_by_role("button", name="List the whole bucket").click()
        expect(page.get_by_text("done")).to_be_visible()
        kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, history.state, location.href])")
        asked = "\n".join(json.dumps([it.method, it.url, it.all_headers(), it.post_data]) for it in requests)
        log = domicile.logs()
    tables = [name for (name,) in domicile.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")]
    stored = "\n".join(str(domicile.sql(f'SELECT t::text FROM "{name}" t')) for name in tables)
    everything = {
        "requested": asked.encode(),
        "sent to the provider": provider.seen(),
        "sent to metadata": metadata.seen(),
        "logged": "\n".join(log.values()).encode(),
        "stored": stored.encode(),
        "kept by the browser": kept.encode(),
    }
    assert {name for name, text in everything.items() if key.access_key.encode() in text} >= {
        "requested",
        "sent to the provider",
        "stored",
    }
    assert "/api/relay" in asked
    assert {name: holds(text, key.secret_key) for name, text in everything.items()} == {name: [] for name in everything}
