"""Verdicts of tracked results once more, from ``by_query.csv`` alone: nothing of negbench or scipy is used here.

The model is that of docs/evaluation.md: a value by seed and query is a mean, an effect of the seed, one of the query
and a rest. Quantiles of Student's t are integrals of its density.
"""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

PAPERS = Path(__file__).parents[2] / "results/papers"
Table = NDArray[np.float64]


def tail(t: float, freedom: int) -> float:
    """Return the chance of Student's t above ``t`` >= 0, by Simpson's rule in the angle whose tangent t is."""
    angle = np.linspace(math.atan(t / math.sqrt(freedom)), math.pi / 2, 401)
    values = np.cos(angle) ** (freedom - 1)
    step = (angle[1] - angle[0]) / 3
    area = step * (values[0] + values[-1] + 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum())
    return float(area * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi))


def quantile(chance: float, freedom: int) -> float:
    """Return the t above which lies ``chance``, by bisection."""
    low, high = 0.0, 1.0
    while tail(high, freedom) > chance:
        high *= 2
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > chance else (low, middle)
    return (low + high) / 2


def parts(values: Table) -> list[tuple[float, int]]:
    """Return the parts of the variance of the mean of ``values`` [S, Q], from mean squares, and their freedom."""
    seeds, queries = values.shape
    mean, of_seed, of_query = values.mean(), values.mean(axis=1), values.mean(axis=0)
    between_seeds = queries * ((of_seed - mean) ** 2).sum() / (seeds - 1)
    between_queries = seeds * ((of_query - mean) ** 2).sum() / (queries - 1)
    rest = ((values - of_seed[:, None] - of_query + mean) ** 2).sum() / ((seeds - 1) * (queries - 1))
    of_queries = max(between_queries - rest, 0.0) / values.size
    return [(between_seeds / values.size, seeds - 1), (of_queries, queries - 1)]


def half(variances: list[tuple[float, int]], alpha: float) -> float:
    """Return half the interval at level 1 - ``alpha``."""
    return math.sqrt(sum(quantile(alpha / 2, freedom) ** 2 * variance for variance, freedom in variances))


def p_value(values: Table) -> float:
    """Return the alpha whose interval just reaches 0."""
    variances, distance = parts(values), abs(values.mean())
    low, high = -20.0, 0.0  # of its logarithm
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if half(variances, math.exp(middle)) < distance else (middle, high)
    return math.exp((low + high) / 2)


def column(paper: str, measure: str, row: str) -> Table:
    """Return the values [S, Q] of a row."""
    with (PAPERS / paper / "by_query.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["measure"] == measure]
    names = [name for name in lines[0] if re.fullmatch(rf"{re.escape(row)} seed \d+", name)]
    return np.array([[float(line[name]) for line in lines] for name in names])


def linearised(paper: str, row: str) -> Table:
    """Return the rate of a row plus what each query's hits are above or below it, over the mean number of negatives."""
    hits, totals = column(paper, "rate: hits", row), column(paper, "rate: of", row)
    rate = hits.sum() / totals.sum()
    return np.asarray(rate + (hits - rate * totals) / totals.mean(), np.float64)


def ndcg(paper: str, more: str, less: str) -> Table:
    return column(paper, "nDCG@10", more) - column(paper, "nDCG@10", less)


FAMILIES = {
    "rlhn": {
        "removing-helps": ("remove", "naive"),
        "relabelling-helps-more": ("relabel", "remove"),
        "removing-instances-hurts": ("naive", "remove-instance"),
    },
    "ccr": {
        "regulariser-helps": ("ccr", "naive"),
        "sieve-removes": ("naive", "passage-sieve"),
        "sieve-helps": ("passage-sieve", "naive"),
    },
}
"""All statements of two papers: which row is said to be above which."""

VERDICTS = {
    "removing-helps": "not held",
    "relabelling-helps-more": "undecided",
    "removing-instances-hurts": "held",
    "regulariser-helps": "undecided",
    "sieve-removes": "held",
    "sieve-helps": "held",
}


@pytest.mark.parametrize("paper", FAMILIES)
def test_verdicts_of_a_paper_follow_from_its_values(paper: str) -> None:
    record = json.loads((PAPERS / paper / "verdicts.json").read_text(encoding="utf-8"))
    recorded = {it["name"]: it for it in record["statements"]}
    assert recorded.keys() == FAMILIES[paper].keys()
    values = {
        name: linearised(paper, more) - linearised(paper, less) if name == "sieve-removes" else ndcg(paper, more, less)
        for name, (more, less) in FAMILIES[paper].items()
    }
    ps = {name: p_value(it) for name, it in values.items()}
    adjusted, largest = {}, 0.0
    for place, name in enumerate(sorted(ps, key=lambda name: ps[name])):  # Holm's steps
        largest = max(largest, (len(ps) - place) * ps[name])
        adjusted[name] = min(1.0, largest)
    for name, it in values.items():
        said = recorded[name]
        (difference,) = said["compared"]
        assert difference["mean"] == pytest.approx(it.mean(), abs=1e-9)
        assert difference["high"] - difference["mean"] == pytest.approx(half(parts(it), 0.05), rel=1e-6)
        assert said["p"] == pytest.approx(adjusted[name], rel=1e-4)
        decided = "held" if it.mean() > 0 else "not held"
        assert said["verdict"] == (decided if adjusted[name] < 0.05 else "undecided") == VERDICTS[name]


def test_quantiles_are_those_of_printed_tables() -> None:
    printed = {(0.025, 1): 12.706, (0.025, 2): 4.303, (0.005, 2): 9.925, (0.025, 30): 2.042, (0.025, 199): 1.972}
    for (chance, freedom), value in printed.items():
        assert quantile(chance, freedom) == pytest.approx(value, abs=5e-4)
