"""A cross-encoder trained on the collection's own training split, cross-fitted by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.teachers import Teacher
from negbench.teachers.cross_encoder import load, predict
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


class Fit(Protocol):
    """Minimises a loss over rows."""

    def __call__(self, columns: dict[str, list[Any]], loss: nn.Module, epochs: int, pairs_read: int) -> None:
        """Train on the rows in ``columns``, which hold ``pairs_read`` pairs an epoch."""


class TrainedCrossEncoder(Teacher):
    """A cross-encoder trained here; the copy that scores a query was never trained on it, nor on its twin.

    Each copy learns, by binary cross-entropy, the labelled pairs of the other folds against negatives drawn at
    random from the pool's candidates (RocketQA, arXiv 2010.08191: 1 : 4 from the retriever's top 1000).

    It learns at a share of 1 / (1 + negatives) relevant documents; with a ``prior`` its probabilities are corrected
    from that share to the prior (Saerens et al. 2002).
    """

    name: ClassVar[str] = "trained-cross-encoder"
    version: ClassVar[int] = 2
    reads: ClassVar[int] = 1
    """How many pairs are read for each row of its training."""

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
    epochs: int = Field(default=1, ge=1, le=1000, description="Passes over the training pairs.")
    batch_size: int = Field(default=32, ge=1, description="Training pairs per step.")
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate of AdamW.")
    max_length: int = Field(default=256, ge=8, description="Tokens of query and document together.")
    keep_layers: int | None = Field(
        default=None, ge=1, description="Number of transformer layers to keep, from the bottom; null for all."
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

    def check_usable(self) -> None:
        import torch

        with torch.random.fork_rng():  # a new head is drawn
            self.start()

    def fingerprint(self) -> str:
        """Return the digest of the weights it starts from."""
        return weights.fingerprint(self.model, None)

    def start(self) -> CrossEncoder:
        """Return the model before training; a new head is drawn from torch's random state."""
        return load(weights.locate(self.model), self.max_length, self.keep_layers, new_head=True)

    def learn(
        self, model: CrossEncoder, data: LabelledPairs, fit: Fit, precision: Precision, out: Path
    ) -> dict[str, float]:
        """Train ``model`` and save the copy to ``out``; return what it costs beyond what ``fit`` counts."""
        rows = self.columns(data.pairs, data.queries, data.passages)
        read = len(next(iter(rows.values()))) * self.reads
        fit(rows, self.loss(model, precision), self.epochs, read)
        model.save_pretrained(str(out))
        return {}

    def columns(
        self, pairs: Sequence[tuple[int, int, float]], queries: Sequence[str], passages: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Return the rows of its training by column; ``pairs`` are (row of queries, row of passages, label)."""
        return {
            "query": [queries[query] for query, _, _ in pairs],
            "document": [passages[row] for _, row, _ in pairs],
            "label": [label for _, _, label in pairs],
        }

    def loss(self, model: CrossEncoder, precision: Precision) -> nn.Module:
        """Return what is minimised over such rows, of ``model``, which becomes the teacher."""
        from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

        loss: nn.Module = BinaryCrossEntropyLoss(model)
        return loss

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        assert folder is not None, "a trained teacher is scored from its folder"
        scores = predict(load(folder, self.max_length), pairs, precision)
        return scores if self.prior is None else corrected(scores, 1 / (1 + self.negatives), self.prior)


def corrected(scores: Float32, learnt: float, prior: float) -> Float32:
    """Return probabilities learnt where a share ``learnt`` was relevant as they are where it is ``prior``: Bayes."""
    odds = prior * (1 - learnt) / ((1 - prior) * learnt)
    rescaled: Float32 = (scores * odds / (scores * odds + (1 - scores))).astype(np.float32)
    return rescaled
