"""Teachers: stronger scorers of (query, document) pairs. Scores are stored; no pair is asked twice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.registry import Part
from negbench.types import Float32


class Teacher(Part):
    """A model that scores (query, document) pairs by relevance.

    ``folds`` is how many copies it comes in: 0 for a given model; else each copy is trained without one fold of the
    training queries and scores only that fold.
    """

    kind: ClassVar[str] = "teacher"

    @property
    def training_folds(self) -> int:
        """Number of copies that are trained here; 0 for a ready-made model."""
        return 0

    @property
    def members(self) -> tuple[Teacher, ...]:
        """The teachers that give the scores: itself, or the members of an ensemble."""
        return (self,)

    @property
    def listwise(self) -> bool:
        """Whether a pair's score depends on the other pairs of its query that are asked with it."""
        return False

    @property
    def may_refuse(self) -> bool:
        """Whether it may leave a pair without a score, which is NaN."""
        return False

    def check_usable(self) -> None:
        """Raise InputError where the teacher cannot be loaded or reached; called once before the first stage of a run.

        A teacher that scores pairs without weights and keys has nothing to check.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of the weights that the teacher starts from."""

    @abstractmethod
    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return a probability of relevance [pairs]; ``folder`` holds the copy trained here, if any.

        NaN only where it ``may_refuse``. Whoever wants scores asks for ``checked_scores``.
        """

    def checked_scores(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the scores of ``score`` after a check, float32 [pairs].

        Raises InputError, which begins with the teacher's name, where it is no number a pair: infinite, or NaN from a
        teacher that never refuses; and where ``score`` raises one.
        """
        try:
            scores = np.asarray(self.score(pairs, folder, precision), np.float32)
        except InputError as error:
            if str(error).startswith("teacher "):
                raise
            raise InputError(f"teacher {self.spelling}: {error}") from error
        if scores.shape != (len(pairs),):
            raise InputError(
                f"teacher {self.spelling}: scores of shape {scores.shape} for {len(pairs)} pairs; expected one each"
            )
        broken = np.isinf(scores) if self.may_refuse else ~np.isfinite(scores)
        if broken.any():
            first = int(np.flatnonzero(broken)[0])
            raise InputError(
                f"teacher {self.spelling}: {broken.sum()} of {len(pairs)} scores are NaN or infinite, the first for "
                f"the query {pairs[first][0]!r:.60}; check its weights"
            )
        return scores

    def require_some(self, scores: Float32) -> None:
        """Raise InputError where none of the ``scores``, of all pairs that it was asked about, is a number."""
        if scores.size and np.isnan(scores).all():
            raise InputError(
                f"teacher {self.spelling}: none of the {scores.size} pairs has a score; check its answers, or use "
                "another teacher"
            )
