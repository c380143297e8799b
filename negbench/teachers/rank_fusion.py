"""Several teachers as one, by the ranks that they give to the passages of a query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.teachers.ensemble import Ensemble
from negbench.types import Float32, Float64


class RankFusion(Ensemble):
    """The mean of 1 / rank over several teachers, the rank being that among the query's passages: 1 for the best.

    Reciprocal rank fusion with the constant 0, as in Gecko, Lee et al. 2024, arXiv 2403.20327, appendix A; the fusion
    of Cormack et al. 2009 has 60. Gecko's judges are a language model's likelihood of the query and its grade:
    ``rank-fusion(judges=[query-likelihood, local-llm])``. Passages with the same score share the better rank. Who gives
    a pair no score adds 0; a pair has none where nobody gave one.

    Only parts that ask about all candidates of a query at once can have it: scores are ranks among these and the
    query's labelled positives.
    """

    name: ClassVar[str] = "rank-fusion"

    @property
    def listwise(self) -> bool:
        return True

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the means, in (0, 1], NaN where no judge gave a score; there is no ``folder``.

        Raises InputError where a judge gave none at all.
        """
        said = [judge.checked_scores(pairs, None, precision) for judge in self.judges]
        for judge, scores_of_one in zip(self.judges, said, strict=True):
            judge.require_some(scores_of_one)
        scores = np.stack(said).astype(np.float64)
        _, query = np.unique([text for text, _ in pairs], return_inverse=True)
        fused = np.zeros(len(pairs))
        for number in range(query.max(initial=-1) + 1):
            chosen = np.flatnonzero(query == number)
            fused[chosen] = sum(reciprocal_ranks(of_judge[chosen]) for of_judge in scores) / len(self.judges)
        return np.where(np.isnan(scores).all(axis=0), np.nan, fused).astype(np.float32)


def reciprocal_ranks(scores: Float64) -> Float64:
    """Return 1 / (1 + number of higher scores) for each of ``scores`` [N]; 0 for NaN."""
    with np.errstate(invalid="ignore"):
        higher = (scores[None, :] > scores[:, None]).sum(axis=1)
    return np.where(np.isnan(scores), 0.0, 1 / (1 + higher))
