"""The page of claims says what the verdicts say, and leaves none out."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import scripts

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.load("claims/page.py")


def test_the_published_page_is_that_of_the_published_verdicts(script: ModuleType) -> None:
    written = (ROOT / "results" / "claims.md").read_text(encoding="utf-8")
    assert script.page(ROOT / "results") == written, "run: python experiments/claims/page.py"


def test_every_statement_has_a_cell(script: ModuleType) -> None:
    """Counted by folder, without the page's own grouping."""
    cells = [
        it
        for by_says in script.answers(ROOT / "results").values()
        for by_column in by_says.values()
        for it in by_column.values()
    ]
    folders = sorted({folder for folders in script.COLUMNS.values() for folder in folders})
    records = [json.loads((ROOT / f"results/papers/{folder}/verdicts.json").read_text()) for folder in folders]
    expected = [(it["says"], it["verdict"]) for record in records for it in record["statements"]]
    assert sorted((it["says"], it["verdict"]) for it in cells) == sorted(expected)
    assert folders == sorted(path.name for path in (ROOT / "results" / "papers").glob("claims*"))


def test_a_cell_has_the_verdict_and_the_difference(script: ModuleType) -> None:
    difference = {"mean": 0.0258309, "low": 0.0133855, "high": 0.0382764}
    asked = {"kind": "direction"}
    held = {**asked, "verdict": "held", "compared": [difference], "values": [{**difference, "mean": 0.6}]}
    assert script.cell(held) == "**held** 0.0258 [0.0134, 0.0383]"
    assert script.cell({**asked, "verdict": "undecided", "compared": [], "values": [difference] * 2}).startswith(
        "undecided 0.0258 ["
    )
    assert script.cell({**asked, "verdict": "not run here", "compared": [], "values": []}) == "not run here"
    order = {**held, "kind": "order", "why": "tau 0.86 [-0.98, 1.00]; the least difference of a pair is 0.15"}
    assert script.cell(order) == "**held** tau 0.86 [-0.98, 1.00]"
    assert script.cell(None) == ""
