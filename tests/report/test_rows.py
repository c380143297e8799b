from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from made_trials import QUERIES, RESULTS, failed, rate, rows, trial
from scipy import stats

from negbench import registry
from negbench.config.grid import Settings
from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Rate, TrainingNegatives
from negbench.evaluation.significance import equivalence, estimate, holm, p_value
from negbench.registry import registered
from negbench.report import latex, page, table
from negbench.report import rows as report
from negbench.report.rows import Evidence
from negbench.runners.legend import legend, notes


def test_a_row_is_a_method_averaged_over_its_seeds() -> None:
    start, control, simans = rows(*RESULTS)
    assert [row.method for row in (start, control, simans)] == ["start", "in-batch", "simans(a=1.0)"]
    assert [(row.seeds, row.failed) for row in (start, control, simans)] == [(1, 0), (2, 0), (2, 0)]

    assert simans.quality == pytest.approx(0.71)
    assert simans.spread == pytest.approx(0.01 * math.sqrt(2))  # of 0.70 and 0.72, n - 1
    assert simans.gain == pytest.approx(0.71 - 0.62)
    assert simans.others == pytest.approx({"R@100": 0.8, "AP": 0.25})
    assert simans.estimator == "exact"
    assert simans.rate == pytest.approx(0.12)
    assert simans.in_batch == pytest.approx(0.02)
    assert simans.filled == pytest.approx(0.5)
    assert (simans.seconds, simans.added) == pytest.approx((110.0, 45.0))
    assert simans.costs == {"steps": 5.0}
    assert simans.spikes == {"loss_spikes": 1.0}

    assert control.quality == pytest.approx(0.62)
    assert control.gain is None  # it is what the others are compared with
    assert (control.rate, control.filled, control.in_batch) == (None, None, None)
    assert start.gain == pytest.approx(0.5 - 0.62)
    assert start.spread is None


def test_intervals_are_over_queries_and_seeds() -> None:
    start, _, simans = rows(*RESULTS)
    both = estimate(np.stack([0.7 + QUERIES, 0.72 + QUERIES]))
    assert (simans.low, simans.high) == pytest.approx((both.low, both.high))
    one = stats.t.interval(0.95, 4, 0.5, stats.sem(QUERIES))
    assert (start.low, start.high) == pytest.approx(one)


def test_the_rate_pools_seeds_query_by_query() -> None:
    """Equal shares in every query: the number of negatives of one seed stands for the evidence, not of both."""
    _, _, simans = rows(*RESULTS)
    hits, totals = np.full(4, 12.0), np.full(4, 100.0)
    assert (simans.rate, simans.rate_low, simans.rate_high) == pytest.approx(intervals.proportion(hits, totals))


def test_p_values_are_adjusted_over_the_methods_and_not_the_references() -> None:
    noisy = [trial("bm25", seed, quality) for seed, quality in enumerate((0.6, 0.66, 0.63))]
    other = [trial("random", seed, quality) for seed, quality in enumerate((0.9, 0.91, 0.9))]
    control = [trial("in-batch", seed, 0.6) for seed in range(3)]
    start, control_row, bm25, random = rows(trial("start", None, 0.3), *control, *noisy, *other)
    plain = [
        p_value(estimate(np.stack([gain + 0 * QUERIES for gain in gains])))
        for gains in ((0.0, 0.06, 0.03), (0.3, 0.31, 0.3))
    ]
    assert [bm25.p, random.p] == pytest.approx(holm(plain))
    assert (start.p, control_row.p, start.family, bm25.family) == (None, None, 0, 2)
    assert start.gain == pytest.approx(-0.3)
    assert bm25.detectable is not None
    assert bm25.detectable > 0.01


def test_sameness_is_claimed_where_a_difference_is_ruled_out() -> None:
    control = [trial("in-batch", seed, 0.6) for seed in range(4)]
    near = [trial("random", seed, 0.6 + gain) for seed, gain in enumerate((0.001, -0.001, 0.002, 0.0))]
    far = [trial("bm25", seed, 0.6 + gain) for seed, gain in enumerate((0.05, -0.05, 0.06, -0.06))]
    _, random, bm25 = rows(*control, *near, *far)
    assert (random.same, bm25.same) == (True, False)


