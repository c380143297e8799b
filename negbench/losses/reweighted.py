"""Contrastive learning with hard negatives weighted up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses.debiased import Debiased

if TYPE_CHECKING:
    from torch import Tensor


class Reweighted(Debiased):
    """The debiased loss with each negative weighted by e^{beta s-/t}, in proportion: the harder, the more.

    Robinson et al. 2021, arXiv 2010.04592; code joshr17/HCL: the sum of e^{s-/t} becomes N times the mean weighted so,
    and gradients flow through the weights. At beta 0 it is the debiased loss, at tau 0 as well InfoNCE.

    The paper's beta of 1 at temperature 0.5 is 0.1 at 0.05.
    """

    name: ClassVar[str] = "reweighted"

    tau: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Prior probability that a negative is relevant; 0 weights without debiasing.",
    )
    beta: float = Field(
        default=0.1,
        ge=0,
        description="Concentration on hard negatives, which acts as beta / temperature; 0 weights all alike.",
    )

    def log_mass(self, logits: Tensor, count: Tensor) -> Tensor:
        """Return log(N sum of w e^{s-/t} / sum of w)."""
        if not self.beta:
            return super().log_mass(logits, count)
        weighted, weights = ((1 + self.beta) * logits).logsumexp(1), (self.beta * logits).logsumexp(1)
        return weighted - weights + count.clamp(min=1).log()
