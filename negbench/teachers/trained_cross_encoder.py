"""A cross-encoder trained on the collection's own training split, cross-fitted by query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.teachers.cross_encoder import load, predict
from negbench.teachers.trained import Fit, LabelledPairs, Recipe, TrainedTeacher
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import nn


class TrainedCrossEncoder(TrainedTeacher):
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

    epochs: int = Field(default=1, ge=1, le=1000, description="Passes over the training pairs.")
    batch_size: int = Field(default=32, ge=1, description="Training pairs per step.")
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate of AdamW.")
    max_length: int = Field(default=256, ge=8, description="Tokens of query and document together.")
    keep_layers: int | None = Field(
        default=None, ge=1, description="Number of transformer layers to keep, from the bottom; null for all."
    )

    def check_usable(self) -> None:
        import torch

        with torch.random.fork_rng():  # a new head is drawn
            self.start()

    def start(self) -> CrossEncoder:
        """Return the model before training; a new head is drawn from torch's random state."""
        return load(weights.locate(self.model), self.max_length, self.keep_layers, new_head=True)

    def recipe(self, epochs: int) -> Recipe:
        """Return how it is trained for ``epochs``."""
        return Recipe(epochs=epochs, batch_size=self.batch_size, learning_rate=self.learning_rate)

    def learn(self, data: LabelledPairs, fit: Fit, precision: Precision, out: Path) -> dict[str, float]:
        """Train the cross-encoder and save it."""
        model = self.start()
        rows = self.columns(data.pairs, data.queries, data.passages)
        read = len(next(iter(rows.values()))) * self.reads
        fit(model, rows, self.loss(model, precision), self.recipe(self.epochs), read)
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
        return self.at_prior(predict(load(folder, self.max_length), pairs, precision))
