"""sentence-transformers' trainer, made to train on rows by their numbers, in batches that are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler

from negbench.types import Int64

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor

    from negbench.training.data import Collator


class RowTrainer(SentenceTransformerTrainer):
    """A trainer that takes its batches [epochs][steps] of row numbers as they are, and puts them together late.

    It writes no model card, whose examples take seconds a trial.
    """

    def __init__(self, collator: Collator, batches: Sequence[Sequence[Int64]], **named: Any) -> None:
        self.collator = collator
        self.batches = batches
        super().__init__(data_collator=RowsAlone(), **named)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none."""

    def get_batch_sampler(self, dataset: Dataset, *rest: Any, **named: Any) -> Batches:
        """Return the batches."""
        return Batches(self.batches, dataset, *rest, **named)

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Tensor:
        """Look the rows up only now: the dataloader reads ahead, across the step after which they change."""
        found: Tensor = super().training_step(model, self.collator(inputs["features"]), *rest, **named)
        return found


class Batches(DefaultBatchSampler):
    """Batches that are given, epoch by epoch."""

    def __init__(self, batches: Sequence[Sequence[Int64]], *rest: Any, **named: Any) -> None:
        super().__init__(*rest, **named)
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches[self.epoch]:
            yield batch.tolist()

    def __len__(self) -> int:
        return len(self.batches[0])


class RowsAlone:
    """Hands on which rows a batch holds."""

    valid_label_columns: tuple[str, ...] = ()

    def __call__(self, features: list[dict[str, int]]) -> dict[str, Any]:
        """Return them as they are."""
        return {"features": features}
