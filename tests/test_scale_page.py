"""The table of docs/scale.md follows from the published benchmarks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIMENSIONS = 384
BYTES = 4


def _seconds(name: str) -> float:
    return float(json.loads((ROOT / f"results/benchmarks/{name}.json").read_text())["seconds"]["negbench"][0])


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs/scale.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| .*\d GB", line)]


def _number(cell: str) -> tuple[float, float]:
    """Return a cell's number, and half a unit of its last digit."""
    digits = cell.split()[0].replace(",", "")
    return float(digits), 0.5 * 10.0 ** -len(digits.partition(".")[2])


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_hours_and_gigabytes_follow_from_the_benchmarks(row: list[str]) -> None:
    documents = float(row[1].replace(",", ""))
    encoded = json.loads((ROOT / "results/benchmarks/encoding.json").read_text())["quality"]["texts a second"]
    search = documents / 1e6 * _seconds("search")
    expected = (
        documents * DIMENSIONS * BYTES / 1e9,
        documents / encoded["negbench"] / 3600,
        search / 3600 if row[4].endswith("h") else search,
    )
    for cell, value in zip(row[2:], expected, strict=True):
        shown, half = _number(cell)
        assert shown == pytest.approx(value, abs=half * 1.001)


def test_the_table_was_found() -> None:
    assert len(_rows()) == 4
