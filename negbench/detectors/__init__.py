"""Detectors: which training pairs look mismatched to the encoder that is being trained. One file a detector."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from negbench.registry import Part
from negbench.rng import CounterRNG
from negbench.types import Bool, Float32


class Detector(Part):
    """A rule that tells matched pairs from mismatched ones by their perplexity, before each epoch.

    A row's perplexity is -log of the softmax at its positive, among the positives of other rows drawn at random, known
    positives of its query masked; never among mined negatives, which are hard for matched pairs too. Rows that are not
    taken for matched weigh nothing in that epoch, but stay in their batches.
    """

    kind: ClassVar[str] = "detector"

    warm_up: int = Field(
        default=1,
        ge=0,
        description=(
            "Epochs before the first detection; 0 suits a starting encoder that is already trained for retrieval."
        ),
    )
    temperature: float = Field(default=0.05, gt=0, description="Divisor of the scores before the softmax.")
    batch: int = Field(
        default=32,
        ge=2,
        description=(
            "Rows compared with one another at a time, or a few less, so that all groups are about equally large."
        ),
    )

    @abstractmethod
    def matched(self, perplexity: Float32, rng: CounterRNG) -> Bool:
        """Return which rows are taken for matched, bool [R], by the ``perplexity`` [R] of each."""
