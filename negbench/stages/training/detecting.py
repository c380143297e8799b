"""Detection of mismatched (query, positive) pairs during a training; flagged rows get weight 0."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from negbench.detectors import Detector
from negbench.encoders.encode import encode, frozen_copy
from negbench.encoders.precision import resolve
from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.part_checks import check_mask
from negbench.rng import CounterRNG
from negbench.training.data import Instances, marks
from negbench.training.hooks import Points, RefreshHook
from negbench.training.job import TrainingJob
from negbench.training.targets import Targets, VectorTargets
from negbench.types import Bool, Float32, Int32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FILE = "clean.npy"
"""File of the rows that counted as matched: bool [epochs, R]."""


class Detecting(RefreshHook):
    """Runs a detector on the pairs of an epoch just before it begins, and sets the weight of mismatched ones to 0.

    A phase of a method covers some of a training's epochs; ``epochs`` are those, in order. ``clean`` bool [E, R] marks
    rows that count as matched, True for epochs without detection; it is written to ``folder``.
    """

    def __init__(self, detector: Detector, job: TrainingJob, folder: Path) -> None:
        super().__init__([0, *job.epoch_ends[:-1]][detector.warm_up :])
        self.detector, self.folder = detector, folder
        self.data, self.collection, self.documents = job.data, job.collection, job.documents
        self.recipe, self.seed = job.recipe, job.seed
        self.epochs = [int(epoch[0][0]) // len(job.data.keys) for epoch in job.epochs if epoch]
        self.clean = np.ones((job.recipe.epochs, len(job.data.keys)), np.bool_)

    def __exit__(self, *_: object) -> None:
        """Write which rows counted as matched."""
        np.save(self.folder / FILE, self.clean, allow_pickle=False)

    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Run the detector on all rows of the next epoch."""
        began = time.perf_counter()
        epoch = self._epoch(number)
        perplexities = perplexity(self._scores(model, epoch), self.data, epoch, self.detector, self.seed)
        matched = self.detector.matched(perplexities, CounterRNG(self.seed, "detector", epoch))
        check_mask(self.detector, matched, perplexities.shape)
        self.clean[epoch] = matched
        self.cost["detection_seconds"] += time.perf_counter() - began  # type: ignore[assignment]

    def take(self, number: int) -> tuple[Instances, Points]:
        """Return the rows with their weights, and the share ``flagged`` as mismatched in the epoch."""
        return weighed(self.data, self.clean), {"flagged": float(1 - self.clean[self._epoch(number)].mean())}

    def _epoch(self, number: int) -> int:
        return self.epochs[self.detector.warm_up + number - 1]

    def _scores(self, model: SentenceTransformer, epoch: int) -> VectorTargets:
        """Return the encoder's scores of all pairs of the epoch's queries and positives."""
        rows = slice(epoch * len(self.data.keys), (epoch + 1) * len(self.data.keys))
        asked, read = np.unique(self.data.queries[rows]), np.unique(self.data.positives[rows])
        current, precision, limits = frozen_copy(model), resolve(self.recipe.precision), self.recipe.max_length
        texts = [self.collection.queries[row] for row in asked.tolist()]
        queries = encode(current, texts, "query", precision, limits.query)
        self.cost["queries_encoded"] += len(asked)
        if self.documents is not None:
            return VectorTargets(asked, queries, read, np.asarray(self.documents[read], np.float32))
        passages = self.collection.passages()
        documents = encode(current, [passages[row] for row in read.tolist()], "document", precision, limits.document)
        self.cost["documents_encoded"] += len(read)
        return VectorTargets(asked, queries, read, documents)


def perplexity(scores: Targets, data: Instances, epoch: int, detector: Detector, seed: int) -> Float32:
    """Return the perplexity [R] of each row of an ``epoch``: InfoNCE in random batches, without mined negatives.

    A document of several rows of a batch counts once.
    """
    import torch

    count = len(data.keys)
    unmined = replace(data, negatives=np.full((len(data.queries), 0), -1, np.int32))
    order = CounterRNG(seed, "perplexity", epoch).order(data.keys)
    perplexities = np.zeros(count, np.float32)
    for batch in np.array_split(order, -(-count // detector.batch)):
        rows = epoch * count + batch
        documents = np.unique(data.positives[rows])
        scored = scores.of(data.queries[rows], documents)
        of_pairs, positive_column, known_mask, mined_mask = map(
            torch.from_numpy, (scored, *marks(unmined, rows, documents))
        )
        seen = ScoredBatch(
            scores=of_pairs, positive_column=positive_column, known_mask=known_mask, mined_mask=mined_mask
        )
        perplexities[batch] = InfoNCE(temperature=detector.temperature).rows(seen).numpy()
    return perplexities


def weighed(data: Instances, clean: Bool) -> Instances:
    """Return the rows with weight 0 where they are not ``clean`` [E, R]."""
    return replace(data, weights=data.weights * clean.ravel())


def read_clean(folder: Path) -> Bool:
    """Read which rows counted as matched in a training: bool [epochs, R]."""
    return np.load(folder / FILE, allow_pickle=False)  # type: ignore[no-any-return]
