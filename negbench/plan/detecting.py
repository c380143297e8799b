"""Weigh training rows by whether their pairs look matched to the encoder that is being trained."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from negbench.detectors import Detector
from negbench.encoders.encode import encode, still
from negbench.encoders.precision import resolve
from negbench.losses import Scored
from negbench.losses.infonce import InfoNCE
from negbench.noise import Noise
from negbench.training.data import Instances, marks
from negbench.training.recipe import Recipe
from negbench.training.targets import Targets, VectorTargets
from negbench.types import Bool, Collection, Float32, Int32, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FILE = "clean.npy"
"""Where a training keeps which rows counted as matched: bool [epochs, R]."""


class Detecting:
    """Looks at the pairs of an epoch just before it begins; what ``training.loop.Renewal`` calls, and once before all.

    ``data`` are the rows of all epochs, ``epochs`` those that a training goes through, in order: a stage of a method
    goes through some. ``documents`` [N, d] are there where they are not trained. ``clean`` bool [E, R] is what was
    found so far, True where nobody has looked. ``cost`` adds up what was encoded, and the seconds.
    """

    def __init__(
        self,
        detector: Detector,
        data: Instances,
        epochs: Sequence[int],
        collection: Collection,
        recipe: Recipe,
        seed: int,
        documents: Vectors | None = None,
    ) -> None:
        self.detector, self.data, self.epochs = detector, data, epochs
        self.collection, self.recipe, self.seed, self.documents = collection, recipe, seed, documents
        self.clean = np.ones((recipe.epochs, len(data.keys)), np.bool_)
        self.cost: Counter[str] = Counter()

    def ask(self, model: SentenceTransformer, number: int, upcoming: Int32 | None = None) -> None:
        """Look at all rows of the epoch that comes after ``number`` epochs, whatever is ``upcoming``."""
        if number < self.detector.warm_up:
            return
        began = time.perf_counter()
        epoch = self.epochs[number]
        found = perplexity(self._scores(model, epoch), self.data, epoch, self.detector, self.seed)
        self.clean[epoch] = self.detector.clean(found, Noise(self.seed, "detector", epoch))
        self.cost["detection_seconds"] += time.perf_counter() - began  # type: ignore[assignment]

    def take(self, number: int) -> tuple[Instances, dict[str, float]]:
        """Return the rows with their weights, and what share of that epoch's is ``flagged`` as mismatched."""
        if number < self.detector.warm_up:
            return self.data, {}
        return weighed(self.data, self.clean), {"flagged": float(1 - self.clean[self.epochs[number]].mean())}

    def _scores(self, model: SentenceTransformer, epoch: int) -> VectorTargets:
        """Return the encoder's scores of all pairs of the epoch's queries and positives."""
        rows = slice(epoch * len(self.data.keys), (epoch + 1) * len(self.data.keys))
        asked, read = np.unique(self.data.queries[rows]), np.unique(self.data.positives[rows])
        current, how = still(model), (resolve(self.recipe.precision), self.recipe.max_length)
        queries = encode(current, [self.collection.queries[row] for row in asked.tolist()], "query", *how)
        self.cost["queries_encoded"] += len(asked)
        if self.documents is not None:
            return VectorTargets(asked, queries, read, np.asarray(self.documents[read], np.float32))
        passages = self.collection.passages()
        documents = encode(current, [passages[row] for row in read.tolist()], "document", *how)
        self.cost["documents_encoded"] += len(read)
        return VectorTargets(asked, queries, read, documents)


def perplexity(scores: Targets, data: Instances, epoch: int, detector: Detector, seed: int) -> Float32:
    """Return the perplexity [R] of each row of an ``epoch``: InfoNCE among rows drawn at random, nothing being mined.

    A document of several of them counts once.
    """
    import torch

    count = len(data.keys)
    unmined = replace(data, negatives=np.full((len(data.queries), 0), -1, np.int32))
    order = Noise(seed, "perplexity", epoch).order(data.keys)
    found = np.zeros(count, np.float32)
    for batch in np.array_split(order, -(-count // detector.batch)):
        rows = epoch * count + batch
        documents = np.unique(data.positives[rows])
        of_pairs = scores.of(data.queries[rows], documents)
        seen = Scored(*map(torch.from_numpy, (of_pairs, *marks(unmined, rows, documents))))
        found[batch] = InfoNCE(temperature=detector.temperature).rows(seen).numpy()
    return found


def weighed(data: Instances, clean: Bool) -> Instances:
    """Return the rows with no weight where they are not ``clean`` [E, R]."""
    return replace(data, weights=data.weights * clean.ravel())


def read_clean(folder: Path) -> Bool:
    """Read what a training has found."""
    return np.load(folder / FILE, allow_pickle=False)  # type: ignore[no-any-return]
