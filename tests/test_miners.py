"""The effects of miners and rules are means of paired differences, and the published ones those of the results."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scripts

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.load("miners/effects.py")


def test_added_effects_are_found_again(script: ModuleType) -> None:
    of_miner = {"student": 0.0, "MiniLM": 0.1, "BM25": -0.2}
    of_rule = {"naive": 0.0, "shifted": 0.01, "margin": 0.03, "percent": 0.06}
    noise = np.random.default_rng(0).normal(scale=0.1, size=(3, 40))  # what seeds and queries do to every method alike
    cells = [script.Cell(miner, rule) for miner, rule in product(script.MINERS, script.RULES)]
    cells += [script.Cell(miner, rule, "MiniLM") for miner, rule in product(("student", "BM25"), script.MARGINS)]
    judged = {cell: 0.5 if cell.judge == "MiniLM" else 0.0 for cell in cells}
    measured = {
        cell: script.Measured(noise + of_miner[cell.miner] + of_rule[cell.rule] + judged[cell], 10 * judged[cell])
        for cell in cells
    }
    found = {effect.effect: effect for effect in script.effects(measured)}
    assert len(found) == 3 + 6 + 2
    for name, expected in {
        "MiniLM - student": 0.1,
        "BM25 - student": -0.2,
        "BM25 - MiniLM": -0.3,
        "shifted - naive": 0.01,
        "percent - margin": 0.03,
        "student, judged by MiniLM - by own scores": 0.5,
        "BM25, judged by MiniLM - by own scores": 0.5,
    }.items():
        effect = found[name]
        assert [effect.difference, effect.low, effect.high] == pytest.approx([expected] * 3), name
        assert effect.rate == pytest.approx(5.0 if "judged" in name else 0.0)


def test_rates_that_are_not_known_have_no_difference(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    cells = {cell for sides in script.contrasts().values() for side in sides for cell in side}
    measured = {cell: script.Measured(rng.normal(size=(3, 20)), float("nan")) for cell in sorted(cells, key=str)}
    assert {effect.rate for effect in script.effects(measured)} == {None}


@pytest.mark.parametrize("name", ["helpdesk", "scifact"])
def test_published_effects_are_those_of_the_published_results(script: ModuleType, name: str) -> None:
    folder = ROOT / "results" / "miners" / name
    with (folder / "effects.csv").open(newline="") as file:
        kept = {row.pop("effect"): row for row in csv.DictReader(file)}
    measured = script.read(folder)
    assert len(measured) == 3 * 4 + 2 * 2
    for effect in script.effects(measured):
        row = kept[effect.effect]
        for column in ("difference", "low", "high", "p", "detectable", "rate"):
            value = getattr(effect, column)
            assert float(row[column] or "nan") == pytest.approx(
                float("nan") if value is None else value, rel=1e-4, nan_ok=True
            ), f"{effect.effect}: {column}: run experiments/miners/effects.py"
