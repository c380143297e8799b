"""The folder that docs/reproducing.md shows can be read, and so can each of its statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from negbench.papers import files
from negbench.papers.rows import sources
from negbench.papers.statements import parse

PAGE = (Path(__file__).parents[2] / "docs/reproducing.md").read_text(encoding="utf-8")
GRID = """\
name: garden
collection: helpdesk
encoder: all-MiniLM-L6-v2
methods: [bm25, random, ance(refresh=every(steps=40))]
axes: {negatives: [1]}
"""
TABLE = PAGE.partition("## Statements")[2].partition("A value is")[0]
STATEMENTS = re.findall(r"^\| `([^`]+)` \|", TABLE, re.MULTILINE)


def test_the_folder(tmp_path: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        name = re.match(r"# (\w+\.yaml)\n", block)
        assert name is not None
        (tmp_path / name[1]).write_text(block)
    (tmp_path / "grid.yaml").write_text(GRID)
    assert set(sources(files.read(tmp_path))) == {"bm25", "random", "lexical"}


@pytest.mark.parametrize("text", STATEMENTS)
def test_the_statements(text: str) -> None:
    assert parse(text).text == text


def test_all_kinds_are_there() -> None:
    kinds = {parse(text).kind for text in STATEMENTS}
    assert kinds == {"value", "direction", "between", "equality", "order"}
