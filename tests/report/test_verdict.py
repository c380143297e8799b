"""The verdict on a grid, from values by query that are made so that the answer is known."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_trials import rate, trial

from negbench.evaluation import planning, significance
from negbench.report import verdict
from negbench.report.rows import Evidence, Row, rows
from negbench.types import Float64

QUERIES = 200
SETTINGS = {"measure": "nDCG@10", "baseline": "in-batch", "equivalent_within": 0.01, "separate_axes": []}


def noise(seed: int, scale: float = 0.01) -> Float64:
    return np.random.default_rng(seed).normal(0, scale, QUERIES)


Made = tuple[list[Row], list[dict[str, Any]], dict[str, Float64]]


def said(means: dict[str, float], seeds: int = 3, scale: float = 0.01, **more: dict[str, Any]) -> list[str]:
    """The verdict on methods with these means; references (start, bm25-search) have no seed."""
    return verdict.answer(*made(means, seeds, scale, **more), SETTINGS)


def made(means: dict[str, float], seeds: int = 3, scale: float = 0.01, **more: dict[str, Any]) -> Made:
    """Rows, trials and values by query of methods with these means."""
    level = np.linspace(-0.2, 0.2, QUERIES)
    trials, values = [], {}
    for place, (method, mean) in enumerate(means.items()):
        reference = method in ("start", "bm25-search", "untouched")
        for seed in [None] if reference else range(seeds):
            about = {"form": "reference"} if reference else {}
            one = trial(method, seed, mean, **about, **more.get(method.replace("-", "_"), {}))
            trials.append(one)
            values[one["name"]] = mean + level + noise(100 * place + (seed or 0), scale)
            one["metrics"]["nDCG@10"] = float(values[one["name"]].mean())
    return rows({"name": "made", "trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(values, {})), trials, values


def test_the_best_is_named_where_it_is_better_than_all() -> None:
    lines = said({"start": 0.3, "in-batch": 0.5, "simans": 0.6})
    assert lines[0].startswith("Train with simans: nDCG@10 0.")
    assert "significantly better than the other one" in lines[0]
    assert "+0.1" in lines[1]
    assert "to in-batch" in lines[1]
    assert "to the start" in lines[1]


def test_the_cheapest_of_those_that_cannot_be_told_from_the_best_is_named() -> None:
    lines = said(
        {"in-batch": 0.4, "simans": 0.5001, "random": 0.5},
        scale=0.1,
        simans={"cost": {"seconds": 50.0, "marginal_seconds": 1.0}},
    )
    assert lines[0].startswith("Train with random")
    assert "the cheapest (10 s) of those within 0.01 of the best" in lines[0]
    assert "2 of 3 do not differ significantly from the best, simans" in lines[0]


def test_a_cheap_row_far_below_the_best_is_not_named_for_want_of_a_test_that_tells_it_apart() -> None:
    """With two seeds that disagree, no test tells a row that is 0.2 below from the best."""
    found, trials, values = made({"in-batch": 0.4, "simans": 0.5, "random": 0.3}, seeds=2, scale=0.1)
    one, other = (it["name"] for it in trials if it["spelling"] == "random")
    values |= {one: values[one] + 0.15, other: values[other] - 0.15}
    dear = [row if row.method == "random" else replace(row, seconds=99.0) for row in found]
    lines = verdict.answer(dear, trials, values, SETTINGS)
    assert lines[0].startswith("Train with simans: nDCG@10 0.")
    assert lines[0].endswith(
        ", the highest. No significant difference to 2 of the other 2, none of which is both within "
        "0.01 of it and clearly cheaper."
    )


def test_the_best_is_named_where_none_of_its_equals_is_clearly_cheaper() -> None:
    lines = said(
        {"in-batch": 0.4, "simans": 0.5001, "random": 0.5},
        scale=0.1,
        simans={"cost": {"seconds": 10.9, "marginal_seconds": 1.0}},
    )
    assert lines[0].startswith("Train with simans: nDCG@10 0.")
    assert "the highest. No significant difference to 1 of the other 2" in lines[0]


def test_a_search_engine_that_beats_all_encoders_comes_first() -> None:
    lines = said({"bm25-search": 0.7, "in-batch": 0.45, "simans": 0.49})
    assert lines[0].startswith("BM25 as the search engine beats every trained encoder: 0.7")
    assert "(simans)" in lines[0]


def test_an_untouched_model_that_beats_all_encoders_comes_first() -> None:
    lines = said({"untouched": 0.7, "in-batch": 0.45, "simans": 0.49})
    assert lines[0].startswith("The model as it is published, untouched, beats every trained encoder: 0.7")
    assert lines[1].startswith("Train with simans")


@pytest.mark.parametrize(("start", "first"), [(0.2, 0), (0.69, 1)])
def test_a_published_model_that_was_made_weaker_first_does_not_hide_the_advice(start: float, first: int) -> None:
    """Where training improves the start, the published model is told after it; where it does not, before."""
    lines = said({"start": start, "untouched": 0.7, "in-batch": 0.45, "simans": 0.49})
    assert lines[first].startswith("Train with simans")
    (told,) = [line for line in lines if "beats every trained encoder" in line]
    assert told.startswith("The start is weaker than the model as it is published, which" if not first else "The model")


def test_a_search_engine_within_noise_is_not_said_to_win() -> None:
    lines = said({"bm25-search": 0.501, "in-batch": 0.5}, scale=0.2)
    assert lines[0].startswith("Train with in-batch")


@pytest.mark.parametrize("seeds", [1, 3])
def test_trainings_that_move_nothing_are_told_first(seeds: int) -> None:
    """The largest difference of a row to the start is that of the values; it is below what would be found."""
    lines = said({"start": 0.5, "in-batch": 0.5, "simans": 0.5}, seeds=seeds)
    assert lines[0].startswith("Training moved no row by more than 0.00")
    assert lines[0].endswith(": more steps or a higher learning rate are needed before methods can differ.")
    assert not any(line.startswith("Its difference is") for line in lines)
    level = {method: noise(100 * place) for place, method in enumerate(("start", "in-batch", "simans"))}
    furthest = max(
        abs(float(np.mean([noise(100 * place + seed) - level["start"] for seed in range(seeds)]))) for place in (1, 2)
    )
    assert f"by more than {furthest:.4f} from" in lines[0]
    assert lines[1] == "These runs do not tell which negatives to train with."
    assert not any("Train with" in line or "more here" in line or "takes at least" in line for line in lines)


def test_nothing_is_planned_from_trainings_that_moved_nothing() -> None:
    lines = said({"start": 0.5, "in-batch": 0.5, "simans": 0.5}, scale=0.2)
    assert lines[1] == "These runs do not tell which negatives to train with."
    assert lines[-1].startswith("Undecided against in-batch: simans. Smallest detectable difference at 80 % power: 0.")
    assert not re.search("seeds|test queries", lines[-1])


@pytest.mark.parametrize(("errors", "moved"), [(1.8, False), (2.5, True)])
def test_a_row_that_a_test_tells_from_the_start_has_moved(errors: float, moved: bool) -> None:
    """80 % power takes 2.8 standard errors, a test at 5 % finds 2: between them a row has moved, if not by much."""
    spread = noise(1)
    spread = (spread - spread.mean()) / spread.std(ddof=1)
    level = np.linspace(0.4, 0.6, QUERIES)
    shifted = level + 0.001 * (spread + errors / QUERIES**0.5)
    trials = [trial("start", None, 0.5), *(trial("in-batch", seed, 0.5) for seed in range(3))]
    values = {one["name"]: level if one["seed"] is None else shifted for one in trials}
    table = rows({"name": "made", "trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(values, {}))
    lines = verdict.answer(table, trials, values, SETTINGS)
    assert lines[0].startswith("Train with in-batch" if moved else "Training moved no row by more than 0.0001")


def test_methods_that_a_test_tells_apart_have_moved() -> None:
    """The start differs from both by chance in its queries; the two differ from each other by the seeds' alone."""
    table, trials, values = made({"start": 0.5, "in-batch": 0.49, "simans": 0.51})
    values = {**values, trials[0]["name"]: 0.5 + noise(7, 0.5)}
    assert verdict.answer(table, trials, values, SETTINGS)[0].startswith("Train with simans")


