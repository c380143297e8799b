"""NPC's loss, term by term."""

from __future__ import annotations

from dataclasses import replace
from math import exp, isnan, log

import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope

from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.npc import NPC
from negbench.requirements import AverageTargets

WEIGHTS = torch.tensor([1.0, 0, 0.25, 0, 1, 1])


class Divergence(NPC):
    """The divergence alone."""

    def rows(self, batch: ScoredBatch) -> torch.Tensor:
        return self.divergence(batch)


def softmaxes(batch: ScoredBatch, row: int, t: float) -> tuple[dict[int, float], dict[int, float]]:
    """Both distributions by document, over what counts and has a score of the average, in float64."""
    relevant, target = batch.known_mask[row].tolist(), int(batch.positive_column[row])
    told = batch.targets[AverageTargets][row].double().tolist()
    counts = [d for d in range(DOCUMENTS) if (d == target or not relevant[d]) and not isnan(told[d])]
    found = []
    for scores in (batch.scores[row].double().tolist(), told):
        masses = {d: exp(scores[d] / t) for d in counts}
        found.append({d: mass / sum(masses.values()) for d, mass in masses.items()})
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("t", [0.05, 1.0])
class TestDivergence:
    def test_the_formula(self, seed: int, t: float) -> None:
        batch = made(seed)
        found = NPC(temperature=t).divergence(batch).tolist()
        for row in range(ROWS):
            own, average = softmaxes(batch, row, t)
            wanted = sum(p * log(p / average[d]) for d, p in own.items())
            assert found[row] == pytest.approx(wanted, rel=1e-3, abs=1e-5)
        assert max(found) > 0.01

    def test_autograd_gives_the_gradient_in_closed_form(self, seed: int, t: float) -> None:
        """p (log p/q - KL) / t, and nothing on what does not count."""
        batch = made(seed)
        grad = slope(Divergence(temperature=t), batch)
        for row in range(ROWS):
            own, average = softmaxes(batch, row, t)
            total = sum(p * log(p / average[d]) for d, p in own.items())
            for d in range(DOCUMENTS):
                wanted = own[d] * (log(own[d] / average[d]) - total) / t if d in own else 0.0
                assert grad[row, d].item() == pytest.approx(wanted, rel=1e-3, abs=1e-4)

    def test_torch_agrees_which_side_is_which(self, seed: int, t: float) -> None:
        """Its kl_div(input, target) is the divergence of the target from the input: here, of the encoder."""
        batch = made(seed, masked=0.0, missing=0.0)
        encoder, average = ((scores / t).log_softmax(1) for scores in (batch.scores, batch.targets[AverageTargets]))
        wanted = torch.nn.functional.kl_div(average, encoder, reduction="none", log_target=True).sum(1)
        torch.testing.assert_close(NPC(temperature=t).divergence(batch), wanted)

    def test_weights_are_on_infonce_alone_and_all_rows_divide(self, seed: int, t: float) -> None:
        batch, loss = made(seed), NPC(temperature=t)
        contrast, divergence = InfoNCE(temperature=t).rows(batch), loss.divergence(batch)
        wanted = sum(
            w * c + d for w, c, d in zip(WEIGHTS.tolist(), contrast.tolist(), divergence.tolist(), strict=True)
        )
        assert loss.mean(batch, WEIGHTS).item() == pytest.approx(wanted / ROWS, rel=1e-5)
        nothing = loss.mean(batch, torch.zeros(ROWS)).item()
        assert nothing == pytest.approx(divergence.mean().item(), rel=1e-5)
        flagged = slope(loss, batch, WEIGHTS)[1] * ROWS
        torch.testing.assert_close(flagged, slope(Divergence(temperature=t), batch)[1])

    def test_where_the_average_is_the_encoder_it_is_infonce(self, seed: int, t: float) -> None:
        batch = made(seed)
        batch = replace(batch, targets={AverageTargets: batch.scores})
        ones, plain = torch.ones(ROWS), InfoNCE(temperature=t)
        assert NPC(temperature=t).mean(batch, ones).item() == pytest.approx(plain.mean(batch, ones).item(), rel=1e-6)
        torch.testing.assert_close(slope(NPC(temperature=t), batch, ones), slope(plain, batch, ones))
