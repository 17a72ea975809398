"""From a bucket that somebody has looked at to one under management; the secret goes there sealed, and is nowhere to be found."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from domicile_local import samples
from domicile_local.state import backend_lines, tenant_lines

pytestmark = [pytest.mark.servers, pytest.mark.explores]


@pytest.fixture(scope="module")
def domicile(open_installation):
    """One of its own, with the samples of ``make run``: a backend more would change where others' objects go."""
    with open_installation() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "UNMANAGED", f"{made.prefix}-old-archive")
        samples.add_samples(
            {
                "DOMICILE_S3_ENDPOINT": made.suite.s3_endpoint,
                **tenant_lines({"DOMICILE": made.keys["one"]}),
                "DOMICILE_METADATA_URL": made.suite.metadata_url,
                "ADMIN_API_KEY": made.suite.admin_key,
                **backend_lines(made.backends.values()),
            }
        )
        yield made


@pytest.fixture
def source(domicile):
    """A bucket at the provider of ``de`` that Domicile knows nothing of."""
    return f"{domicile.prefix}-old-archive"


def everything_stored(domicile):
    """All that is in the database, as text."""
    tables = [name for (name,) in domicile.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: str(domicile.sql(f'SELECT t::text FROM "{name}" t')) for name in tables}


def test_a_bucket_comes_under_management_and_the_secret_is_seen_by_nobody(operator, domicile, source, look):
    provider = domicile.backends["de"]
    count = len({**samples.OLD, **samples.CHANGES}) - len(samples.GONE)
    sent = []
    operator.context.on("request", lambda it: sent.append(json.dumps([it.url, it.all_headers(), it.post_data])))
    operator.goto("/#/explore")
    operator.get_by_label("Endpoint").fill(provider.endpoint)
    operator.get_by_label("Access key").fill(provider.access_key)
    operator.get_by_label("Secret key").fill(provider.secret_key)
    operator.get_by_role("button", name="Open", exact=True).click()
    expect(operator.get_by_role("heading", level=2, name="127.0.0.1")).to_be_visible()
    operator.goto(f"/#/explore/127.0.0.1/{source}")
    operator.get_by_role("link", name="Bring under management").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text(f"Adopt “{source}”")
    expect(operator.get_by_text("Its credentials are with the metadata service already.")).to_be_visible()
    look(operator, "adopt-known")
    operator.get_by_role("button", name="It is elsewhere").click()
    operator.get_by_label("Id", exact=True).fill("papers")
    operator.get_by_label("Provider", exact=True).fill("old-provider")
    operator.get_by_label("Country", exact=True).fill("DE")
    operator.get_by_label("Its operator answers to").fill("DE")
    operator.get_by_label("Behaves like").select_option(provider.quirks)
    expect(operator.get_by_label("Access key")).to_have_value(provider.access_key)
    operator.get_by_label("Secret key").fill(provider.secret_key)
    look(operator, "adopt-register")
    operator.get_by_role("button", name="Hand the credentials over").click()
    operator.get_by_label("Bucket of the tenant").fill("papers")
    operator.get_by_label("Tenant", exact=True).select_option("one")
    look(operator, "adopt")
    operator.get_by_role("button", name="Bring under management").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text(f"{source} becomes one / papers")
    expect(operator.get_by_text(f"of {count} copies are verified")).to_be_visible()
    expect(operator.get_by_text(f"{count} of {count} copies are verified")).to_be_visible(timeout=60_000)
    expect(operator.locator("main .badge").first).to_have_text("done")
    look(operator, "adopt-done")
    assert domicile.client().get_object(Bucket="papers", Key="photos/001.jpg")["Body"].read() == samples.CHANGES["photos/001.jpg"]
    operator.goto("/#/adopt")
    expect(operator.get_by_role("row").filter(has_text=source)).to_contain_text("one / papers")

    assert any("sealed_secret_key" in request for request in sent)
    assert provider.access_key in "".join(sent)
    assert not [request for request in sent if provider.secret_key in request]
    assert not [name for name, log in domicile.logs().items() if provider.secret_key in log]
    stored = everything_stored(domicile)
    assert "papers" in stored["backends"]
    assert not [table for table, rows in stored.items() if provider.secret_key in rows]
    kept = operator.evaluate("[localStorage, sessionStorage].map(it => JSON.stringify(it)).join() + location.href")
    assert provider.secret_key not in kept


def test_what_is_refused_is_said_where_it_was_asked_for(operator, domicile, source):
    """The provider's bucket belongs to one bucket of Domicile, and the place must be inside the lock."""
    provider = domicile.backends["us"]
    operator.goto(f"/#/adopt?endpoint={provider.endpoint}&bucket=whatever")
    operator.get_by_label("Countries, if it has to be made").fill("fi")
    operator.get_by_role("button", name="Bring under management").click()
    expect(operator.get_by_role("alert").filter(has_text="outside the region_lock")).to_be_visible()
    assert "whatever" not in {it["parameters"]["source"] for it in domicile.admin("GET", "/tasks", kind="adopt")["tasks"]}


def test_a_secret_in_clear_is_refused_whoever_sends_it(operator):
    document = {"provider": "x", "endpoint": "https://s3.example", "country": "FI", "jurisdictions": ["FI"], "access_key": "AK"}
    answer = operator.request.put(
        "/api/backends/x", data={**document, "secret_key": "hunter2hunter2"}, headers={"X-Domicile-Request": "1"}
    )
    assert (answer.status, answer.json()["error"]["code"]) == (400, "SecretInClear")


def test_the_samples_have_something_to_show(operator, domicile):
    for key, body in list(samples.LETTERS.items())[::10]:
        replicas = domicile.verified("letters", key)
        assert {replica["country"] for replica in replicas.values()} == {"FI", "DE"}
        assert domicile.read(replicas["de"]) == body
    operator.goto("/#/snapshots")
    operator.get_by_role("button", name="Compare").click()  # the two newest, the earlier one first
    for title, count in {"Added": 5, "Removed": 2, "Changed": 1}.items():
        tile = operator.get_by_role("listitem").filter(has=operator.get_by_role("heading", name=title, exact=True))
        expect(tile.locator("strong")).to_have_text(str(count))
