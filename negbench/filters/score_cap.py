"""Throw out what scores above a cap."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class ScoreCap(Filter):
    """Keep the candidates that score at most ``cap``, whatever the positive's score.

    TopK-Abs of NV-Retriever, Moreira et al. 2024, arXiv 2407.15831; arctic-embed caps relevance likewise.
    """

    name: ClassVar[str] = "score-cap"

    cap: float = Field(
        default=0.7,
        description=(
            "Highest score that is kept, in the retriever's score units; the paper's 0.7 is a cosine of its teacher's."
        ),
    )

    def reject(self, pool: CandidatePool) -> Bool:
        above: Bool = pool.scores > self.cap
        return above
