"""The base of the hooks that replace negatives during a training."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.store import load_arrays
from negbench.training.data import Instances
from negbench.training.hooks import Points, RefreshHook
from negbench.training.job import TrainingJob
from negbench.types import Int32, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class NegativesHook(RefreshHook):
    """Replaces negatives in the process that trains, and keeps those of each round."""

    def __init__(self, inputs: RefreshInputs, job: TrainingJob) -> None:
        super().__init__(inputs.refresh.checked_steps(job.epoch_ends))
        self.inputs = inputs
        self.refresh, self.draw, self.path_of = inputs.refresh, inputs.draw, inputs.path_of
        self.limits, self.folder = inputs.limits, inputs.folder
        self.in_use = load_arrays(Negatives, inputs.path_of(inputs.draw))
        self.ready: dict[int, tuple[Negatives, Points]] = {}
        """Negatives and curve points that were requested and not yet taken, by number."""
        self.prepare(job)

    @abstractmethod
    def prepare(self, job: TrainingJob) -> None:
        """Read the inputs of the first request. ``job`` is large and is not kept."""

    @abstractmethod
    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of all queries from a number on, and a point for each curve."""

    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Compute the negatives now; training waits."""
        began = time.perf_counter()
        self.ready[number] = self.replacement(model, number, upcoming)
        self.cost["refresh_seconds"] += time.perf_counter() - began  # type: ignore[assignment]

    def take(self, number: int) -> tuple[Instances, Points]:
        """Return rows with the negatives of ``number``, and a point for each curve."""
        negatives, points = self.ready.pop(number)
        return self.inputs.rows(negatives), points

    def fixed_vectors(self, job: TrainingJob) -> Mapping[str, Vectors]:
        """Return vectors of documents [N, d] that are not encoded again, by the key of their stage."""
        return self.inputs.fixed_vectors(job)
