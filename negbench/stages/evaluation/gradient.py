"""The stage that measures the share of a training's gradient on false negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.evaluation.gradient import Batch, on_false_negatives
from negbench.evaluation.shares import Share
from negbench.losses import ScoredBatch
from negbench.requirements import PairTarget
from negbench.stages.evaluation import breakdown_files
from negbench.stages.inputs import Embed, PathOf, read_collection, read_vectors
from negbench.stages.mining.repair import truth_of
from negbench.stages.training.train import Train
from negbench.store import Stage
from negbench.training.data import Instances, marks, target_scores
from negbench.types import Int32, Int64, Vectors


@dataclass(frozen=True, eq=False)
class WeighFalseNegatives(Stage):
    """Share of the loss gradient on false negatives, over the batches of a training with stored vectors.

    ``start`` and ``trained`` are vectors of the documents and of the training queries, by the encoder before and after
    the training, without dropout; states between the two are not replayed. The encoder's own scores replace targets
    that training itself provides, those of an average of the encoder.
    """

    kind: ClassVar[str] = "gradient"
    version: ClassVar[int] = 2
    training: Train
    start: tuple[Embed, Embed]
    trained: tuple[Embed, Embed]

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The vectors, and the stages that determine the rows of each batch."""
        training = self.training
        rows = (training.collection, training.negatives, training.clusters, *training.targets)
        return (training, *self.start, *self.trained, *[stage for stage in rows if stage is not None])

    @property
    def label(self) -> str:
        return "measure the loss gradient on false negatives"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Replay all batches by both encoders. Raises InputError for a collection without truth."""
        training = self.training
        collection = read_collection(path_of(training.collection))
        truth = truth_of(collection, training.split, "gradient")
        data, batches = training.replay(path_of, collection)
        data = training.told(path_of, data)
        asked = collection.split_queries(training.split)
        live = [type(requirement) for requirement in training.loss.requires if requirement.in_training]
        by_name: dict[str, Share] = {}
        for name, (documents, queries) in (("start", self.start), ("trained", self.trained)):
            vectors = read_vectors(path_of(documents)), read_vectors(path_of(queries))
            seen = (scored(data, batch, asked, *vectors, live) for batch in batches)
            shares = on_false_negatives(training.loss, seen, truth)
            by_name |= {f"{kind}, {name}": share for kind, share in shares.items()}
        breakdown_files.write({"gradient": by_name}, out)
        return {}


def scored(
    data: Instances,
    rows: Int64,
    asked: Int32,
    documents: Vectors,
    queries: Vectors,
    live: Sequence[type[PairTarget]] = (),
) -> Batch:
    """Return a batch of ``rows`` [B] as training scores it, by stored vectors.

    ``queries`` [Q, d] belong to ``asked`` [Q], ascending query rows, ``documents`` [N, d] to the corpus. The
    encoder's own scores replace targets of the classes ``live``.
    """
    import torch

    row_queries = data.queries[rows]
    used = data.documents(rows)
    left = np.asarray(queries[np.searchsorted(asked, row_queries)], np.float32)
    read = np.asarray(documents[used], np.float32)
    positive_column, known_mask, mined_mask = map(torch.from_numpy, marks(data, rows, used))
    targets = {**target_scores(data, rows, used), **dict.fromkeys(live, left @ read.T)}
    batch = ScoredBatch.of_vectors(
        torch.from_numpy(left),
        torch.from_numpy(read),
        cosine=True,  # has a say in shortened vectors alone, whose scores are not the batch's
        positive_column=positive_column,
        known_mask=known_mask,
        mined_mask=mined_mask,
        targets={kind: torch.from_numpy(it) for kind, it in targets.items()},
    )
    return Batch(row_queries, used, batch, torch.from_numpy(data.weights[rows]))
