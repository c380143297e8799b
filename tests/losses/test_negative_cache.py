"""The loss of a negative drawn from a cache, summed by hand in float64."""

from __future__ import annotations

from math import exp, inf, log, log1p

import pytest
import torch
from made_batches import DOCUMENTS, ROWS, as_targets, made, slope, spelled, told

from negbench.losses import ScoredBatch


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("t", [0.05, 1.0])
def test_the_formula_and_its_gradient(seed: int, t: float) -> None:
    """-log p+, and the pull of (1 - p+) (s- - s+) / t; p+ = e^{s+ / t} / (e^{s+ / t} + e^{what was told})."""
    batch, loss = made(seed), spelled(f"negative-cache(temperature={t})")
    values, pulls = loss.rows(batch).tolist(), slope(loss, batch)
    for row in range(ROWS):
        target = int(batch.positive_column[row])
        best = float(batch.scores[row, target])
        mined = [d for d in range(DOCUMENTS) if batch.mined_mask[row, d] and not batch.known_mask[row, d]]
        mined = [d for d in mined if not told(batch)[row, d].isnan()]
        wanted, pull = 0.0, [0.0] * DOCUMENTS
        for d in mined:
            total = float(told(batch)[row, d])
            rest = 1 / (1 + exp(best / t - total))
            wanted += log1p(exp(total - best / t)) / len(mined)
            pull[d] += rest / t / len(mined)
            pull[target] -= rest / t / len(mined)
        assert values[row] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert pulls[row].tolist() == pytest.approx(pull, rel=1e-4, abs=1e-6)


def test_its_pull_is_that_of_a_softmax_of_two_where_there_is_one_to_draw() -> None:
    """A cache of one document: nothing is left to chance, and the gradient is InfoNCE's."""
    scores, target = torch.tensor([[0.3, 0.35]]), torch.tensor([0])
    relevant, own = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    batch = ScoredBatch(
        scores=scores,
        positive_column=target,
        known_mask=relevant,
        mined_mask=own,
        targets=as_targets(torch.tensor([[torch.nan, 0.35 / 0.05]])),
    )
    wanted = slope(spelled("infonce"), batch)
    torch.testing.assert_close(slope(spelled("negative-cache"), batch), wanted)


def test_nothing_to_draw_among_is_nothing_to_learn() -> None:
    """A filled negative was drawn among nothing, whose sum is 0."""
    row = torch.tensor([[True, False]])
    batch = ScoredBatch(
        scores=torch.tensor([[0.3, 0.9]]),
        positive_column=torch.tensor([0]),
        known_mask=row,
        mined_mask=~row,
        targets=as_targets(torch.tensor([[-inf, -inf]])),
    )
    assert spelled("negative-cache").rows(batch).tolist() == [0.0]
    assert slope(spelled("negative-cache"), batch).tolist() == [[0.0, 0.0]]
    other = ScoredBatch(
        scores=batch.scores,
        positive_column=batch.positive_column,
        known_mask=row,
        mined_mask=~row,
        targets=as_targets(torch.full((1, 2), log(2))),
    )
    assert (slope(spelled("negative-cache(temperature=1.0)"), other) != 0).all()
