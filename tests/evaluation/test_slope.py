"""Slopes against statsmodels, and their interval against a simulation of what trainings do."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from negbench.evaluation import significance
from negbench.evaluation.slope import slopes


def table(rates: np.ndarray, values: np.ndarray) -> DataFrame:
    """One line a sampler, seed, variant and query; ``cell`` is what has an intercept of its own."""
    _, seeds, _, queries = values.shape
    at = np.indices(values.shape).reshape(4, -1)
    return DataFrame(
        {
            "value": values.ravel(),
            "rate": np.broadcast_to(rates[..., None], values.shape).ravel(),
            "query": at[3],
            "cell": (at[0] * seeds + at[1]) * queries + at[3],
        }
    )


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 5), st.integers(1, 4), st.integers(0, 999))
def test_each_slope_is_that_of_least_squares(samplers: int, seeds: int, variants: int, queries: int, run: int) -> None:
    rng = np.random.default_rng(run)
    rates, values = rng.random((samplers, seeds, variants)), rng.random((samplers, seeds, variants, queries))
    found = slopes(rates, values)
    assert found.shape == (seeds, queries)
    for seed in range(seeds):
        for query in range(queries):
            columns = [np.kron(np.eye(samplers)[at], np.ones(variants)) for at in range(samplers)]
            design = np.stack([rates[:, seed].ravel(), *columns], axis=1)
            slope = np.linalg.lstsq(design, values[:, seed, :, query].ravel(), rcond=None)[0][0]
            assert found[seed, query] == pytest.approx(slope, abs=1e-9)


def test_the_mean_slope_and_its_error_are_those_of_a_regression_clustered_by_query() -> None:
    """With one seed, queries are all that was sampled; statsmodels leaves out n / (n - 1)."""
    rng = np.random.default_rng(5)
    queries = 40
    rates = np.broadcast_to([0.0, 0.05, 0.1, 0.2, 0.4], (2, 1, 5))
    values = rng.standard_normal((2, 1, 5, queries)) - rates[..., None] * rng.normal(0.3, 0.2, queries)
    found = significance.estimate(slopes(rates, values))
    lines = table(rates, values)
    options = {"groups": lines["query"], "use_correction": False}
    theirs = smf.ols("value ~ rate + C(cell)", lines).fit(cov_type="cluster", cov_kwds=options)
    assert found.mean == pytest.approx(theirs.params["rate"])
    assert found.error == pytest.approx(theirs.bse["rate"] * (queries / (queries - 1)) ** 0.5)


def test_without_any_spread_of_rates_there_is_no_slope() -> None:
    assert np.isnan(slopes(np.full((1, 2, 3), 0.1), np.ones((1, 2, 3, 4)))).all()


@pytest.mark.parametrize("luck", [0.0, 0.005, 0.02], ids=["no luck", "some luck", "luck"])
def test_the_interval_holds_the_true_slope(luck: float) -> None:
    """Queries differ in slope and have noise of their own; a training's luck moves all of its queries together."""
    rng = np.random.default_rng(11)
    seeds, queries, runs, true = 5, 60, 400, -0.3
    rates = np.broadcast_to([0.0, 0.05, 0.1, 0.2, 0.4], (1, seeds, 5))
    held = 0
    for _ in range(runs):
        slope = rng.normal(true, 0.2, queries)
        values = rates[..., None] * slope + rng.normal(0, 0.1, (1, seeds, 5, queries))
        values += rng.normal(0, luck, (1, seeds, 5, 1)) + rng.normal(0.5, 0.3, queries)
        found = significance.estimate(slopes(rates, values))
        held += found.low <= true <= found.high
    assert 0.92 <= held / runs <= 0.99
