"""The base of the hooks that replace negatives during a training."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from negbench.encoders.tokens import Limits
from negbench.refresh import Refresh
from negbench.stages.inputs import PathOf
from negbench.stages.mining.draw import DrawNegatives
from negbench.store import load_arrays
from negbench.training.data import Instances
from negbench.training.hooks import Points, RefreshHook
from negbench.training.job import TrainingJob
from negbench.types import Int32, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class NegativesHook(RefreshHook):
    """Replaces the negatives that ``draw`` drew before training, and keeps those of each round in ``folder``.

    ``limits`` are the encoder's own limits of tokens, which training may lower. ``rows`` makes training rows of
    negatives.
    """

    def __init__(
        self,
        *,
        refresh: Refresh,
        draw: DrawNegatives,
        path_of: PathOf,
        limits: Limits,
        folder: Path,
        rows: Callable[[Negatives], Instances],
        job: TrainingJob,
    ) -> None:
        super().__init__(refresh.refresh_steps(job.epoch_ends))
        self.refresh, self.draw, self.path_of = refresh, draw, path_of
        self.limits, self.folder, self.rows = limits, folder, rows
        self.in_use = load_arrays(Negatives, path_of(draw))
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
        return self.rows(negatives), points

    def fixed_vectors(self, job: TrainingJob) -> Mapping[str, Vectors]:
        """Return the documents' vectors by the key of their stage, where documents are not trained."""
        assert self.draw.pool.documents is not None, "only a retriever that looks at vectors searches again"
        return {} if job.documents is None else {self.draw.pool.documents.key: job.documents}
