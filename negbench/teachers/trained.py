"""Teachers that are trained on the collection's own training split, cross-fitted by query."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.teachers import Teacher
from negbench.types import CandidatePool, Float32

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LabelledPairs:
    """What one copy may learn from, and no query of the fold that it will score.

    ``pairs`` are (row of ``queries``, row of ``passages``, label); ``queries`` are those of the ``pool``, by row, and
    ``titles`` those of the passages.
    """

    pairs: list[tuple[int, int, float]]
    queries: Sequence[str]
    passages: Sequence[str]
    titles: Sequence[str]
    pool: CandidatePool
    seed: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a cross-encoder is trained: passes over the rows, rows per step, and the peak learning rate of AdamW."""

    epochs: int
    batch_size: int
    learning_rate: float


class Fit(Protocol):
    """Minimises a loss over rows."""

    def __call__(
        self, model: CrossEncoder, columns: dict[str, list[Any]], loss: nn.Module, recipe: Recipe, pairs_read: int
    ) -> None:
        """Train ``model`` on the rows in ``columns``, which hold ``pairs_read`` pairs an epoch."""


class TrainedTeacher(Teacher):
    """A teacher trained here; the copy that scores a query was never trained on it, nor on its twin.

    Each copy learns from the labelled pairs of the other folds and from negatives drawn at random from the pool's
    candidates (RocketQA, arXiv 2010.08191: 1 : 4 from the retriever's top 1000).

    It learns at a share of 1 / (1 + negatives) relevant documents; with a ``prior`` its probabilities are corrected
    from that share to the prior (Saerens et al. 2002).
    """

    model: str = Field(
        default="all-MiniLM-L6-v2",
        min_length=1,
        description="Weights that training starts from: a hub id, folder or offline name.",
    )
    folds: int = Field(
        default=2, ge=2, le=20, description="Number of copies, each trained on the queries of all other folds."
    )
    negatives: int = Field(default=4, ge=1, le=1000, description="Training negatives per positive.")
    positives: int | None = Field(
        default=None, ge=1, description="Largest number of labelled pairs per query, drawn at random; null for all."
    )
    depth: int = Field(
        default=200, ge=1, description="Number of top retriever ranks that training negatives are drawn from."
    )
    prior: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description=(
            "Share of relevant documents among those scored, to which probabilities are corrected; null for no "
            "correction."
        ),
    )

    @property
    def training_folds(self) -> int:
        return self.folds

    def fingerprint(self) -> str:
        """Return the digest of the weights it starts from."""
        return weights.fingerprint(self.model, None)

    @abstractmethod
    def learn(self, data: LabelledPairs, fit: Fit, precision: Precision, out: Path) -> dict[str, float]:
        """Train a copy and save it to ``out``; return what it costs beyond what ``fit`` counts.

        Draws from torch's random state are seeded by the caller.
        """

    def at_prior(self, scores: Float32) -> Float32:
        """Return ``scores`` as they are, or corrected to the ``prior``."""
        return scores if self.prior is None else corrected(scores, 1 / (1 + self.negatives), self.prior)


def corrected(scores: Float32, learnt: float, prior: float) -> Float32:
    """Return probabilities learnt where a share ``learnt`` was relevant as they are where it is ``prior``: Bayes."""
    odds = prior * (1 - learnt) / ((1 - prior) * learnt)
    rescaled: Float32 = (scores * odds / (scores * odds + (1 - scores))).astype(np.float32)
    return rescaled