def test_one_seed_decides_nothing() -> None:
    """However far apart: no p value, no sameness, nothing detectable; nor in any text."""
    values = {
        "in-batch 0 {}": 0.5 + QUERIES,
        "bm25 0 {}": 0.9 + QUERIES**2,
        "random 0 {}": 0.5 + QUERIES - QUERIES**2 / 99,
    }
    trials = [trial("start", None, 0.1), *[trial(name, 0, 0.5) for name in ("in-batch", "bm25", "random")]]
    told = Evidence({"start None {}": 0.1 - QUERIES, **values}, {})
    found = report.rows({"trials": trials}, "nDCG@10", "in-batch", 0.01, told)
    gains = [row.gain for row in found if row.gain is not None]
    assert len(gains) == 3
    assert {(row.p, row.same, row.detectable, row.family) for row in found} == {(None, None, None, 0)}
    assert "detectable" not in table.cells(found, "nDCG@10", "in-batch")[0]
    grid = Settings(name="made", collection="helpdesk", encoder="all-MiniLM-L6-v2", methods=("in-batch", "bm25"))
    grid = grid.model_copy(update={"baseline": "in-batch"})
    said = [*legend(found, grid), *notes({"trials": trials}, found, grid)]
    told_from = page.findings(found, {"baseline": "in-batch", "equivalent_within": 0.01})
    shown = [*(table.mark(row) for row in found), *said, latex.table(found, "nDCG@10", "in-batch", "made", said)]
    for text in (*shown, *told_from[0], *told_from[1]):
        assert not any(mark in text.replace("=made", "") for mark in (" *", " =", "^{", "detectable", "80 %", "Holm"))
    assert [sentence.split(":")[0] for sentence in told_from[1]] == [
        f"{name} is not tested against in-batch" for name in ("bm25", "random")
    ]
    assert told_from[0] == []


def test_a_seed_that_the_baseline_lacks_is_no_second_one() -> None:
    _, alone, both = rows(
        *[trial("in-batch", seed, 0.6) for seed in (0, 1)],
        *[trial("bm25", seed, 0.7) for seed in (1, 2, 3)],
        *[trial("random", seed, 0.7 + seed / 100) for seed in (0, 1)],
    )
    assert (alone.seeds, alone.p, alone.family) == (3, None, 0)
    assert (both.seeds, both.family) == (2, 1)
    assert both.p is not None


def test_sameness_is_adjusted_over_the_methods_that_are_compared() -> None:
    """Two that are the same at 3 % each, before they are two; references are not among them, and bear no mark."""
    control = [trial("in-batch", seed, 0.6) for seed in range(4)]
    gains = (0.006, -0.006, 0.007, -0.006)
    near = [trial("random", seed, 0.6 + gain) for seed, gain in enumerate(gains)]
    again = [trial("bm25", seed, 0.6 - gain) for seed, gain in enumerate(gains)]
    start = trial("start", None, 0.6)
    plain = equivalence(estimate(np.stack([gain + 0 * QUERIES for gain in gains])), 0.01)
    assert 0.025 < plain < 0.05
    _, _, one = rows(start, *control, *near)
    reference, _, *two = rows(start, *control, *near, *again)
    assert (one.same, [row.same for row in two], reference.same) == (True, [False, False], None)


