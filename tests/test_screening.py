"""The scripts that screen methods with a static student: the order of methods, and the student's vectors."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scripts

SCREENING = Path(__file__).parents[1] / "experiments" / "screening"
ORDER = ["in-batch", "random", "naive", "bm25"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    module = scripts.load("screening/tau.py")
    module.RESAMPLES, module.HALVES = 300, 20  # type: ignore[attr-defined]
    return module


def _write(folder: Path, quality: dict[str, list[float]], rates: dict[str, float], start: float) -> None:
    trials: list[dict[str, Any]] = [
        {
            "spelling": name, "method": name, "form": "fixed", "seed": seed, "status": "done",
            "metrics": {"nDCG@10": value},
            "false_negatives": {"exact": {"rate": rates[name]}} if name in rates else {},
        }
        for name, values in quality.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    reference = {"form": "reference", "seed": 0, "status": "done", "metrics": {"nDCG@10": start}}
    trials += [{**reference, "method": "start", "spelling": "start", "false_negatives": {}}]
    trials += [{**trials[0], "spelling": "rance", "seed": 0, "status": "failed", "metrics": {}}]
    rows = [{"method": it["spelling"], "estimator": "exact" if it["false_negatives"] else None} for it in trials]
    folder.mkdir(parents=True)
    settings = {"measure": "nDCG@10"}
    (folder / "results.json").write_text(json.dumps({"trials": trials, "rows": rows, "settings": settings}))
    columns = {f"{name} seed {seed}": value for name, values in quality.items() for seed, value in enumerate(values)}
    with (folder / "by_query.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["collection", "query", "bm25-search", "start seed 0", *columns])
        writer.writerows([["c", f"q{at}", 0, 0, *columns.values()] for at in range(6)])


def _rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (folder / "tau.csv").open(newline="") as file:
        return {(row["measure"], row["set"]): row for row in csv.DictReader(file)}


def test_the_same_order_is_1_and_the_opposite_one_is_minus_1(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = {name: [at / 10, at / 10 + 0.01] for at, name in enumerate(ORDER, start=1)}
    down = {name: [0.9 - at / 10] for at, name in enumerate(ORDER, start=1)}
    _write(tmp_path / "static" / "c", up, {"naive": 0.3, "random": 0.1, "bm25": 0.2}, 0.0)
    _write(tmp_path / "other" / "c", down, {"naive": 0.5, "random": 0.0, "bm25": 0.1}, 0.55)
    _write(tmp_path / "static" / "alone", up, {}, 0.0)
    monkeypatch.setattr(sys, "argv", ["tau.py", str(tmp_path / "static"), str(tmp_path / "other")])
    script.main()
    rows = _rows(tmp_path / "static")
    assert set(rows) == {
        ("nDCG@10", "all"),
        ("nDCG@10", "above the start"),
        ("false-negative rate", "all"),
    }
    quality = rows["nDCG@10", "all"]
    assert (quality["methods"], quality["static_seeds_trained"], quality["transformer_seeds_trained"]) == (
        "4",
        "2",
        "1",
    )
    assert [float(quality[name]) for name in ("tau", "low", "high", "seeds_low")] == [-1, -1, -1, -1]
    assert [float(quality[name]) for name in ("static_halves", "transformer_halves", "static_seeds")] == [1, 1, 1]
    assert float(quality["shared_best"]) == 4  # ten of four: all
    assert rows["nDCG@10", "above the start"]["methods"] == "3"  # 0.8, 0.7 and 0.6 of the transformer's
    assert float(rows["false-negative rate", "all"]["tau"]) == 1


def test_tau_is_that_of_pairs_counted_by_hand(script: ModuleType) -> None:
    one = np.array([[1.0], [2.0], [3.0], [4.0]])
    other = np.array([[1.0, 1.0], [3.0, 3.2], [2.0, np.nan], [4.0, 4.0]])
    assert script.tau(one, other) == pytest.approx((5 - 1) / 6)  # one pair of six is the other way round
    low, high = script.interval(one, other, over_methods=True)
    assert -1 <= low < script.tau(one, other) <= high <= 1


def test_orders_of_halves_agree_as_far_as_queries_do(script: ModuleType) -> None:
    noise = np.random.default_rng(1).normal(size=(30, 400))
    true = 3 * np.arange(30)[:, None]
    assert abs(script.halves(noise, noise)) < 0.2
    assert script.halves(noise + true, noise + true) == 1.0
    assert script.halves(noise + true, noise - true) == -1.0
    shared = np.random.default_rng(2).normal(size=(30, 400)) / 10
    assert abs(script.halves(noise, noise + shared)) < 0.2  # the same luck on the same queries is no agreement


def test_the_published_order_is_that_of_the_published_results(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both students' results may be made again, each by itself; the intervals are not drawn anew here."""
    monkeypatch.setattr(script, "RESAMPLES", 2)
    monkeypatch.setattr(script, "HALVES", 1)
    results = SCREENING.parents[1] / "results"
    with (results / "screening/tau.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    names = sorted({row["collection"] for row in kept})
    folders = [(results / "screening" / name, results / "methods" / name) for name in names]
    found = [row for pair in folders for row in script.compare(pair[0].name, *map(script.read, pair))]
    for row, stored in zip(found, kept, strict=True):
        for column in ("measure", "set", "methods", "static_seeds_trained", "transformer_seeds_trained"):
            assert str(getattr(row, column)) == stored[column], "run experiments/screening/tau.py"
        for column in ("tau", "static_seeds", "shared_best"):
            value = float(stored[column] or "nan")
            assert getattr(row, column) == pytest.approx(value, rel=1e-4, nan_ok=True), column


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("simans(form=code, b=0.5, scale=zscore)", "simans(b=0.5, form=code)"),
        ("simans(scale=zscore)", "simans"),
        ("embedding-gemma(loss=infonce)", "embedding-gemma"),
        ("ance(refresh=every(steps=20))", "ance(refresh=every(steps=20))"),
    ],
)
def test_a_method_has_one_name_in_tables_of_two_versions(script: ModuleType, spelt: str, name: str) -> None:
    assert script.name_of(spelt) == script.name_of(name)


def test_principal_components_are_those_of_an_eigendecomposition() -> None:
    table = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * np.arange(1, 7, dtype=np.float32) + 3
    found = scripts.load("screening/student.py").principal(table, 3)
    values, vectors = np.linalg.eigh(np.cov(table.T.astype(np.float64)))
    wanted = (table - table.mean(0)) @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)
    np.testing.assert_allclose(found.var(axis=0, ddof=1), values[::-1][:3], rtol=1e-4)
