"""Links between pages resolve, and paragraphs are short."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "results", "experiments", "benchmarks", "configs")
PAGES = [*sorted(ROOT.glob("*.md")), *[path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.md"))]]
PROSE = [path for path in PAGES if path.name in ("README.md", "CONTRIBUTING.md") or path.parent.name == "docs"]
MADE = ROOT / "results" / "benchmarks" / "README.md"
LINES = 5
"""The longest paragraph or list item, in lines."""


def _plain(path: Path) -> str:
    """Return a page's text without blocks of code and comments."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as a code host makes them."""
    headings = re.findall(r"^#+ (.+)$", _plain(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _plain(page)):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        found = (page.parent / name) if name else page
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found), target


@pytest.mark.parametrize("page", [it for it in PROSE if it != MADE], ids=lambda page: str(page.relative_to(ROOT)))
def test_paragraphs_are_short(page: Path) -> None:
    blocks = re.split(r"\n\s*\n|\n(?=[-*] |\d+\. )", _plain(page))
    long = [block.strip() for block in blocks if not block.lstrip().startswith(("|", "    "))]
    assert not [block[:80] for block in long if len(block.splitlines()) > LINES]


def test_the_readme_is_read_at_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs/index.md").read_text(encoding="utf-8")))
