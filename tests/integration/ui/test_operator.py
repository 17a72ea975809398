"""The pages of operators, and what tenants have of them: what they show is true, and what is done on them happens."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from typing import Any, NamedTuple

import httpx
import pytest
from botocore.exceptions import ClientError
from playwright.sync_api import expect

from domicile_common.testing.installation import until
from domicile_local.state import Key

pytestmark = pytest.mark.servers

KEYS = ("2025/report.txt", "2025/scan.bin", "notes")


class Stored(NamedTuple):
    bucket: str
    replicas: dict[str, Any]  # of the first key


@pytest.fixture(scope="module")
def domicile(open_installation):
    """One of its own: here, states of backends are changed."""
    with open_installation(MEASURE_SECONDS="1") as made:
        yield made


@pytest.fixture(scope="module")
def stored(domicile) -> Stored:
    """A bucket of tenant ``one`` with three objects of two copies each, which are counted."""
    bucket = domicile.new_bucket(location="fi,de")
    for key in KEYS:
        domicile.client().put_object(Bucket=bucket, Key=key, Body=key.encode() * 1000)
    for key in KEYS:
        domicile.verified(bucket, key)
    until(lambda: domicile.admin("GET", f"/buckets/one/{bucket}")["versions"] == len(KEYS), what="the bucket is counted")
    return Stored(bucket, domicile.replicas(bucket, KEYS[0]))


@pytest.fixture
def parked(domicile, stored):
    """Parks the copy in DE of one of the objects, as if it had failed."""

    def park(key: str) -> str:
        failures = [{"at": "2026-03-04T05:06:07Z", "error_class": "quota", "reason": "the provider says that it is full"}]
        version = until(lambda: domicile.replicas(stored.bucket, key).get("de"), what="a copy in DE")["blob_key"]
        domicile.sql(
            f"""UPDATE replicas SET state = 'wanted', attempt = 9, parked_reason = 'out of patience', failures = '{json.dumps(failures)}'
                 WHERE backend_id = 'de' AND blob_key = '{version}'"""
        )
        return key

    return park


def test_where_the_data_lives(operator, domicile, stored, look):
    operator.goto("/#/overview")
    places = operator.get_by_role("table", name="Copies by country and backend")
    expect(places.get_by_role("row").filter(has_text="Finland")).to_be_visible()
    expect(operator.get_by_role("img", name=re.compile("Map of Europe.*Finland"))).to_be_visible()
    expect(operator.get_by_text("Not on the map: United States")).to_be_visible()
    expect(operator.locator(".map circle")).to_have_count(2)
    for backend in domicile.admin("GET", "/summary", tenant="one")["backends"]:
        assert (backend["bytes"] > 0) == (backend["backend_id"] != "us")
    expect(operator.get_by_text("Copies owed")).to_be_visible()
    look(operator, "overview")


def test_parked_work_is_found_explained_and_tried_again(operator, domicile, stored, parked, look):
    key = parked(KEYS[0])
    operator.goto("/#/owed")
    operator.get_by_label("Jobs that are").select_option("parked")
    operator.get_by_label("Bucket").fill(stored.bucket)
    operator.get_by_label("Tenant").fill("one")
    operator.get_by_label("Tenant").press("Enter")
    row = operator.get_by_role("button", name=key)
    expect(row).to_be_visible()
    look(operator, "work")
    row.press("Enter")
    expect(operator.get_by_role("dialog")).to_contain_text("the provider says that it is full")
    look(operator, "work-job")
    operator.get_by_role("button", name="Try it again").click()
    expect(operator.get_by_text("One job is tried again.")).to_be_visible()
    domicile.verified(stored.bucket, key)
    expect(operator.get_by_text("Nothing is parked")).to_be_visible()


def test_parked_work_is_given_up_with_a_reason(operator, domicile, stored, parked, look):
    key, reason = parked(KEYS[1]), f"not worth it {secrets.token_hex(4)}"
    operator.goto(f"/#/owed/jobs?state=parked&tenant=one&bucket={stored.bucket}")
    operator.get_by_role("button", name=key).click()
    operator.get_by_role("button", name="Give it up…").click()
    operator.get_by_label("Why").fill(reason)
    operator.get_by_role("button", name="Give it up", exact=True).click()
    expect(operator.get_by_text("One job was given up.")).to_be_visible()
    drops = domicile.admin("GET", "/jobs/drops", tenant="one", bucket=stored.bucket)["drops"]
    assert [(it["key"], it["reason"]) for it in drops] == [(key, reason)]
    operator.goto("/#/owed/dropped")
    expect(operator.get_by_text(reason)).to_be_visible()
    look(operator, "work-dropped")
    domicile.client().delete_object(Bucket=stored.bucket, Key=key)  # so that nothing is owed by the policy


def later(domicile) -> str:
    """A task that nobody takes before tomorrow."""
    task = uuid.uuid4().hex
    domicile.sql(
        f"""INSERT INTO tasks (task_id, kind, parameters, not_before)
            VALUES ('{task}', 'scrub', '{{"backend_id": "us", "depth": "light"}}', now() + interval '1 day')"""
    )
    return task


def test_a_scrub_is_begun_and_tasks_are_paused_resumed_and_cancelled(operator, domicile, look):
    operator.goto("/#/owed/tasks")
    operator.get_by_role("button", name="New scrub…").click()
    operator.get_by_label("Backend").select_option("us")
    operator.get_by_role("button", name="Begin the scrub").click()
    first = operator.get_by_role("article").first
    expect(first.get_by_text("done", exact=True)).to_be_visible(timeout=60_000)
    steered, ended = later(domicile), later(domicile)
    card = operator.get_by_role("article", name=steered)
    card.get_by_role("button", name="Pause").click()
    expect(card.get_by_text("paused", exact=True)).to_be_visible()
    assert domicile.admin("GET", f"/tasks/{steered}")["state"] == "paused"
    card.get_by_role("button", name="Resume").click()
    expect(card.get_by_text("done", exact=True)).to_be_visible(timeout=60_000)
    operator.get_by_role("article", name=ended).get_by_role("button", name="Cancel").click()
    operator.get_by_role("button", name="End it for good").click()
    expect(operator.get_by_role("article", name=ended).get_by_text("cancelled", exact=True)).to_be_visible()
    look(operator, "work-tasks")


def test_what_scrubs_found_is_listed(operator, domicile, stored, look):
    stranger = f"stranger-{secrets.token_hex(4)}"
    domicile.at("fi").put_object(Bucket=domicile.namespace("fi", stored.bucket), Key=stranger, Body=b"nobody's")
    domicile.finished_task(domicile.begin_task("scrub", backend_id="fi", depth="light", foreign="report"))
    operator.goto("/#/owed/findings")
    row = operator.get_by_role("table", name="Findings").get_by_role("row").filter(has_text=stranger)
    expect(row.get_by_text("reported")).to_be_visible()
    look(operator, "work-findings")


def test_lag_is_drawn_over_time(operator, domicile, stored, look):
    until(lambda: domicile.admin("GET", "/lag/history")["samples"], what="a sample")
    operator.goto("/#/lag")
    chart = operator.get_by_role("img", name=re.compile("^Age of the oldest.*fi at most"))
    expect(chart.locator("canvas")).to_be_visible()
    expect(operator.get_by_role("table", name="Owed at each backend").get_by_role("row")).to_have_count(
        1 + len(domicile.backends)
    )
    operator.get_by_label("Show").select_option("Copies owed")
    operator.get_by_label("Over the last").select_option("week")
    expect(operator.get_by_role("img", name=re.compile("^Copies owed.*fi at most"))).to_be_visible()
    assert "hours=168" in operator.url
    look(operator, "lag")


def test_a_backend_is_paused_limited_and_changed_after_a_preview(operator, domicile, look):
    def shown():
        return domicile.admin("GET", "/backends/us")

    operator.goto("/#/backends")
    expect(operator.get_by_role("row").filter(has_text="United States")).to_be_visible()
    look(operator, "backends")
    operator.get_by_role("link", name="us", exact=True).click()
    operator.get_by_role("button", name="Pause replication").click()
    expect(operator.get_by_role("button", name="Resume replication")).to_be_visible()
    assert shown()["paused"]
    operator.get_by_role("button", name="Resume replication").click()
    expect(operator.get_by_role("button", name="Pause replication")).to_be_visible()
    operator.get_by_role("button", name="Probe it").click()
    expect(operator.get_by_text("A probe of us begins")).to_be_visible()
    operator.get_by_role("button", name="Set limits…").click()
    operator.get_by_label("Jobs at a time").fill("7")
    operator.get_by_role("button", name="Set limits", exact=True).click()
    expect(operator.get_by_text("7 jobs at a time")).to_be_visible()
    assert (shown()["paused"], shown()["job_limit"]) == (False, 7)
    operator.get_by_role("button", name="Change state…").click()
    expect(operator.get_by_role("button", name="Make it active")).to_be_disabled()
    operator.get_by_label("State", exact=True).select_option("draining")
    operator.get_by_role("button", name="Show what would move").click()
    expect(operator.get_by_role("dialog").get_by_role("status")).to_contain_text("Nothing would move")
    look(operator, "backend-state")
    operator.get_by_role("button", name="Make it draining").click()
    expect(operator.get_by_role("dialog")).to_have_count(0)
    expect(operator.get_by_role("main")).to_contain_text("gets nothing new, and all that is there moves away")
    assert shown()["state"] == "draining"


def test_what_was_done_is_in_the_audit_log(operator, domicile, look):
    name = f"renamed-{secrets.token_hex(4)}"
    domicile.admin("PATCH", "/tenants/two", {"name": name})
    operator.goto("/#/audit?refused=false")
    operator.get_by_label("About").fill("/tenants/two")
    operator.get_by_label("About").press("Enter")
    row = operator.get_by_role("table", name="Audit log").get_by_role("row").filter(has_text="PATCH /proxy/tenants/{tenant}")
    expect(row.first.get_by_text("done", exact=True)).to_be_visible()
    operator.get_by_role("button", name="Verify the log").click()
    expect(operator.get_by_text("entries hang together")).to_be_visible()
    look(operator, "audit")


def test_a_buckets_objects_and_their_copies(operator, domicile, stored, look):
    operator.goto("/#/buckets")
    operator.get_by_role("link", name=f"one/{stored.bucket}").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text(f"one/{stored.bucket}")
    expect(operator.get_by_text(domicile.namespace("fi", stored.bucket))).to_be_visible()
    expect(operator.get_by_text("before they are copied")).to_be_visible()
    look(operator, "bucket")
    operator.get_by_role("button", name="2025/").click()
    operator.get_by_role("button", name="report.txt").press("Enter")
    copies = operator.get_by_role("dialog").get_by_role("table", name="Copies")
    for country in ("Finland", "Germany"):
        row = copies.get_by_role("row").filter(has_text=country)
        expect(row.get_by_text("verified", exact=True)).to_be_visible()
        expect(row.locator("time")).to_have_count(2)
    look(operator, "object")
    operator.keyboard.press("Escape")
    operator.get_by_label("Keys that begin with").fill("no-such-thing")
    operator.get_by_label("Keys that begin with").press("Enter")
    expect(operator.get_by_text("No key begins with this.")).to_be_visible()


def test_a_policy_is_refused_in_the_apis_words_tried_and_saved(operator, domicile, look):
    bucket = domicile.new_bucket(location="fi,de")
    domicile.client().put_object(Bucket=bucket, Key="k", Body=b"x" * 1000)
    domicile.verified(bucket, "k")
    operator.goto(f"/#/policies/one/{bucket}")
    operator.get_by_label("Countries").fill("US")
    operator.get_by_role("button", name="Try it").click()
    supposed = {"tenant": "one", "bucket": bucket, "policy": {"region_lock": ["US"]}}
    answer = operator.request.post("/api/placement/preview", data=supposed, headers={"X-Domicile-Request": "1"})
    assert answer.status == 409
    expect(operator.get_by_role("alert").filter(has_text=answer.json()["error"]["message"])).to_be_visible()
    expect(operator.get_by_role("button", name="Save the policy")).to_have_count(0)
    operator.get_by_label("Countries").fill("FI")
    operator.get_by_label("Copies", exact=True).fill("1")
    operator.get_by_role("button", name="Try it").click()
    expect(operator.get_by_role("status").filter(has_text="1 of 1 versions")).to_be_visible()
    look(operator, "policy")
    operator.get_by_label("Every copy within, in seconds").fill("120")
    expect(operator.get_by_role("button", name="Save the policy")).to_have_count(0)  # what was tried is not what stands there
    operator.get_by_role("button", name="Try it").click()
    operator.get_by_role("button", name="Save the policy").click()
    expect(operator.get_by_text("holds from now on")).to_be_visible()
    saved = domicile.admin("GET", f"/policies/buckets/one/{bucket}")["policy"]
    assert saved == {"region_lock": ["FI"], "replica_count": 1, "rpo_seconds": 120}
    until(lambda: set(domicile.replicas(bucket, "k")) == {"fi"}, what="the only copy is in FI")


def s3_with(domicile, secret: dict[str, str]):
    return domicile.fresh_client(Key(secret["Access key"], secret["Secret key"]), retries={"total_max_attempts": 1})


def issued(page) -> dict[str, str]:
    """What the dialog shows once, before it is closed."""
    dialog = page.get_by_role("dialog", name="The new key")
    expect(dialog).to_be_visible()
    shown = dict(zip(dialog.locator("dt").all_inner_texts(), dialog.locator("code").all_inner_texts(), strict=True))
    dialog.get_by_role("button", name=f"Copy: {shown['Secret key']}").click()
    assert page.evaluate("navigator.clipboard.readText()") == shown["Secret key"]
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert shown["Secret key"] not in page.content()
    return shown


def test_a_tenant_is_made_and_its_keys_are_made_rotated_used_and_disabled(operator, domicile, look):
    answers = []
    operator.on("response", lambda response: answers.append(response))  # noqa: PLW0108 - Playwright notes things at the function
    tenant = f"t-{secrets.token_hex(4)}"
    operator.goto("/#/tenants")
    expect(operator.get_by_role("link", name="one", exact=True)).to_be_visible()
    look(operator, "tenants")
    operator.get_by_role("button", name="New tenant…").click()
    operator.get_by_label("Id", exact=True).fill(tenant)
    operator.get_by_role("button", name="Make the tenant").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text(tenant)
    expect(operator.get_by_text("There is no access key yet")).to_be_visible()
    operator.get_by_role("button", name="New key…").click()
    operator.get_by_role("button", name="Make the key").click()
    first = issued(operator)
    s3_with(domicile, first).create_bucket(Bucket="papers")
    look(operator, "tenant")
    operator.get_by_role("button", name=f"Rotate {first['Access key']}").click()
    operator.get_by_label("Hours for which").fill("0")
    operator.get_by_role("button", name="Rotate the key").click()
    second = issued(operator)
    assert [it["Name"] for it in s3_with(domicile, second).list_buckets()["Buckets"]] == ["papers"]
    operator.get_by_role("button", name=f"Disable {second['Access key']}").click()
    expect(operator.get_by_role("button", name=f"Enable {second['Access key']}")).to_be_visible()
    for key in (first, second):
        until(lambda key=key: refused(s3_with(domicile, key)), what="the key is refused")
    bodies = "".join(answer.text() for answer in answers if "/api/credentials" in answer.url)
    assert first["Access key"] in bodies
    assert not any(key["Secret key"] in bodies for key in (first, second))  # they came sealed


def refused(client) -> bool:
    try:
        client.list_buckets()
    except ClientError as error:
        return error.response["Error"]["Code"] == "InvalidAccessKeyId"
    return False


@pytest.mark.parametrize("harmless", [["status of 503"]])
def test_what_the_service_cannot_answer_is_said_with_a_way_to_try_again(operator):
    operator.route("**/api/summary*", lambda route: route.fulfill(status=503, json={"error": {"code": "ServiceUnavailable", "message": "the database is away"}}))  # fmt: skip
    operator.goto("/#/overview")
    expect(operator.get_by_role("alert")).to_contain_text("the database is away")
    operator.unroute("**/api/summary*")
    operator.get_by_role("button", name="Try again").click()
    expect(operator.get_by_role("table", name="Copies by country and backend")).to_be_visible()


def test_a_tenant_sees_where_its_own_data_is(tenant, stored, look):
    menu = tenant.get_by_role("navigation", name="Pages")
    expect(menu.get_by_role("link", name="Overview")).to_be_visible()
    expect(menu.get_by_role("link", name="Work")).to_have_count(0)
    menu.get_by_role("link", name="Overview").click()
    expect(tenant.get_by_role("img", name=re.compile("Map of Europe.*Finland"))).to_be_visible()
    expect(tenant.get_by_text("United States")).to_have_count(0)  # nothing of its own is there
    look(tenant, "own-overview")
    menu.get_by_role("link", name="Buckets").click()
    tenant.get_by_role("link", name=f"one/{stored.bucket}").click()
    tenant.get_by_role("button", name="notes").click()
    expect(tenant.get_by_role("dialog").get_by_text("Finland")).to_be_visible()
    tenant.keyboard.press("Escape")
    tenant.get_by_role("link", name="Its levels").click()
    expect(tenant.get_by_text("What this level demands")).to_be_visible()
    look(tenant, "own-policy")
    menu.get_by_role("link", name="Access keys").click()
    expect(tenant.get_by_role("table", name="Access keys")).to_be_visible()
    expect(tenant.get_by_role("button", name=re.compile("Rotate"))).to_have_count(0)
    look(tenant, "own-keys")
    menu.get_by_role("link", name="Lag").click()
    expect(tenant.get_by_role("heading", name="Buckets that are owed something")).to_be_visible()
    look(tenant, "own-lag")


def test_another_tenants_bucket_and_the_operators_pages_are_closed(tenant, domicile):
    other = domicile.new_bucket("two")
    tenant.goto(f"/#/buckets/two/{other}")
    expect(tenant.get_by_role("alert")).to_contain_text("This is not yours to see")
    tenant.goto("/#/owed")
    expect(tenant.get_by_text("This page is for operators")).to_be_visible()


def with_token(page, domicile, **token: str) -> None:
    """Signs in with a token of its own."""
    secret = domicile.admin("POST", "/tokens", {"name": secrets.token_hex(4), **token})["secret"]
    page.goto("/#/signin")
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in with the token").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_an_auditor_sees_everything_and_is_offered_no_change(page, domicile, stored):
    with_token(page, domicile, role="auditor")
    page.goto("/#/backends/fi")
    expect(page.get_by_text("As the proxies see it")).to_be_visible()
    page.goto(f"/#/policies/one/{stored.bucket}")
    expect(page.get_by_text("What this level demands")).to_be_visible()
    for address, there in (("owed/tasks", "heading"), ("tenants/one", "table"), ("backends/fi", "heading")):
        page.goto(f"/#/{address}")
        expect(page.get_by_role(there).first).to_be_visible()
    for action in ("New scrub…", "New tenant…", "New key…", "Pause replication", "Try it", "Compare once more"):
        expect(page.get_by_role("button", name=action)).to_have_count(0)


def test_a_token_is_made_used_and_revoked(operator, domicile, look):
    name = f"ci-{secrets.token_hex(4)}"
    operator.goto("/#/tokens")
    operator.get_by_role("button", name="New token…").click()
    operator.get_by_label("Name").fill(name)
    operator.get_by_role("button", name="Make the token").click()
    secret = operator.get_by_role("dialog", name="The new token").locator("code").inner_text()
    operator.get_by_role("button", name="Close").click()
    expect(operator.locator("dialog")).to_have_count(0)
    assert secret not in operator.content()
    shown = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{domicile.suite.metadata_url}/proxy/tenants", headers=shown, trust_env=False).status_code == 200
    look(operator, "tokens")
    operator.get_by_role("button", name=f"Revoke {name}").click()
    operator.get_by_role("button", name="Revoke it").click()
    expect(operator.get_by_text(f"The token {name} is revoked.")).to_be_visible()
    assert httpx.get(f"{domicile.suite.metadata_url}/proxy/tenants", headers=shown, trust_env=False).status_code == 401


def test_a_tenants_admin_keeps_its_own_house(page, domicile):
    with_token(page, domicile, role="tenant_admin", tenant_id="one")
    page.goto("/#/keys")
    page.get_by_role("button", name="New key…").click()
    page.get_by_label("It may").select_option("read")
    page.get_by_role("button", name="Make the key").click()
    assert s3_with(domicile, issued(page)).list_buckets()["Buckets"]
    page.goto("/#/policies")
    page.get_by_label("Every copy within, in seconds").fill("600")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("button", name="Save the policy")).to_be_visible()
    page.goto("/#/policies/two")
    expect(page.get_by_role("alert")).to_contain_text("This is not yours to see")
