"""Exponential moving average of an encoder's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from negbench.encoders.encode import vectors_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class EMA:
    """Weights theta* that begin as ``model``'s theta; after each step theta* = decay theta* + (1 - decay) theta.

    Mean teacher, Tarvainen & Valpola 2017, arXiv 1703.01780. Texts go through the model's own modules, with these
    weights in place of its own: under the same autocast, without dropout, and without any gradient.
    """

    def __init__(self, model: SentenceTransformer, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    def _move(self) -> None:
        """Move the average to the model's device, which a trainer may have changed."""
        for name, value in self.model.named_parameters():
            self.weights[name] = self.weights[name].to(value.device)

    @torch.no_grad()
    def follow(self) -> None:
        """Update the average with the model's current weights."""
        self._move()
        for name, value in self.model.named_parameters():
            self.weights[name].lerp_(value, 1 - self.decay)

    @torch.no_grad()
    def __call__(self, chunk: Mapping[str, Tensor]) -> Tensor:
        """Return the vectors of a chunk of texts [n, d], float32."""
        self._move()
        training = self.model.training
        self.model.eval()  # a mask drawn here would change those that the model draws
        try:
            return vectors_of(
                self.model, chunk, lambda inputs: torch.func.functional_call(self.model, self.weights, (inputs,))
            )
        finally:
            self.model.train(training)
