"""Teachers: stronger scorers of (query, document) pairs. Scores are stored; no pair is asked twice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from negbench.encoders.precision import Precision
from negbench.parts import Part
from negbench.types import Float32


class Teacher(Part):
    """A scorer of pairs.

    ``folds`` is how many copies it comes in: 0 for a given model; else each copy is trained without one fold of the
    training queries and scores only that fold.
    """

    kind: ClassVar[str] = "teacher"

    @property
    def training_folds(self) -> int:
        """How many copies are trained here; 0 for a given model."""
        return 0

    @property
    def members(self) -> tuple[Teacher, ...]:
        """Who gives the scores: itself, or those that an ensemble asks."""
        return (self,)

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of the weights that the teacher starts from."""

    @abstractmethod
    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return a probability of relevance [pairs]; ``folder`` holds the copy trained here, if any."""
