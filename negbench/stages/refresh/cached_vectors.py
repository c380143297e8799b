"""Refresh before each step: search for the queries of the next batch, over a cache of document vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from negbench.mining import filtered
from negbench.requirements import CacheTargets, find
from negbench.rng import CounterRNG
from negbench.samplers.gumbel import window
from negbench.stages.inputs import read_vectors
from negbench.stages.refresh.batch_search import BatchSearch
from negbench.training.data import Instances
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.training.targets import PairTargets
from negbench.types import CandidatePool, Float32, Float64, Int32, Negatives, Vectors

if TYPE_CHECKING:
    from torch import Tensor


class CachedVectorSearch(BatchSearch):
    """Per-batch search over cached vectors of documents that are trained (``refresh.cache.Cache`` documents ``size``).

    ``bank`` float32 [N, d] starts with the vectors that the pool was searched in. Documents outside the cache have NaN,
    and no search returns them. Where the loss requires ``CacheTargets``, the rows carry them for the batch that was
    searched for.
    """

    def prepare(self, job: TrainingJob) -> None:
        """Fill the cache, with ``size`` random documents where the refresh has a size."""
        super().prepare(job)
        size = getattr(self.refresh, "size", None)
        if size is not None:
            self.bank[CounterRNG(self.draw.seed, "cache").order(self.ground.document_keys)[size:]] = np.nan
        required = find(job.loss.requires, CacheTargets)
        self.temperature = None if required is None else required.temperature
        self.targets: PairTargets | None = None
        self._drawn: Int32 = np.zeros(0, np.int32)
        self._staleness = math.nan

    def fixed_vectors(self, job: TrainingJob) -> Mapping[str, Vectors]:
        """Return the cache by the key of the stage with its initial vectors."""
        assert self.draw.pool.documents is not None
        self.bank: Float32 = np.array(read_vectors(self.path_of(self.draw.pool.documents)), np.float32)
        return {self.draw.pool.documents.key: self.bank}

    def take(self, number: int) -> tuple[Instances, Points]:
        """Return rows with the new negatives and the targets that the loss requires, and a point for each curve."""
        data, points = super().take(number)
        return replace(data, targets={} if self.targets is None else {CacheTargets: self.targets}), points

    def observe(self, documents: Tensor, vectors: Tensor) -> None:
        """Replace the vectors of a batch's documents, where the cache holds them."""
        rows, new = documents.cpu().numpy(), vectors.cpu().numpy()
        old = self.bank[rows]
        held = ~np.isnan(old[:, 0])
        moved = ((old - new) ** 2).sum(axis=1) / (new**2).sum(axis=1)
        self.bank[rows[held]] = new[held]
        drawn = held & np.isin(rows, self._drawn)
        self._staleness = float(moved[drawn].mean()) if drawn.any() else math.nan

    def points(self, pool: CandidatePool, drawn: Negatives) -> Points:
        """Return ``cache_staleness`` of the documents drawn last; compute the targets that the loss requires."""
        self._drawn = np.unique(drawn.documents)
        if self.temperature is not None:
            total = self._total(pool, self.temperature)
            table = np.broadcast_to(total[:, None].astype(np.float32), drawn.documents.shape)
            self.targets = PairTargets.of_table(drawn.queries, drawn.documents, table)
        return {} if math.isnan(self._staleness) else {"cache_staleness": self._staleness}

    def _total(self, pool: CandidatePool, temperature: float) -> Float64:
        """Return [Q]: log sum of exp(s / ``temperature``) over the candidates open to the sampler; -inf for none."""
        rules = self.draw.rules
        among = window(filtered(pool, rules), rules.sampler.needed_depth or None)
        logits = np.where(among, pool.scores.astype(np.float64) / temperature, -np.inf)
        log_sums: Float64 = np.logaddexp.reduce(logits, axis=1, initial=-np.inf)
        return log_sums
