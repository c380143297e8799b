"""The tables of docs/scale.md follow from the published benchmarks."""

from __future__ import annotations

import json
import re
import sys
from math import ceil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import plan_at_scale  # noqa: E402
from benchmarks.plan_at_scale import Assumptions  # noqa: E402

PAGE = ROOT / "docs/scale.md"
DIMENSIONS = 384
BYTES = 4


def _seconds(name: str) -> float:
    return float(json.loads((ROOT / f"results/benchmarks/{name}.json").read_text())["seconds"]["negbench"][0])


def _cells(columns: int) -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == columns]


def _rows() -> list[list[str]]:
    return [row for row in _cells(5) if re.search(r"\d GB", row[2])]


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


def test_the_plan_is_the_one_that_the_script_writes(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert plan_at_scale.text(Assumptions()) in page
    copy = tmp_path / "scale.md"
    copy.write_text(page.replace("| disk |", "| discs |"), encoding="utf-8")
    plan_at_scale.write(copy)
    assert copy.read_text(encoding="utf-8") == page


@pytest.mark.parametrize("column", [1, 2, 3])
def test_the_plan_adds_up(column: int) -> None:
    """Its hours are those of its stages, as often as they are made; machines, GPUs and euros follow from the hours."""
    plan = {row[0]: row[column] for row in _cells(4)}

    def number(name: str) -> float:
        (cell,) = [cell for key, cell in plan.items() if key.startswith(name)]
        return 0.5 if cell.startswith("under") else _number(cell)[0]

    once = sum(number(name) for name in plan if name.endswith("once"))
    each = sum(number(name) for name in plan if name.endswith("each time"))
    hours = number("**all, 15 trainings**")
    assert len([name for name in plan if name.endswith(("once", "each time"))]) == 5
    assert hours == pytest.approx(once + 15 * each, abs=0.5 * (2 + 15 * 3 + 1))
    assert number("machines for 7 days") == ceil(hours / 168)
    assert number("euros, machines") == pytest.approx(hours * 0.1, abs=0.6)
    on_gpus = number("hours of GPUs")
    assert on_gpus == pytest.approx(hours * 79.7 / 1420, abs=0.6)
    assert number("GPUs for 7 days") == ceil(on_gpus / 168)
    assert number("euros, GPUs") == on_gpus


def test_the_plan_and_the_first_table_say_the_same() -> None:
    by_name = {row[0]: row for row in _rows()}
    encode = next(row for row in _cells(4) if row[0] == "encode the corpus, once")
    assert encode[1:] == [by_name[name][3] for name in ("MS MARCO", "MS MARCO", "10⁹ documents")]
    vectors = {name: _number(by_name[name][2])[0] for name in ("MS MARCO", "10⁹ documents")}
    disk = next(row for row in _cells(4) if row[0] == "disk")
    assert _number(disk[3])[0] == pytest.approx(17 * vectors["10⁹ documents"] + 3.4, rel=1e-3)
    assert _number(disk[1])[0] == pytest.approx(17 * vectors["MS MARCO"] + 502_939 * 200 * 17 / 1e9, rel=5e-3)


def test_beir_has_fifteen_public_sets() -> None:
    assert len(plan_at_scale.BEIR) == 15
    assert plan_at_scale.BEIR["HotpotQA"][0] == int(
        next(row[1] for row in _rows() if row[0] == "HotpotQA").replace(",", "")
    )
