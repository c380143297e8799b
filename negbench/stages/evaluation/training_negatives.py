"""The negatives of trainings over all rounds of refresh."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.draw import amounts
from negbench.stages.mining.negatives_stage import DerivedNegatives, LocatedNegatives, NegativesStage
from negbench.stages.refresh.rounds import Round, read_rounds
from negbench.stages.training.sequence import TrainingSequence
from negbench.stages.training.train import Train
from negbench.store import Stage, load_arrays, save_arrays
from negbench.types import CandidatePool, Negatives


@dataclass(frozen=True, eq=False)
class GatherNegatives(DerivedNegatives):
    """The negatives of all rounds and epochs of ``trainings`` side by side, in order.

    Evaluation reads it in place of a draw. Negatives of epochs that a round was not used in are left out: their
    documents are -1.
    """

    kind: ClassVar[str] = "handed"
    version: ClassVar[int] = 3
    trainings: tuple[Train, ...]

    @property
    def source(self) -> NegativesStage:
        """The first training's negatives."""
        negatives = self.trainings[0].negatives
        assert negatives is not None
        return negatives

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The first negatives of the trainings; also the trainings, where negatives are replaced."""
        stages: list[Stage] = [self.pool.collection]
        for training in self.trainings:
            assert training.negatives is not None
            stages += [training.negatives, training.negatives.pool]
            stages += [] if training.clusters is None else [training.clusters]
            stages += [training] if training.is_dynamic else []
        return tuple(stages)

    @property
    def label(self) -> str:
        return "collect the negatives of all refreshes"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Concatenate the negatives of all rounds, with their score gaps and the scores of the positives."""
        collection = read_collection(path_of(self.pool.collection))
        rounds: list[Round] = []
        for training in self.trainings:
            assert training.negatives is not None
            pool = load_arrays(CandidatePool, path_of(training.negatives.pool))
            of_training = [Round.of(load_arrays(Negatives, path_of(training.negatives)), pool)]
            of_training += read_rounds(path_of(training) / "rounds") if training.is_dynamic else []
            served = training.served(path_of, collection)
            for number, one in enumerate(of_training):
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

    def single_pool(self, path_of: PathOf) -> None:
        """Return None: each round has a pool of its own."""

    def located(self, path_of: PathOf) -> LocatedNegatives:
        """Read the negatives and their position in the pools that they were drawn from."""
        drawn = load_arrays(Negatives, path_of(self))
        gaps, positives = (
            np.load(path_of(self) / f"places/{it}.npy", allow_pickle=False) for it in ("gaps", "positives")
        )
        return LocatedNegatives(drawn, drawn.ranks, gaps, positives)


def negatives_of(sequence: TrainingSequence) -> NegativesStage | None:
    """Return the stage with all negatives of the trainings on labels; None where they have none."""
    drawing = tuple(training for training in sequence.on_labels if training.negatives is not None)
    if len(drawing) == 1 and not drawing[0].is_dynamic:
        return drawing[0].negatives
    return GatherNegatives(drawing) if drawing else None
