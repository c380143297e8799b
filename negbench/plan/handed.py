"""What trainings were handed in all their rounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.evaluation.where import places
from negbench.plan.answers import Answer
from negbench.plan.course import Course
from negbench.plan.draw import amounts
from negbench.plan.mining import BuildPool
from negbench.plan.refreshing import Round, read_rounds
from negbench.plan.repair import Negating
from negbench.plan.sources import At, read_collection
from negbench.plan.training import Train
from negbench.plan.writing import WriteNegatives
from negbench.samplers import Sampler
from negbench.store import Stage, load_arrays, save_arrays
from negbench.types import CandidatePool, Float64, Int32, Negatives


@dataclass(frozen=True, eq=False)
class GatherNegatives(Stage):
    """The negatives of all rounds and epochs of ``trainings`` side by side, in order.

    It stands where a draw would for whoever looks at what was trained with. What was drawn for an epoch that a round
    does not see is left out: its documents are -1.
    """

    kind: ClassVar[str] = "handed"
    version: ClassVar[int] = 3
    trainings: tuple[Train, ...]

    @property
    def draw(self) -> Negating:
        """The first draw."""
        drawn = self.trainings[0].negatives
        assert drawn is not None
        return drawn

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What the trainings began with; and themselves, where their pools are searched again."""
        found: list[Stage] = [self.pool.collection]
        for training in self.trainings:
            assert training.negatives is not None
            found += [training.negatives, training.negatives.pool]
            found += [] if training.clusters is None else [training.clusters]
            found += [] if training.redrawn is None else [training]
        return tuple(found)

    @property
    def pool(self) -> BuildPool:
        """The first draw's."""
        return self.draw.pool

    @property
    def sampler(self) -> Sampler:
        """The first draw's."""
        return self.draw.sampler

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The first draw's."""
        return self.draw.answers

    @property
    def written(self) -> WriteNegatives | None:
        """The first draw's."""
        return self.draw.written

    @property
    def label(self) -> str:
        """What it does."""
        return "gather the negatives of all rounds"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Put them side by side, with gaps and positives' scores beside each."""
        collection = read_collection(at(self.pool.collection))
        rounds: list[Round] = []
        for training in self.trainings:
            assert training.negatives is not None
            pool = load_arrays(CandidatePool, at(training.negatives.pool))
            mine = [Round.of(load_arrays(Negatives, at(training.negatives)), pool)]
            mine += [] if training.redrawn is None else read_rounds(at(training) / "rounds")
            served = training.served(at, collection)
            for number, one in enumerate(mine):
                epochs = {epoch for which, epoch in served if which == number}
                rounds.append(replace(one, negatives=one.negatives.only(epochs)))
        negatives = [one.negatives for one in rounds]
        tables = {
            name: np.concatenate([getattr(one, name) for one in negatives], axis=1)
            for name in ("documents", "origins", "ranks", "scores", "promoted")
        }
        sizes = np.stack([one.effective_size for one in negatives]).mean(axis=0)
        drawn = replace(negatives[0], effective_size=np.asarray(sizes, np.float32), epochs=1, **tables)
        save_arrays(drawn, out)
        (out / "places").mkdir()
        wide = [one.documents.shape[1] for one in negatives]
        positives = np.repeat(np.stack([one.positives for one in rounds], axis=1), wide, axis=1)
        np.save(out / "places/gaps.npy", np.concatenate([one.gaps for one in rounds], axis=1), allow_pickle=False)
        np.save(out / "places/positives.npy", positives, allow_pickle=False)
        return amounts(drawn)


Handing = Negating | GatherNegatives
"""What holds the negatives that a course of trainings was handed."""


def handing(course: Course) -> Handing | None:
    """Return what holds all negatives that are handed to trainings on labels; None where there are none."""
    drawing = tuple(training for training in course.on_labels if training.negatives is not None)
    if len(drawing) == 1 and drawing[0].redrawn is None:
        return drawing[0].negatives
    return GatherNegatives(drawing) if drawing else None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Negatives [Q, K] with their ``ranks`` and ``gaps`` [Q, K] as in ``evaluation.where.places``.

    ``positives`` [Q, K] is the score of the query's lowest positive in the pool that each was drawn from.
    """

    negatives: Negatives
    ranks: Int32
    gaps: Float64
    positives: Float64


def read_drawn(stage: Handing, at: At) -> Drawn:
    """Read the negatives and where they lie in the pools that they were drawn from."""
    drawn = load_arrays(Negatives, at(stage))
    if isinstance(stage, GatherNegatives):
        gaps, positives = (np.load(at(stage) / f"places/{it}.npy", allow_pickle=False) for it in ("gaps", "positives"))
        return Drawn(drawn, drawn.ranks, gaps, positives)
    pool = load_arrays(CandidatePool, at(stage.pool))
    ranks, gaps = places(drawn, pool, stage.pool.retriever.seeded)
    return Drawn(drawn, ranks, gaps, np.broadcast_to(pool.positive_score("lowest")[:, None], drawn.documents.shape))
