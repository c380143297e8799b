"""How often the interval that ``negbench audit`` prints holds the truth where queries weigh unequally."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_answers import by
from made_frame import frame, relevant

from negbench.audit import draw, sheet
from negbench.audit.estimate import estimate
from negbench.audit.frame import Frame
from negbench.types import Float64

REPETITIONS = 250


def weighed(methods: int, rows: Float64) -> Frame:
    """Return a frame whose queries have so many ``rows`` [queries] of training each, a row a labelled pair."""
    whole = frame(queries=len(rows), methods=methods)
    return replace(whole, weights=whole.weights * rows[whole.queries])


@pytest.mark.parametrize("labels", [50, 150])
@pytest.mark.parametrize("methods", [1, 2])
def test_it_holds_the_truth_where_queries_have_from_one_row_to_a_thousand(methods: int, labels: int) -> None:
    """As NFCorpus: 1 % of the queries have a fifth of the rows. Binomial error of 250 repetitions: 0.014."""
    rows = np.round(1000 / (1 + np.arange(200)) ** 1.1) + 1
    whole = weighed(methods, rows)
    truth = relevant(whole)
    shares = {name: float(weights @ truth) / weights.sum() for name, weights in zip(whole.methods, whole.weights)}
    held = dict.fromkeys(shares, 0)
    for seed in range(REPETITIONS):
        asked = sheet.of(whole, draw.draw(whole, labels, None, seed), seed)
        said = by({item: "yes" if truth[pair] else "no" for item, pair in enumerate(asked.items.tolist(), 1)})
        found = estimate(asked, said)
        assert found is not None
        for name, rate in found.rates.items():
            held[name] += rate.low - 1e-12 <= shares[name] <= rate.high + 1e-12
    for name, hits in held.items():
        assert min(shares[name] * labels, 10) == 10
        assert 0.93 - 0.014 <= hits / REPETITIONS <= 0.97 + 0.014
