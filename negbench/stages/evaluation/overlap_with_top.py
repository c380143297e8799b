"""The stage that looks up negatives among the trained encoder's top ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.retrieval.dense import exact
from negbench.stages.inputs import Embed, PathOf, read_collection, read_vectors
from negbench.stages.training.sequence import TrainingSequence
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class OverlapWithTop(Stage):
    """Share of the last epoch's negatives that an encoder ranks among its top ``depth`` unlabelled documents.

    Xiong et al. (arXiv 2007.00808) ask so whether the negatives of training are those that the trained encoder has to
    tell apart. ``documents`` and ``queries`` are the vectors of the corpus and of the training queries by that encoder.
    Negatives are weighted as in training.
    """

    kind: ClassVar[str] = "overlap-with-top"
    sequence: TrainingSequence
    documents: Embed
    queries: Embed
    depth: int

    def identity(self) -> dict[str, Any]:
        """Return what determines the negatives and the ranking."""
        content = {"inputs": [stage.key for stage in self.inputs], "depth": self.depth, **self.sequence.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The vectors, and the stages that determine the negatives."""
        parts = (*self.sequence.deciding, self.documents, self.queries)
        return tuple({stage.key: stage for stage in parts}.values())

    @property
    def label(self) -> str:
        return f"look up the negatives among the top {self.depth}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Write ``clusters.npy`` [2, Q]: by training query, the weight of the negatives that are found, and of all."""
        sequence = self.sequence
        collection = read_collection(path_of(sequence.collection))
        replay = sequence.replay(path_of, collection)
        rows, times = np.unique(np.concatenate(replay.batches), return_counts=True)
        is_last = replay.epochs[rows] == replay.epochs[rows].max()
        rows, times = rows[is_last], times[is_last]
        asked = collection.split_queries(sequence.split)
        labels = collection.qrels[sequence.split].at_least(1)
        most = int(np.bincount(labels.queries).max(initial=0))
        ranked, _ = exact(read_vectors(path_of(self.queries)), read_vectors(path_of(self.documents)), self.depth + most)
        is_other = (ranked >= 0) & ~labels.contains(asked[:, None], ranked)
        is_top = is_other & (is_other.cumsum(axis=1) <= self.depth)
        of_query = np.searchsorted(asked, replay.data.queries[rows])
        top = (np.arange(len(asked))[:, None] << 32) + ranked
        negatives = replay.data.negatives[rows]
        found = np.isin((of_query[:, None] << 32) + negatives, top[is_top])
        weights = np.where(negatives >= 0, (times * replay.data.weights[rows])[:, None], 0.0)
        sums = [np.bincount(of_query, (weights * it).sum(axis=1), len(asked)) for it in (found, np.ones_like(found))]
        np.save(out / "clusters.npy", np.stack(sums), allow_pickle=False)
        return {}
