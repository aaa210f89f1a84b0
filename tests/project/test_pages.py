"""The pages: every link leads somewhere, every picture is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.project.tracked import ROOT, name_of, tracked

LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Return the project's own pages."""
    return tracked("*.md")


def without_code(text: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the fragments that a page's headings answer to."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_link_inside_the_project_resolves() -> None:
    broken = []
    for page in pages():
        for link in LINK.findall(without_code(page.read_text())):
            if "://" in link or link.startswith("mailto:"):
                continue
            path, _, fragment = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (fragment and fragment not in anchors(target)):
                broken.append(f"{name_of(page)}: {link}")
    assert broken == []


def test_every_page_of_docs_is_reached_from_its_index() -> None:
    linked = set(LINK.findall((ROOT / "docs" / "index.md").read_text()))
    listed = {name_of(page) for page in pages() if page.parent == ROOT / "docs"} - {"docs/index.md"}
    assert {name for name in listed if Path(name).name not in linked} == set()
