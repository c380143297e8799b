"""Debiased contrastive learning: InfoNCE corrected for relevant documents among the negatives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor

_NONE = -1e9
"""Stand-in for log 0: far below any score, and finite."""


class Debiased(Loss):
    """InfoNCE whose sum over N negatives is corrected for the share ``tau`` of them that is taken to be relevant.

    -log(e^{s+/t} / (e^{s+/t} + Ng)), Ng = max((sum of e^{s-/t} - tau N e^{s+/t}) / (1 - tau), N e^{-1/t}): DCL, Chuang
    et al. 2020, arXiv 2007.00224. At tau 0 it is InfoNCE. A heuristic for mined negatives: its derivation wants
    negatives drawn from all documents alike, and false ones that score as the positive does.
    """

    name: ClassVar[str] = "debiased"

    temperature: float = Field(
        default=0.05,
        gt=0,
        description=(
            "Divisor of the scores, which the lower bound of Ng takes to be cosines; the paper has 0.5 for images."
        ),
    )
    tau: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Prior probability that a negative is relevant; the paper's 0.1 is one in ten classes.",
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the loss, all of it in logarithms; 0 without any negative."""
        import torch

        negative = batch.negative()
        logits, positive = batch.scores / self.temperature, batch.positive().squeeze(1) / self.temperature
        count = negative.sum(1).to(logits)
        mass = self.log_mass(logits.masked_fill(~negative, _NONE), count)
        # the share of the mass that false negatives are taken to have; from 1 on nothing is left
        share = self.tau * count * (positive - mass).clamp(max=80).exp()
        left = mass + torch.log1p(-torch.where(share < 1, share, 0.0)) - math.log1p(-self.tau)
        floor = count.log() - 1 / self.temperature
        return torch.nn.functional.softplus(torch.where(share < 1, torch.maximum(left, floor), floor) - positive)

    def log_mass(self, logits: Tensor, count: Tensor) -> Tensor:
        """Return log(sum of e^{s-/t}) [B] over the ``count`` [B] negatives; ``logits`` [B, D] are -1e9 elsewhere."""
        return logits.logsumexp(1)