def test_trainings_that_few_queries_cannot_tell_are_not_blamed_on_the_steps_alone() -> None:
    (line,) = [it for it in said({"start": 0.5, "in-batch": 0.51, "simans": 0.52}, scale=0.4) if "moved" in it]
    assert ": more steps or a higher learning rate may move them, more seeds or test queries may" in line


def test_exactly_the_start_is_unmoved() -> None:
    values = np.linspace(0, 1, QUERIES)
    trials = [trial("start", None, 0.5), *(trial(name, seed, 0.5) for name in ("in-batch", "bm25") for seed in (0, 1))]
    by_name = {one["name"]: values for one in trials}
    table = rows({"name": "made", "trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(by_name, {}))
    lines = verdict.answer(table, trials, by_name, SETTINGS)
    assert lines[0].startswith("Training moved no row by more than 0.0000 from the start: more steps")


@pytest.mark.parametrize("means", [{"in-batch": 0.5, "simans": 0.55}, {"in-batch": 0.45, "simans": 0.4}])
def test_one_row_that_moved_is_enough(means: dict[str, float]) -> None:
    assert not any("moved" in line for line in said({"start": 0.5, **means}))
    assert not any("moved" in line for line in said(means))  # nothing to compare with


def test_forms_of_one_method_are_told_apart_by_their_whole_names() -> None:
    forms = [f"ance(refresh=every(steps={steps}))" for steps in (10, 20)]
    lines = said({"in-batch": 0.5, **dict.fromkeys(forms, 0.5)}, scale=0.1)
    assert any(all(form in line for form in forms) for line in lines)
    assert not any("(...)" in line for line in lines)
    alone = said({"in-batch": 0.5, forms[0]: 0.5}, scale=0.1)
    assert any("ance(...)" in line for line in alone)


def test_one_seed_decides_nothing() -> None:
    lines = said({"in-batch": 0.4, "simans": 0.6}, seeds=1)
    assert lines[0].startswith("One seed decides nothing. The highest nDCG@10 is that of simans")
    assert "at least 3 seeds" in lines[0]
    assert not any(line.startswith("Train with") for line in lines)


def test_a_row_of_random_fills_is_named_and_never_recommended() -> None:
    lines = said({"in-batch": 0.4, "percent": 0.9}, percent={"draw": {"filled": 0.98}})
    assert lines[0].startswith("Train with in-batch")
    assert lines[-1].startswith("More than a third of the negatives are random fills")
    assert lines[-1].endswith("percent (98 %).")


def test_open_rows_have_the_range_of_what_would_have_been_found_and_a_plan() -> None:
    found = made({"in-batch": 0.5, "simans": 0.502, "random": 0.501}, scale=0.05)
    reach = sorted(row.detectable for row in found[0] if row.detectable is not None)
    line = verdict.answer(*found, SETTINGS)[-1]
    assert f" Smallest detectable difference at 80 % power: {reach[0]:.4f} to {reach[1]:.4f}; " in line
    assert re.search(r"a difference of 0.01 takes about \d+ seeds|at least [\d,]+ test queries", line)


def test_two_seeds_plan_nothing() -> None:
    line = said({"in-batch": 0.5, "simans": 0.502, "random": 0.501}, seeds=2, scale=0.05)[-1]
    assert line.endswith("; fewer than 3 seeds cannot tell how many more seeds or queries would decide.")
    assert not re.search(r"takes|0\.01\b", line)


@pytest.mark.parametrize(
    ("apart", "told"),
    [
        ([], "Undecided against in-batch: simans; random. "),
        (
            ["random"],
            "Undecided against in-batch after correction for 2 comparisons: simans; random (before it, the interval of "
            "random leaves out 0). ",
        ),
        (
            ["simans", "random"],
            "Undecided against in-batch after correction for 2 comparisons: simans; random (before it, the intervals "
            "of simans; random leave out 0). ",
        ),
    ],
)
def test_an_interval_that_leaves_out_0_is_said_to_be_before_the_correction(apart: list[str], told: str) -> None:
    table, trials, values = made({"in-batch": 0.5, "simans": 0.502, "random": 0.501}, scale=0.05)
    low = [-0.02 if row.method in apart else -0.01 for row in table]
    high = [-0.001 if row.method in apart else 0.01 for row in table]
    table = [replace(row, gain_low=a, gain_high=b) for row, a, b in zip(table, low, high, strict=True)]
    assert verdict.answer(table, trials, values, SETTINGS)[-1].startswith(told)


def test_unlabelled_negatives_are_said_to_be_unknown() -> None:
    assert any("cannot be estimated from these labels" in line for line in said({"in-batch": 0.4, "simans": 0.6}))


def test_the_rate_is_told_with_its_evidence() -> None:
    mined = {"false_negatives": {"exact": rate(0.1, 0.05, 0.2), "exact/in-batch": rate(0.01, 0.0, 0.02)}}
    level = np.linspace(-0.2, 0.2, QUERIES)
    trials = [trial(method, seed, 0.5, **mined) for method in ("in-batch", "simans") for seed in range(2)]
    values = {one["name"]: 0.5 + level + noise(place) for place, one in enumerate(trials)}
    clusters = {one["name"]: {"exact": np.array([[10.0] * 4, [100.0] * 4])} for one in trials}
    table = rows({"name": "made", "trials": trials}, "nDCG@10", "in-batch", 0.01, Evidence(values, clusters))
    lines = verdict.answer(table, trials, values, SETTINGS)
    assert any(line.startswith("False negatives: 10.0 % [") and "(exact: " in line for line in lines)


def test_each_collection_is_answered_by_itself() -> None:
    trials, values = [], {}
    for name, queries in (("a", 30), ("b", 50)):
        for seed in range(2):
            one = trial("in-batch", seed, 0.5, axes={"collection": name})
            trials.append(one)
            values[one["name"]] = 0.5 + np.random.default_rng(seed).normal(0, 0.1, queries)
    table = rows({"name": "made", "trials": trials}, "nDCG@10", None, 0.01, Evidence(values, {}))
    lines = verdict.answer(table, trials, values, {**SETTINGS, "baseline": None, "separate_axes": ["collection"]})
    assert [line.partition(":")[0] for line in lines if "Train with" in line] == ["a", "b"]


def test_nothing_trained_has_no_verdict() -> None:
    assert said({"start": 0.4, "bm25-search": 0.5}) == []


class TestPlanning:
    """The number of seeds that is asked for detects the difference; one fewer does not."""

    @pytest.mark.parametrize("sd", [0.02, 0.05])
    def test_seeds_against_a_fresh_sample(self, sd: float) -> None:
        """With seeds alone varying, the t test of n differences has the stated power from the number on."""
        rng = np.random.default_rng(0)
        differences = np.repeat(rng.normal(0, sd, (4, 1)), 5, axis=1)
        actual = float(differences[:, 0].std(ddof=1))
        wanted = planning.seeds_needed(differences, 0.04)
        assert wanted is not None

        def power(seeds: int) -> float:
            samples = np.random.default_rng(1).normal(0.04, actual, (20_000, seeds))
            error = samples.std(axis=1, ddof=1) / seeds**0.5
            from scipy.stats import t

            return float((np.abs(samples.mean(axis=1) / error) > t.ppf(0.975, seeds - 1)).mean())

        assert power(wanted) >= 0.78
        assert wanted == 2 or power(wanted - 1) < 0.82

    def test_no_number_of_seeds_helps_where_queries_differ(self) -> None:
        differences = np.tile(np.random.default_rng(0).normal(0, 0.3, 50), (3, 1))
        assert planning.seeds_needed(differences, 0.01) is None
        queries = planning.queries_needed(differences, 0.01)
        reach = significance.detectable(significance.estimate(differences))
        assert queries == pytest.approx(50 * (reach / 0.01) ** 2, abs=1)
