"""A cross-encoder trained on the collection's own training split, cross-fitted by query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.teachers import Teacher
from negbench.teachers.cross_encoder import load, predict
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import nn


class TrainedCrossEncoder(Teacher):
    """A cross-encoder trained here; the copy that scores a query was never trained on it, nor on its twin.

    Each copy learns, by binary cross-entropy, the labelled pairs of the other folds against negatives drawn at
    random from the pool's candidates (RocketQA, arXiv 2010.08191: 1 : 4 from the retriever's top 1000).

    model: weights to start from, a hub id, folder or offline name. folds: copies, each trained on the queries of
    all the others. positives: at most so many labelled pairs of a query, drawn at random, null for all of them.
    negatives: negatives a positive. depth: raw ranks they are drawn from. epochs, batch_size,
    learning_rate, max_length: the training recipe. prior: the share of relevant documents among those that it scores;
    it learns at a share of 1 / (1 + negatives), and its probabilities are corrected from that to this (Saerens et al.
    2002), null leaves them. keep_layers: use only this many layers, null for all.
    """

    name: ClassVar[str] = "trained-cross-encoder"
    version: ClassVar[int] = 2
    reads: ClassVar[int] = 1
    """How many pairs are read for each row of its training."""

    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    folds: int = Field(default=2, ge=2, le=20)
    negatives: int = Field(default=4, ge=1)
    positives: int | None = Field(default=None, ge=1)
    depth: int = Field(default=200, ge=1)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    max_length: int = Field(default=256, ge=8)
    keep_layers: int | None = Field(default=None, ge=1)
    prior: float | None = Field(default=None, gt=0, lt=1)

    @property
    def training_folds(self) -> int:
        """One copy a fold."""
        return self.folds

    def fingerprint(self) -> str:
        """Return the digest of the weights it starts from."""
        return weights.fingerprint(self.model, None)

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
        """Score with the copy in ``folder``."""
        assert folder is not None, "a trained teacher is scored from its folder"
        scores = predict(load(folder, self.max_length), pairs, precision)
        return scores if self.prior is None else corrected(scores, 1 / (1 + self.negatives), self.prior)


def corrected(scores: Float32, learnt: float, prior: float) -> Float32:
    """Return probabilities learnt where a share ``learnt`` was relevant as they are where it is ``prior``: Bayes."""
    odds = prior * (1 - learnt) / ((1 - prior) * learnt)
    found: Float32 = (scores * odds / (scores * odds + (1 - scores))).astype(np.float32)
    return found
