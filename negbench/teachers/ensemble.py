"""Several teachers as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from negbench.encoders.precision import Precision
from negbench.teachers import Teacher
from negbench.types import Float32


class Ensemble(Teacher):
    """The mean of several teachers' scores, where one alone errs in its own way.

    What is averaged are the scores as each gives them, probabilities of relevance in [0, 1]: a cross-encoder's sigmoid,
    a language model's grade over 3, a bi-encoder's cosine, which is none. They are not brought to one scale, so who
    spreads wider says more. Whoever gives a pair no score is left out of its mean; it has none where nobody gave one.
    """

    name: ClassVar[str] = "ensemble"

    judges: tuple[Teacher, ...] = Field(
        description="Teachers whose scores are averaged, two or more; none of them is trained here.",
        examples=[["bi-encoder", "cross-encoder"]],
    )

    @field_validator("judges")
    @classmethod
    def _come_as_they_are(cls, judges: tuple[Teacher, ...]) -> tuple[Teacher, ...]:
        names = [judge.spelling for judge in judges]
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise ValueError(f"expected two or more teachers, no two the same, found {', '.join(names) or 'none'}")
        if trained := [judge.name for judge in judges if judge.training_folds]:
            raise ValueError(
                f"{trained[0]} is trained here; give models that are trained already: cross-encoder, llm, ..."
            )
        return judges

    @property
    def members(self) -> tuple[Teacher, ...]:
        """The judges, with the members of each one that is itself an ensemble."""
        return tuple(member for judge in self.judges for member in judge.members)

    @property
    def listwise(self) -> bool:
        return any(judge.listwise for judge in self.judges)

    @property
    def may_refuse(self) -> bool:
        """Whether every judge may leave a pair without a score."""
        return all(judge.may_refuse for judge in self.judges)

    def check_usable(self) -> None:
        for judge in self.judges:
            judge.check_usable()

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([judge.fingerprint() for judge in self.judges]).encode()).hexdigest()

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the means, NaN where no judge gave a score; there is no ``folder``.

        Raises InputError where a judge gave none at all: the others would be taken for all of them.
        """
        said = [judge.checked_scores(pairs, None, precision) for judge in self.judges]
        for judge, scores_of_one in zip(self.judges, said, strict=True):
            judge.require_some(scores_of_one)
        scores = np.stack(said).astype(np.float64)
        given = ~np.isnan(scores)
        total, n = np.where(given, scores, 0.0).sum(axis=0), given.sum(axis=0)
        mean: Float32 = np.divide(total, n, out=np.full(len(pairs), np.nan), where=n > 0).astype(np.float32)
        return mean
