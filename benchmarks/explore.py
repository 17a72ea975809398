"""``make bench-explore``: a bucket of 200,000 objects listed, searched, sorted, scrolled through and kept as a snapshot in a real browser.

The keys are put into PostgreSQL directly, as in ``benchmarks.listing``; they are listed by the proxy, relayed by the discovery service, and held by
the tab. What the main thread does in one piece is told by the browser itself (https://www.w3.org/TR/longtasks-1/: 50 ms and longer).
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import free_layout, machine, say
from benchmarks.listing import fill
from benchmarks.load import Target
from playwright.sync_api import Browser, Page, expect, sync_playwright

from domicile_local.launcher import Launcher, running
from domicile_local.settings import Settings

BUCKET = "explored"
PATIENCE = 600_000  # milliseconds
WATCH = """
window.tasks = [];
new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((it) => it.duration))).observe({ type: "longtask", buffered: true });
"""
SCROLL = """async (pixels) => {
  const area = document.querySelector(".table-scroll");
  const frames = [];
  let blank = 0, drawn = 0, last = performance.now();
  for (let step = 0; step <= 300; step++) {
    area.scrollTop = step * (pixels || (area.scrollHeight - area.clientHeight) / 300);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    const rows = [...area.querySelectorAll(".table-row")];
    drawn += rows.length;
    blank += rows.filter((it) => it.firstElementChild.textContent === "…").length;
  }
  frames.sort((a, b) => a - b);
  return { median: frames[150], p95: frames[285], worst: frames.at(-1), blank: blank / drawn };
}"""


def memory(browser: Browser) -> int:
    """The most bytes that a process with a page and its workers in it ever had resident."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    statuses = [Path(f"/proc/{it['id']}/status").read_text() for it in found if it["type"] == "renderer"]
    return max(int(status.partition("VmHWM:")[2].split()[0]) * 1024 for status in statuses)


def longest(page: Page) -> str:
    """The longest of the main thread's tasks since the last call, and how many there were of 50 ms and longer."""
    tasks = page.evaluate("window.tasks.splice(0)")
    return f"{max(tasks):.0f} ms ({len(tasks)})" if tasks else "under 50 ms"


def timed(page: Page, name: str, act: Callable[[], None]) -> str:
    longest(page)
    began = time.perf_counter()
    act()
    return f"| {name} | {time.perf_counter() - began:.1f} s | {longest(page)} |"


def sign_in(launcher: Launcher, page: Page) -> None:
    url = f"{launcher.suite.discovery_url}/api/session/operator"
    answer = page.request.post(url, data={"admin_key": launcher.suite.admin_key}, headers={"X-Domicile-Request": "1"})
    assert answer.ok, answer.text()


def measure(launcher: Launcher, page: Page, count: int) -> list[str]:
    env = launcher.run_env
    page.goto(f"{launcher.suite.discovery_url}/#/explore")
    page.get_by_label("Endpoint").fill(env["DOMICILE_S3_ENDPOINT"])
    page.get_by_label("Access key").fill(env["DOMICILE_ACCESS_KEY"])
    page.get_by_label("Secret key").fill(env["DOMICILE_SECRET_KEY"])
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("link", name=BUCKET).click()
    rows = page.get_by_text(f"{count:,} rows")
    table = page.locator(".table")

    def list_all() -> None:
        page.get_by_role("button", name="List the whole bucket").click()
        expect(page.get_by_text("done", exact=True)).to_be_visible(timeout=PATIENCE)

    def flatten() -> None:
        page.get_by_label("without folders").check()
        expect(rows).to_be_visible(timeout=PATIENCE)

    def search() -> None:
        page.get_by_label("Search").fill("0199999")
        expect(page.get_by_text("1 row", exact=True)).to_be_visible(timeout=PATIENCE)
        page.get_by_label("Search").fill("")
        expect(rows).to_be_visible(timeout=PATIENCE)

    def sort() -> None:
        page.get_by_role("button", name="Modified").click()
        expect(table.get_by_role("columnheader", name="Modified")).to_have_attribute("aria-sort", "ascending")
        expect(table.locator(".table-row").first).to_contain_text("/")

    lines = [
        timed(page, "list everything", list_all),
        timed(page, "show it without folders", flatten),
        timed(page, "search, and back", search),
        timed(page, "sort by time", sort),
    ]
    for name, pixels in (("scroll 300 times by a page of 600 pixels", 600), ("scroll from end to end in 300 steps", 0)):
        longest(page)
        seen = page.evaluate(SCROLL, pixels)
        frames = f"frames of {seen['median']:.0f} ms (95 %: {seen['p95']:.0f} ms, worst: {seen['worst']:.0f} ms)"
        lines.append(f"| {name} | {frames}; {seen['blank']:.0%} of rows still on their way | {longest(page)} |")
    return [*lines, *measure_snapshot(page, count)]


def measure_snapshot(page: Page, count: int) -> list[str]:
    """Of the bucket that is looked at."""
    table = page.get_by_role("table", name="Objects")
    shown = page.get_by_text(f"{count:,} shown")

    def keep() -> None:
        page.get_by_role("link", name="Save a snapshot").click()
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_text("Of", exact=True)).to_be_visible(timeout=PATIENCE)

    def read() -> None:
        page.reload()
        expect(shown).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Reading its lines")).to_have_count(0, timeout=PATIENCE)

    def filter_keys() -> None:
        page.get_by_label("Key contains").fill("0199999")
        expect(page.get_by_text("1 shown", exact=True)).to_be_visible(timeout=PATIENCE)
        page.get_by_label("Key contains").fill("")
        expect(shown).to_be_visible(timeout=PATIENCE)

    def sort() -> None:
        table.get_by_role("button", name="Size").click()
        expect(table.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "ascending")
        expect(table.locator(".table-row").first).to_contain_text("/")

    return [
        timed(page, "keep a snapshot of it", keep),
        timed(page, "open the snapshot anew", read),
        timed(page, "search its keys, and back", filter_keys),
        timed(page, "sort it by size", sort),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="domicile-bench-") as folder:
        settings = Settings(state=Path(folder) / "state", layout=free_layout())
        with running(settings, say) as launcher, sync_playwright() as playwright:
            env = launcher.run_env
            target = Target("proxy", env["DOMICILE_S3_ENDPOINT"], env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"])
            say(f"filling a bucket with {arguments.keys:,} keys")
            fill(launcher, target, BUCKET, arguments.keys)
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.add_init_script(WATCH)
            sign_in(launcher, page)
            lines = measure(launcher, page, arguments.keys)
            most = memory(browser)
            browser.close()
    print(
        f"\n{machine(1)}\n\n| {arguments.keys:,} objects | took | longest task of the main thread (tasks of 50 ms and longer) |\n|---|---|---|"
    )
    print("\n".join(lines))
    print(f"\nThe tab's process, worker included, had {most / 2**20:.0f} MiB at most.")


if __name__ == "__main__":
    main()
