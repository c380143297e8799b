"""How often the interval that ``negbench audit`` prints holds the truth where queries weigh unequally."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_answers import by
from made_population import frame, relevant

from negbench.auditing import draw, sheet
from negbench.auditing.estimate import estimate

REPETITIONS = 200


@pytest.mark.parametrize("methods", [1, 2])
def test_it_holds_the_truth_where_queries_have_from_one_row_to_a_thousand(methods: int) -> None:
    """A row a labelled pair, as miners write it. Binomial error of 200 repetitions at 95 %: 0.015."""
    rows = np.round(1000 / (1 + np.arange(120)) ** 1.1) + 1
    whole = frame(queries=len(rows), methods=methods)
    whole = replace(whole, weights=whole.weights * rows[whole.queries])
    truth = relevant(whole)
    true = whole.weights @ truth / whole.weights.sum(axis=1)
    assert (true * 120 >= 10).all()
    held, widths = np.zeros(methods), np.zeros(methods)
    for seed in range(REPETITIONS):
        asked = sheet.of(whole, draw.draw(whole, 120, None, seed), seed)
        asked = replace(asked, items=np.unique(asked.items))  # nobody is asked twice: agreement is not of interest
        found = estimate(asked, by({at: "yes" if truth[pair] else "no" for at, pair in enumerate(asked.items, 1)}))
        assert found is not None
        for method, rate in enumerate(found.rates.values()):
            held[method] += rate.low <= true[method] <= rate.high
            widths[method] += rate.high - rate.low
    assert (held / REPETITIONS >= 0.93 - 0.015).all()
    assert (widths / REPETITIONS < 0.12).all()


def test_labels_are_spent_by_weight_and_the_heaviest_on_all() -> None:
    """One of 50 queries has half of the rows: its ten pairs are all asked about, and the interval is of the others."""
    rows = np.array([49.0, *np.ones(49)])
    whole = frame(queries=50)
    whole = replace(whole, weights=whole.weights * rows[whole.queries])
    heavy = whole.weights[0] == 49
    truth = heavy.copy()
    drawn = draw.draw(whole, 60, None, 0)
    assert (drawn.probability[heavy] == 1).all()
    assert len(np.unique(drawn.strata[heavy])) == 1
    asked = sheet.of(whole, drawn, 0)
    found = estimate(asked, by({at: "yes" if truth[pair] else "no" for at, pair in enumerate(asked.items, 1)}))
    assert found is not None
    (rate,) = found.rates.values()
    assert (rate.rate, rate.low) == (0.5, 0.5)
    left = len(asked.items) - len(asked.items) // 6 - heavy.sum()
    assert left == 50
    assert (rate.high - 0.5) / 0.5 == pytest.approx(1 - 0.05 ** (1 / 50), rel=0.05)
    assert "10 more, the heaviest pairs, are all labelled" in rate.note
