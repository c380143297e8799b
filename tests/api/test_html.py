"""Notebooks show tables; what stands in a file is text there, and no markup."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

import negbench
from negbench.api.html import html

EVIL = "<script>alert(1)</script> & \"x\" '[bold]'"


class Reader(HTMLParser):
    """Collects the cells of all tables, and the names of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.cells += [""] if tag in ("td", "th") else []

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_everything_is_escaped() -> None:
    table = Table(title=Text(EVIL), caption=EVIL)
    table.add_column(EVIL)
    table.add_row(Text(EVIL))
    table.add_row(EVIL)
    shown = html(Group(Text(EVIL), table, Text("")))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 6
    reader = Reader()
    reader.feed(shown)
    assert reader.tags == {"p", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert reader.cells[:2] == [EVIL, EVIL]


def test_a_collection_may_be_called_anything(here: Path) -> None:
    """It is called by its folder."""
    folder = here / "<script>garden"
    shutil.copytree(here / "garden", folder, dirs_exist_ok=True)
    with (folder / "corpus.jsonl").open("a") as file:  # or it would be the same collection
        file.write('{"_id": "weed", "title": "<script>weed", "text": "weed <script>garden"}\n')
    grid = negbench.load_grid("garden.yaml", {"collection": str(folder), "methods": ["bm25"], "baseline": None})
    shown = [
        negbench.evaluate("bm25", folder),
        negbench.mine("bm25", folder, encoder="tiny"),
        negbench.run(grid, "runs/script"),
        grid,
        negbench.plan_run(grid),
    ]
    for found in shown:
        assert "<script" not in found._repr_html_()
        assert "&lt;script&gt;garden" in found._repr_html_()


def test_cells_are_those_of_the_table(here: Path) -> None:
    found = negbench.evaluate("bm25", "garden", measures="AP RR@10")
    reader = Reader()
    reader.feed(found._repr_html_())
    assert reader.cells == ["AP", "RR@10", *(f"{value:.4f}" for value in found.metrics.values())]
