"""Search for the queries of one batch at a time, among vectors of documents as they were last seen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from negbench.encoders.tokens import Limits
from negbench.mining import filtered
from negbench.noise import Noise
from negbench.plan.draw import DrawNegatives
from negbench.plan.live import LiveSearch
from negbench.plan.sources import At, read_vectors
from negbench.samplers.gumbel import window
from negbench.training.targets import PairTargets
from negbench.types import CandidatePool, Float32, Float64, Int32, Negatives


class BankSearch(LiveSearch):
    """As ``LiveSearch``, over documents that are trained (``refresh.cache.Cache``, which says what ``size`` is).

    ``bank`` float32 [N, d] begins with the vectors of the draw's own pool. It has NaN for documents that it does not
    hold, whose scores no search keeps. ``targets`` answer ``asks.CacheTargets`` for the last batch that was searched
    for, where ``temperature`` is given.
    """

    def __init__(
        self, draw: DrawNegatives, at: At, limit: Limits, folder: Path, size: int | None, temperature: float | None
    ) -> None:
        assert draw.pool.documents is not None
        self.bank: Float32 = np.array(read_vectors(at(draw.pool.documents)), np.float32)
        super().__init__(draw, at, limit, folder, {draw.pool.documents.key: self.bank})
        if size is not None:
            self.bank[Noise(draw.seed, "cache").order(self.ground.document_keys)[size:]] = np.nan
        self.temperature = temperature
        self.targets: PairTargets | None = None
        self._drawn: Int32 = np.zeros(0, np.int32)
        self._staleness = math.nan

    def seen(self, rows: Int32, vectors: Float32) -> None:
        """Put ``vectors`` [D, d] of the documents ``rows`` [D] in the place of the old, where the bank holds them."""
        old = self.bank[rows]
        held = ~np.isnan(old[:, 0])
        moved = ((old - vectors) ** 2).sum(axis=1) / (vectors**2).sum(axis=1)
        self.bank[rows[held]] = vectors[held]
        drawn = held & np.isin(rows, self._drawn)
        self._staleness = float(moved[drawn].mean()) if drawn.any() else math.nan

    def points(self, pool: CandidatePool, drawn: Negatives) -> dict[str, float]:
        """Return how stale the last draws were, when they were read."""
        self._drawn = np.unique(drawn.documents)
        if self.temperature is not None:
            total = self._total(pool, self.temperature)
            table = np.broadcast_to(total[:, None].astype(np.float32), drawn.documents.shape)
            self.targets = PairTargets.of_table(drawn.queries, drawn.documents, table)
        return {} if math.isnan(self._staleness) else {"cache_staleness": self._staleness}

    def _total(self, pool: CandidatePool, temperature: float) -> Float64:
        """Return [Q]: log sum of exp(s / ``temperature``) over what the sampler draws among; -inf over nothing."""
        rules = self.draw.rules
        among = window(filtered(pool, rules), rules.sampler.needed_depth or None)
        logits = np.where(among, pool.scores.astype(np.float64) / temperature, -np.inf)
        found: Float64 = np.logaddexp.reduce(logits, axis=1, initial=-np.inf)
        return found
