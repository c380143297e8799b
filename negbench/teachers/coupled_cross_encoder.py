"""CET: a cross-encoder trained beside another one, which tells who was likely to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.teachers.cross_encoder import load
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import Tensor, nn


class CoupledCrossEncoder(TrainedCrossEncoder):
    """A cross-encoder r, trained by pairs that weigh the more, the likelier another one, o, takes d- to be judged.

    CET, Cai et al. 2022, arXiv 2209.05072, for rankers whose negatives come from a strong retriever: a pair (d+, d-)
    of a query costs w_o log(1 + e^{r- - r+}) + w_r log(1 + e^{o- - o+}), with w_o = 1 / (1 - sigmoid(o- / T)), w_r
    the same of r-, and no gradient through either: a negative that was likely to be judged is one more surely. Each
    batch moves both models, by weights from before, as in the code (caiyinqiong/Coupled_Estimation_Technique). Scores
    are those of r alone; pairs fix an order within a query, and no level: compare them by quantiles. Differs from the
    paper in: cross-fitting; o's gradients are not clipped.

    The other parameters are those of trained-cross-encoder; a batch counts pairs of a positive and a negative. The
    model must come without a head, for each of the two to get its own.
    """

    name: ClassVar[str] = "coupled-cross-encoder"
    reads: ClassVar[int] = 4

    depth: int = Field(
        default=50, ge=1, description="Number of top retriever ranks that training negatives are drawn from."
    )
    prior: None = Field(
        default=None, description="Always null: pairs fix an order and no level of scores that could be corrected."
    )
    temperature: float = Field(
        default=2.0,
        gt=0,
        description="Divisor T of the scores in the weights; the code's default is 2, its script has 10.",
    )

    def columns(
        self, pairs: Sequence[tuple[int, int, float]], queries: Sequence[str], passages: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Return (query, positive, negative): each negative beside one of its query's positives, in turn.

        Raises InputError where no query has a negative.
        """
        rows: list[tuple[str, str, str]] = []
        for query, group in groupby(pairs, key=lambda pair: pair[0]):
            labelled = [(passages[row], label) for _, row, label in group]
            positives = [text for text, label in labelled if label]
            negatives = [text for text, label in labelled if not label]
            rows += [(queries[query], positives[n % len(positives)], text) for n, text in enumerate(negatives)]
        if not rows:
            raise InputError(
                f"teacher {self.spelling}: no training query has a candidate that can be a negative; take deeper "
                "candidates"
            )
        return dict(zip(("query", "positive", "negative"), map(list, zip(*rows, strict=True)), strict=True))

    def loss(self, model: CrossEncoder, precision: Precision) -> nn.Module:
        """Return the loss of ``model`` and of o, which lives in it and is gone with it.

        Raises InputError where both start alike: they would stay the same.
        """
        import torch
        from sentence_transformers.util import batch_to_device

        observer = load(weights.locate(self.model), self.max_length, self.keep_layers, new_head=True)
        if all(map(torch.equal, model.parameters(), observer.to(model.device).parameters())):
            raise InputError(
                f"teacher {self.spelling}: both models would start from the same head; use weights without a head"
            )

        class Coupled(torch.nn.Module):
            """The two cross-encoders, which score the same pairs."""

            def __init__(self) -> None:
                super().__init__()
                self.model, self.observer = model, observer

            def forward(self, columns: list[list[str]], labels: None = None) -> Tensor:
                asked, positives, negatives = columns
                pairs = [*zip(asked, positives, strict=True), *zip(asked, negatives, strict=True)]
                tokens = batch_to_device(self.model.preprocess(pairs), self.model.device)
                relevance = self.model(dict(tokens))["scores"]
                # the trainer sees to the precision of its model alone
                with torch.autocast(self.model.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                    selection = self.observer(dict(tokens))["scores"]
                return coupled(relevance.float().view(2, -1), selection.float().view(2, -1), temperature)

        temperature = self.temperature
        return Coupled()


def weight(scores: Tensor, temperature: float) -> Tensor:
    """Return 1 / (1 - sigmoid(score / temperature)) of each score: one over the chance of the other."""
    return 1 + (scores.detach() / temperature).exp()


def coupled(relevance: Tensor, selection: Tensor, temperature: float) -> Tensor:
    """Return the loss of both, a mean over B pairs; each float32 [2, B]: logits of positives, and of negatives."""
    from torch.nn.functional import softplus

    of_relevance = weight(selection[1], temperature) * softplus(relevance[1] - relevance[0])
    of_selection = weight(relevance[1], temperature) * softplus(selection[1] - selection[0])
    return (of_relevance + of_selection).mean()
