"""Detectors: which training pairs look mismatched to the encoder that is being trained. One file a detector."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from negbench.noise import Noise
from negbench.parts import Part
from negbench.types import Bool, Float32


class Detector(Part):
    """A rule that tells matched pairs from mismatched ones by their perplexity, before each epoch.

    A row's perplexity is -log of the softmax at its positive, among the positives of other rows drawn at random, known
    positives of its query masked; never among mined negatives, which are hard for matched pairs too. Rows that are not
    taken for matched weigh nothing in that epoch, but stay in their batches.

    warm_up: epochs before the first look; 0 looks at once, for an encoder that knows something already. temperature:
    divides the scores. batch: so many rows are compared, or a few less, so that all have about as many to compare with.
    """

    kind: ClassVar[str] = "detector"

    warm_up: int = Field(default=1, ge=0)
    temperature: float = Field(default=0.05, gt=0)
    batch: int = Field(default=32, ge=2)

    @abstractmethod
    def clean(self, perplexity: Float32, noise: Noise) -> Bool:
        """Return which rows are taken for matched, bool [R], by the ``perplexity`` [R] of each."""