def test_a_family_of_equal_methods_bears_a_mark_as_rarely_as_it_says() -> None:
    """Two seeds, which agree by luck in some methods; degrees of freedom by Satterthwaite alarm in 0.3 of the runs."""
    alarms, runs, seeds, names = 0, 150, 2, ["in-batch", "bm25", "random", "simans", "dpr", "ance"]
    trials = [trial(name, seed, 0.5) for name in names for seed in range(seeds)]
    for run in range(runs):
        rng = np.random.default_rng([run, seeds])
        values: dict[str, np.ndarray] = {}
        for name in names:
            of_query, of_seed = 0.05 * rng.standard_normal(100), 0.04 * rng.standard_normal(seeds)
            for seed in range(seeds):
                values[f"{name} {seed} {{}}"] = 0.5 + of_query + of_seed[seed] + 0.05 * rng.standard_normal(100)
        found = report.rows({"trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(values, {}))
        alarms += any(table.mark(row) == f" {table.DIFFERS}" for row in found)
    assert alarms / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_a_seed_that_ends_below_half_of_the_others_has_collapsed() -> None:
    trials = [trial("in-batch", seed, 0.6) for seed in range(3)]
    start, control, bm25 = rows(trial("start", None, 0.1), *trials, trial("bm25", 0, 0.25), trial("bm25", 1, 0.55))
    assert (start.collapsed, control.collapsed, bm25.collapsed) == (0, 0, 1)


def test_without_a_baseline_nothing_is_gained() -> None:
    assert [row.gain for row in rows(*RESULTS, baseline=None)] == [None, None, None]
    assert [row.gain for row in rows(*RESULTS, baseline="bm25")] == [None, None, None]


def test_failed_trials_are_counted_and_leave_no_figures() -> None:
    control, simans, bm25 = rows(
        trial("in-batch", 0, 0.6), failed("in-batch", 1), trial("simans", 0, 0.7), failed("bm25", 0), failed("bm25", 1)
    )
    assert (control.seeds, control.failed, control.quality, control.spread) == (1, 1, 0.6, None)
    assert simans.gain == pytest.approx(0.1)
    assert (bm25.seeds, bm25.failed, bm25.quality, bm25.gain, bm25.seconds, bm25.rate) == (0, 2, None, None, None, None)


def test_a_failed_baseline_compares_nothing() -> None:
    assert [row.gain for row in rows(failed("in-batch", 0), trial("simans", 0, 0.7))] == [None, None]


def test_figures_that_are_no_numbers_are_left_out() -> None:
    (row,) = rows(trial("bm25", 0, math.nan), trial("bm25", 1, 0.6), trial("bm25", 2, 0.8))
    assert row.quality == pytest.approx(0.7)
    assert row.spread == pytest.approx(statistics.stdev([0.6, 0.8]))
    (row,) = rows(trial("bm25", 0, math.nan))
    assert (row.quality, row.spread, row.low, row.rate) == (None, None, None, None)
    (_, row) = rows(trial("in-batch", 0, math.nan), trial("bm25", 0, 0.5))
    assert row.gain is None


def test_points_of_the_axes_have_rows_and_a_baseline_of_their_own() -> None:
    found = rows(
        trial("in-batch", 0, 0.5, axes={"negatives": 1, "train": {"epochs": 2}}),
        trial("bm25", 0, 0.6, axes={"negatives": 1, "train": {"epochs": 2}}),
        trial("in-batch", 0, 0.8, axes={"negatives": 2, "train": {"epochs": 2}}),
        trial("bm25", 0, 0.7, axes={"negatives": 2, "train": {"epochs": 2}}),
    )
    assert [row.label for row in found][::2] == [
        "in-batch, negatives=1, train={'epochs': 2}",
        "in-batch, negatives=2, train={'epochs': 2}",
    ]
    assert [row.gain for row in found] == [None, pytest.approx(0.1), None, pytest.approx(-0.1)]


def test_a_seed_without_an_estimate_does_not_hide_the_others() -> None:
    exact = {"exact": rate(0.2, 0.1, 0.3)}
    trials = (trial("bm25", 0, 0.5), trial("bm25", 1, 0.5, false_negatives=exact))
    for order in (trials, trials[::-1]):
        (row,) = rows(*order)
        assert (row.estimator, row.rate) == ("exact", pytest.approx(0.2))


def test_the_complete_truth_goes_before_the_proxy() -> None:
    both = {"exact-proxy": rate(0.3, 0.2, 0.4), "exact": rate(0.2, 0.1, 0.3)}
    (row,) = rows(trial("bm25", 0, 0.5, false_negatives=both))
    assert (row.estimator, row.rate) == ("exact", pytest.approx(0.2))


def test_an_estimator_reaches_the_table_by_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before those of a higher priority; one that says nothing of its rates is in no table."""
    registered("estimator")
    monkeypatch.setitem(registry._REGISTRY, "estimator", dict(registry._REGISTRY["estimator"]))

    class Halves(Estimator):
        """Half of them."""

        name: ClassVar[str] = "halves"
        meanings: ClassVar[Mapping[str, str]] = {"halves/of-all": "half of whatever is handed"}
        priority: ClassVar[int] = 5

        def estimate(self, handed: TrainingNegatives) -> dict[str, Rate]:
            return {}

    class Silent(Halves):
        """In no table."""

        name: ClassVar[str] = "silent"
        meanings: ClassVar[Mapping[str, str]] = {}

    rates = {"silent": rate(0.9, 0.8, 1), "exact": rate(0.2, 0.1, 0.3), "halves/of-all": rate(0.5, 0.4, 0.6)}
    found = rows(trial("bm25", 0, 0.5, false_negatives=rates))
    assert [(row.estimator, row.rate) for row in found] == [("halves/of-all", pytest.approx(0.5))]
    grid = Settings(name="made", collection="helpdesk", encoder="all-MiniLM-L6-v2", methods=("bm25",))
    assert [it.name for it in grid.estimators if it.name in ("halves", "silent")] == ["halves", "silent"]
    assert "false negatives, halves/of-all: half of whatever is handed" in legend(found, grid)


def test_gains_are_paired_by_seed() -> None:
    trials = [trial("in-batch", 0, 0.6), trial("in-batch", 1, 0.8), trial("bm25", 0, 0.65), failed("bm25", 1)]
    _, bm25 = rows(*trials)
    assert bm25.gain == pytest.approx(0.05)  # not 0.65 - 0.7: seed 1 has no partner
