"""MarginMSE with two teachers, against its formula and its halves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_batches import as_targets, made, slope, spelled

from negbench.losses import Loss
from negbench.requirements import GuideTargets


@pytest.mark.parametrize("seed", range(5))
def test_both_halves_by_hand(seed: int) -> None:
    batch = made(seed)
    found = spelled("dual-margin-mse(temperature=0.2, weight=0.6)").rows(batch)
    pairs = spelled("margin-mse(temperature=0.2)").rows(batch)
    for row, target in enumerate(batch.positive_column.tolist()):
        scores, guide = batch.scores[row].double().tolist(), batch.targets[GuideTargets][row].double().tolist()
        others = [at for at in range(len(scores)) if not batch.known_mask[row, at]]
        off = [((scores[target] - scores[at]) - (guide[target] - guide[at])) / 0.2 for at in others]
        rest = sum(it * it for it in off) / len(off) if off else 0.0
        assert found[row].item() == pytest.approx(pairs[row].item() + 0.6 * rest, rel=1e-5)


def test_without_weight_the_guide_has_no_say() -> None:
    batch = made(0)
    alone = slope(spelled("margin-mse"), batch)
    torch.testing.assert_close(slope(spelled("dual-margin-mse(weight=0)"), batch), alone)


def test_it_rests_where_both_teachers_agree_with_the_encoder() -> None:
    batch = made(1, missing=0.0)
    agreed = replace(batch, targets=as_targets(batch.scores.sigmoid(), batch.scores))
    assert slope(spelled("dual-margin-mse(temperature=1.0)"), agreed).abs().max() < 1e-5
    assert slope(spelled("dual-margin-mse(temperature=1.0)"), batch).abs().max() > 0.1


def test_only_a_bi_encoder_can_be_asked_about_a_batch() -> None:
    with pytest.raises(ValueError, match="a guide scores all pairs of a batch"):
        Loss.model_validate("dual-margin-mse(guide=cross-encoder(model=some))")
