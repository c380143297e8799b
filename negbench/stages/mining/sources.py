"""The stage that draws a row's negatives from several pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.evaluation.breakdown import places
from negbench.mining import none_whole
from negbench.stages.inputs import PathOf
from negbench.stages.mining.draw import DrawNegatives, amounts
from negbench.stages.mining.negatives_stage import DerivedNegatives, LocatedNegatives
from negbench.store import Stage, load_arrays, save_arrays, save_notes
from negbench.types import BY_SLOT, Bool, CandidatePool, Float32, Int32, Negatives


@dataclass(frozen=True, eq=False)
class DrawFromSources(DerivedNegatives):
    """Negatives of several ``draws``, one a pool, side by side in each row: the first ones are the first draw's.

    Each draw filters and draws from its own pool, by its own scores and ranks. They take turns in order: what an
    earlier one gave a query in an epoch, random fill included, is out of the later ones' pools. With ``fill`` drop a
    query that one of them leaves short in an epoch has no negative.

    ``pool`` and ``features`` are those of the first draw. The draws themselves are not stored.
    """

    kind: ClassVar[str] = "source-negatives"
    draws: tuple[DrawNegatives, ...]

    @property
    def source(self) -> DrawNegatives:
        return self.draws[0]

    @property
    def by_pool(self) -> tuple[DrawNegatives, ...]:
        return self.draws

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The collection, and the inputs of the draws."""
        stages = (self.pool.collection, *(stage for draw in self.draws for stage in draw.inputs))
        return tuple({stage.key: stage for stage in stages}.values())

    @property
    def label(self) -> str:
        retrievers = ", ".join(draw.pool.retriever.name for draw in self.draws)
        return f"draw negatives from {retrievers} with {self.sampler.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        drawn: list[Negatives] = []
        notes: dict[str, None] = {}
        for draw in self.draws:
            candidates = draw.candidates(path_of)
            notes |= dict.fromkeys(draw.notes(candidates))
            drawn.append(draw.choose(candidates, path_of, before=drawn))
        epochs = [joined([one.of_epoch(epoch) for one in drawn]) for epoch in range(self.epochs)]
        if self.rules.fill == "drop":
            epochs = [_whole(epoch) for epoch in epochs]
        negatives = Negatives.side_by_side(epochs)
        if self.rules.fill == "drop" and (negatives.documents < 0).all():
            raise none_whole(negatives.width)
        save_arrays(negatives, out)
        save_notes(list(notes), out)
        return amounts(negatives)

    def single_pool(self, path_of: PathOf) -> None:
        """Return None: there are several."""

    def located(self, path_of: PathOf) -> LocatedNegatives:
        """Read the negatives and their position in the pool of their source."""
        drawn = load_arrays(Negatives, path_of(self))
        ranks, gaps = drawn.ranks.copy(), np.full(drawn.documents.shape, np.nan)
        positives = gaps.copy()
        sources = np.broadcast_to(self._sources(), drawn.documents.shape)
        for number, draw in enumerate(self.draws):
            columns = self._sources() == number
            pool = load_arrays(CandidatePool, path_of(draw.pool))
            ranks[:, columns], gaps[:, columns] = places(_columns(drawn, columns), pool, draw.pool.retriever.seeded)
            positives[:, columns] = pool.positive_score("lowest")[:, None]
        sources = np.where(drawn.origins == 0, sources, np.int32(len(self.draws)))
        return LocatedNegatives(drawn, ranks, gaps, positives, sources)

    def teacher_scores(self, path_of: PathOf, drawn: Negatives) -> Float32 | None:
        """Return the score [Q, K] of each negative by the teacher that scored its source's pool."""
        scores = np.full(drawn.documents.shape, np.nan, np.float32)
        for number, draw in enumerate(self.draws):
            columns = self._sources() == number
            of_source = draw.teacher_scores(path_of, _columns(drawn, columns))
            if of_source is None:
                return None
            scores[:, columns] = of_source
        return scores

    def _sources(self) -> Int32:
        """Return which draw each column of the negatives, those of all epochs, comes from."""
        in_row = np.repeat(np.arange(len(self.draws), dtype=np.int32), [draw.k for draw in self.draws])
        return np.tile(in_row, self.epochs)


def joined(draws: Sequence[Negatives]) -> Negatives:
    """Return the negatives of one epoch from several sources side by side; ``effective_size`` is their mean."""
    slots = {name: np.concatenate([getattr(draw, name) for draw in draws], axis=1) for name in BY_SLOT}
    sizes = np.stack([draw.effective_size for draw in draws]).mean(axis=0).astype(np.float32)
    return replace(draws[0], effective_size=sizes, epochs=1, **slots)


def _whole(drawn: Negatives) -> Negatives:
    """Return the negatives of an epoch without those of queries with an empty slot."""
    short = (drawn.documents < 0).any(axis=1, keepdims=True)
    return drawn.without(np.broadcast_to(short, drawn.documents.shape))


def _columns(drawn: Negatives, columns: Bool) -> Negatives:
    slots = {name: getattr(drawn, name)[:, columns] for name in BY_SLOT}
    return replace(drawn, epochs=1, **slots)
