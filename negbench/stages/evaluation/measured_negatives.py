"""The stage that measures negatives by the encoder before training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.evaluation.contrastive_information import contrastive_information, mean
from negbench.evaluation.false_negatives.design import effective
from negbench.evaluation.geometry import unit
from negbench.retrieval.blocks import pair_scores
from negbench.stages.inputs import Embed, PathOf, read_collection, read_vectors
from negbench.stages.training.sequence import TrainingSequence
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class MeasureNegatives(Stage):
    """Contrastive information, mean cosine and effective number of documents of a sequence of trainings' negatives.

    All are over the negatives of all batches, weighted as in training. ``documents`` and ``queries`` are the vectors
    of the corpus and of the training queries by the encoder before training.
    """

    kind: ClassVar[str] = "measured-negatives"
    sequence: TrainingSequence
    documents: Embed
    queries: Embed

    def identity(self) -> dict[str, Any]:
        """Return what determines the negatives and their cosines: neither the loss nor the encoder that is trained."""
        content = {"inputs": [stage.key for stage in self.inputs], **self.sequence.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The vectors, and the stages that determine the negatives."""
        parts = (*self.sequence.deciding, self.documents, self.queries)
        return tuple({stage.key: stage for stage in parts}.values())

    @property
    def label(self) -> str:
        return "measure the contrastive information of negatives"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Replay the rows of each batch and measure; a measure without negatives is left out."""
        sequence = self.sequence
        collection = read_collection(path_of(sequence.collection))
        replay = sequence.replay(path_of, collection)
        rows, times = np.unique(np.concatenate(replay.batches), return_counts=True)
        weights = (times * replay.data.weights[rows]).astype(np.float64)
        documents = np.column_stack([replay.data.positives[rows], replay.data.negatives[rows]])
        used = np.unique(documents[documents >= 0])
        places = np.where(documents >= 0, np.searchsorted(used, documents), -1).astype(np.int32)
        asked = np.searchsorted(collection.split_queries(sequence.split), replay.data.queries[rows])
        vectors = unit(read_vectors(path_of(self.queries))), unit(read_vectors(path_of(self.documents))[used])
        cosines = pair_scores(vectors[0][asked], vectors[1], places)
        is_drawn = documents[:, 1:] >= 0
        of_pairs = np.broadcast_to(weights[:, None], is_drawn.shape)[is_drawn]
        values = {
            "eci": contrastive_information(cosines[:, 0], cosines[:, 1:], weights),
            "cosine": mean(cosines[:, 1:][is_drawn].astype(np.float64), of_pairs),
            "effective_documents": effective(np.bincount(places[:, 1:][is_drawn], of_pairs).astype(np.float64)),
        }
        told = {name: value for name, value in values.items() if of_pairs.sum() > 0}
        (out / "metrics.json").write_text(json.dumps(told, indent=1) + "\n")
        return {}
