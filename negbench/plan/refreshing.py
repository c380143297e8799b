"""Draw again with an encoder that is being trained, and keep what each round drew."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from negbench.encoders.tokens import Limits
from negbench.evaluation.geometry import unit
from negbench.evaluation.overlap import drawn_pairs, overlap, pairs
from negbench.evaluation.where import places
from negbench.plan.current import Current
from negbench.plan.draw import DrawNegatives
from negbench.plan.sources import At, read_collection, read_vectors
from negbench.store import load_arrays, save_arrays
from negbench.types import Bool, CandidatePool, Float64, Int32, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True)
class Round:
    """The negatives of a round and where they lie in its pool, which is not kept.

    ``gaps`` [Q, k] are as in ``evaluation.where.places``; ``positives`` [Q] are the scores of the queries' lowest
    positives; ``found`` [Q] tells whether a labelled positive was among the first ten ranks.
    """

    negatives: Negatives
    gaps: Float64
    positives: Float64
    found: Bool

    @classmethod
    def of(cls, negatives: Negatives, pool: CandidatePool) -> Round:
        """Return the negatives that were drawn from ``pool``."""
        return cls(negatives, places(negatives, pool, False)[1], pool.positive_score("lowest"), found_in(pool))


def found_in(pool: CandidatePool, ranks: int = 10) -> Bool:
    """Return [Q]: whether a labelled positive is among so many first ranks."""
    hits = pool.documents[:, :ranks, None] == pool.positives[:, None, :]
    found: Bool = (hits & (pool.positives >= 0)[:, None, :]).any(axis=(1, 2))
    return found


def save_round(found: Round, folder: Path) -> None:
    """Write a round into ``folder``, which is made."""
    (folder / "negatives").mkdir(parents=True)
    save_arrays(found.negatives, folder / "negatives")
    for name in BESIDE:
        np.save(folder / f"{name}.npy", getattr(found, name), allow_pickle=False)


def read_rounds(folder: Path) -> list[Round]:
    """Read the rounds that lie in ``folder`` as ``1``, ``2``, ...; none where there is no such folder."""
    found: list[Round] = []
    while (mine := folder / str(len(found) + 1)).is_dir():
        beside = {name: np.load(mine / f"{name}.npy", allow_pickle=False) for name in BESIDE}
        found.append(Round(load_arrays(Negatives, mine / "negatives"), **beside))
    return found


BESIDE = ("gaps", "positives", "found")
"""What is kept of a round beside its negatives."""


class Refresher:
    """Searches, filters and draws as ``draw`` does, by the encoder as it stands; what ``training.loop.Renewal`` calls.

    ``limit`` is the encoder's own limit of tokens; ``folder`` gets each round; ``rows`` makes training rows of
    negatives; ``given`` are vectors that do not move, as in ``Current``. ``cost`` adds up what was encoded, and the
    seconds.
    """

    def __init__(
        self,
        draw: DrawNegatives,
        at: At,
        limit: Limits,
        folder: Path,
        given: Mapping[str, Vectors] | None = None,
    ) -> None:
        assert draw.pool.queries is not None
        self.given = given
        self.draw, self.at, self.limit, self.folder = draw, at, limit, folder
        self.cost: Counter[str] = Counter()
        self._in_use = load_arrays(Negatives, at(draw))
        self._queries: Vectors = read_vectors(at(draw.pool.queries))
        self._found = found_in(load_arrays(CandidatePool, at(draw.pool)))

    def __call__(
        self, model: SentenceTransformer, number: int, upcoming: Int32 | None = None
    ) -> tuple[Negatives, dict[str, float]]:
        """Return the negatives of refresh ``number``, whatever is ``upcoming``, and how far the old ones were behind.

        Of draws for several epochs, the first stands for all. ``refresh_redrawn`` is the share of the negatives
        in use that the new draw holds again, ``refresh_in_top`` the share that is among the candidates which
        the encoder finds now (ANCE's measure), fills apart; ``refresh_staleness`` the mean of 1 - cosine
        between a query's vectors at the last search and now. And how far training has come: ``refresh_found``,
        the share of training queries with a labelled positive in the first ten ranks, and
        ``refresh_forgotten``, the share of those so found at the last search that are so no longer.
        """
        began = time.perf_counter()
        current = Current(model, self.limit, read_collection(self.at(self.draw.pool.collection)), self.given)
        pool = self.draw.candidates_now(current, self.at)
        drawn = self.draw.choose(pool, self.at, number)
        made = Round.of(drawn, pool)
        save_round(made, self.folder / str(number))
        assert self.draw.pool.queries is not None
        queries = current.vectors(self.draw.pool.queries)
        old = drawn_pairs(self._in_use.of_epoch(0))
        points = {
            "refresh_redrawn": overlap(old, drawn_pairs(drawn.of_epoch(0)))[0],
            "refresh_in_top": overlap(old, pairs(pool.queries, pool.documents))[0],
            "refresh_staleness": float((1 - (unit(self._queries) * unit(queries)).sum(axis=1)).mean()),
            "refresh_found": float(made.found.mean()),
            "refresh_forgotten": float((~made.found[self._found]).mean()) if self._found.any() else math.nan,
        }
        self._in_use, self._queries, self._found = drawn, queries, made.found
        self.cost.update(current.cost)
        self.cost["refreshes"] += 1
        self.cost["refresh_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        return drawn, {name: value for name, value in points.items() if math.isfinite(value)}


class Redrawer:
    """Draws as ``draw`` does from the candidates that the starting encoder found: the control of a ``Refresher``.

    ``folder`` gets each round. ``cost`` counts rounds and seconds.
    """

    def __init__(self, draw: DrawNegatives, at: At, folder: Path) -> None:
        self.draw, self.at, self.folder = draw, at, folder
        self.cost: Counter[str] = Counter()
        self._pool = draw.candidates(at)
        self._in_use = load_arrays(Negatives, at(draw))

    def __call__(
        self, model: SentenceTransformer, number: int, upcoming: Int32 | None = None
    ) -> tuple[Negatives, dict[str, float]]:
        """Return the negatives of round ``number``, and ``refresh_redrawn`` as a ``Refresher`` gives it."""
        began = time.perf_counter()
        drawn = self.draw.choose(self._pool, self.at, number)
        save_round(Round.of(drawn, self._pool), self.folder / str(number))
        again, _ = overlap(drawn_pairs(self._in_use.of_epoch(0)), drawn_pairs(drawn.of_epoch(0)))
        self._in_use = drawn
        self.cost["redraws"] += 1
        self.cost["refresh_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        return drawn, {"refresh_redrawn": again} if math.isfinite(again) else {}
