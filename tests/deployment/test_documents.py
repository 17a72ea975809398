"""Documents lead where they say, and the index of decisions is whole."""

from __future__ import annotations

import re

import pytest

from domicile_local.deployment.truth import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
DOCUMENTS = [page for pattern in ("*.md", "docs/**/*.md", "services/*/web/*.md") for page in sorted(ROOT.glob(pattern))]


def anchor(heading):
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        there = target.exists() and (not part or part in map(anchor, HEADING.findall(target.read_text("utf-8"))))
        broken += [] if there else [link]
    assert broken == []


def test_the_index_of_decisions_has_them_all():
    folder = ROOT / "docs/adr"
    rows = re.findall(r"^\| \[(\d+)\]\(([\w-]+\.md)\) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted((str(int(file.name[:4])), file.name) for file in folder.glob("0*.md"))
