"""The verdict where starts differ, and where nothing is left to gain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_trials import trial

from negbench.report import verdict
from negbench.report.rows import Evidence, Row, rows
from negbench.types import Float64

QUERIES = 200
SETTINGS = {"measure": "nDCG@10", "baseline": "in-batch", "equivalent_within": 0.01, "separate_axes": []}
REFERENCES = ("start", "bm25-search", "untouched")

Made = tuple[list[Row], list[dict[str, Any]], dict[str, Float64]]


def made(means: dict[tuple[str, str], float], axis: str = "start", scale: float = 0.01, top: float = np.inf) -> Made:
    """Rows of three seeds with these means by value of the axis and method, of queries with at most ``top``."""
    level = np.linspace(-0.2, 0.2, QUERIES) if top == np.inf else np.zeros(QUERIES)
    trials, values = [], {}
    for place, ((value, method), mean) in enumerate(means.items()):
        form = {"form": "reference"} if method in REFERENCES else {}
        for seed in [None] if method in REFERENCES else range(3):
            one = trial(method, seed, mean, axes={axis: value}, **form)
            noise = np.random.default_rng(100 * place + (seed or 0)).normal(0, scale, QUERIES)
            values[one["name"]] = np.minimum(mean + level + noise, top)
            one["metrics"]["nDCG@10"] = float(values[one["name"]].mean())
            trials.append(one)
    data = {"name": "made", "trials": trials}
    return rows(data, "nDCG@10", "in-batch", 0.01, Evidence(values, {})), trials, values


STARTS = {
    ("weak", "start"): 0.3,
    ("weak", "in-batch"): 0.4,
    ("weak", "simans"): 0.5,
    ("strong", "bm25-search"): 0.9,
    ("strong", "start"): 0.6,
    ("strong", "in-batch"): 0.8,
    ("strong", "simans"): 0.7,
}


class TestStarts:
    """Of a strong start in-batch is the best, of a weak one simans, which is below everything of the strong one."""

    def test_rows_of_different_starts_are_not_compared(self) -> None:
        lines = verdict.answer(*made(STARTS), {**SETTINGS, "separate_axes": ["start"]})
        assert all(line.startswith(("start=weak: ", "start=strong: ")) for line in lines)
        weak = [line.removeprefix("start=weak: ") for line in lines if line.startswith("start=weak")]
        strong = [line.removeprefix("start=strong: ") for line in lines if line.startswith("start=strong")]
        assert weak[0].startswith("Train with simans: nDCG@10 0.")
        assert "significantly better than the other one" in weak[0]
        assert "+0.2" in weak[1]
        assert "to the start" in weak[1]
        assert not any("BM25" in line for line in weak)
        assert strong[0].startswith("BM25 as the search engine beats every trained encoder: 0.")
        assert strong[1].startswith("Train with in-batch: nDCG@10 0.")

    def test_one_row_of_each_start_is_recommended(self) -> None:
        found = verdict.recommended(*made(STARTS), {**SETTINGS, "separate_axes": ["start"]})
        assert [(row.method, row.axes["start"]) for row in found] == [("simans", "weak"), ("in-batch", "strong")]

    def test_an_axis_of_the_training_is_one_comparison(self) -> None:
        """Where the start is the same, the best of all points is named, with its point."""
        lines = verdict.answer(*made(STARTS, axis="train.epochs"), SETTINGS)
        (advice,) = [line for line in lines if line.startswith("Train with")]
        assert advice.startswith("Train with in-batch (train.epochs=strong): nDCG@10 0.")
        assert "each of the other 3" in advice


def of_means(start: float, in_batch: float, simans: float, **more: Any) -> list[str]:
    means = {("a", "start"): start, ("a", "in-batch"): in_batch, ("a", "simans"): simans}
    return verdict.answer(*made(means, **more), {**SETTINGS, "separate_axes": ["start"]})


class TestTop:
    """No ranking has an nDCG above 1."""

    @pytest.mark.parametrize("start", [1.0, 0.995])
    def test_a_start_that_finds_everything_leaves_nothing_to_gain(self, start: float) -> None:
        lines = of_means(start, start, start, scale=1e-4, top=1.0)
        told = f"The encoder before training has nDCG@10 {start:.4f} of at most 1: nothing is left to gain on this test"
        assert told in lines[0]
        assert lines[0].endswith("only a harder one can tell methods apart.")
        assert not any("more steps" in line or "learning rate" in line for line in lines)

    def test_exactly_the_start_at_exactly_1(self) -> None:
        lines = of_means(1.0, 1.0, 1.0, scale=0.0, top=1.0)
        assert lines[0].startswith("start=a: Training moved no row by more than 0.0000 from the start. The encoder be")
        assert "nothing is left to gain" in lines[0]

    def test_a_start_with_room_is_told_to_train_more(self) -> None:
        lines = of_means(0.98, 0.98, 0.98, scale=1e-4, top=1.0)
        assert lines[0].endswith("more steps or a higher learning rate are needed before methods can differ.")

    def test_what_can_only_lose_is_told_before_the_advice(self) -> None:
        lines = of_means(1.0, 0.9, 0.8, top=1.0)
        assert "nothing is left to gain" in lines[0]
        assert lines[1].startswith("start=a: Train with in-batch")

    def test_methods_that_find_almost_everything_need_a_harder_test_and_not_more_of_the_same(self) -> None:
        """Each method misses other queries: 2 and 1 of 200, so that no test decides."""
        misses = {"start": 100, "in-batch": 2, "simans": 1}
        trials, values = [], {}
        for place, (method, count) in enumerate(misses.items()):
            for seed in [None] if method == "start" else range(3):
                one = trial(method, seed, 0.0)
                values[one["name"]] = np.ones(QUERIES)
                values[one["name"]][10 * place : 10 * place + count] = 0.2
                one["metrics"]["nDCG@10"] = float(values[one["name"]].mean())
                trials.append(one)
        table = rows({"name": "made", "trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(values, {}))
        lines = verdict.answer(table, trials, values, SETTINGS)
        assert lines[-1].startswith("Undecided against in-batch: simans. ")
        assert lines[-1].endswith("all are less than 0.01 below 1: only a harder test set can tell them apart.")
        assert not any("test queries like these" in line or "seeds" in line for line in lines)

    def test_a_measure_that_counts_has_no_top(self) -> None:
        """A mean of 1 with queries above it, as a number of documents found has."""
        assert not any("nothing is left" in line for line in of_means(1.0, 1.0, 1.0))
