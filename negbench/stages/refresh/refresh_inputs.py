"""What replaces negatives during a training: the schedule, the draw, and where its inputs and its rounds are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from negbench.encoders.tokens import Limits
from negbench.refresh import Refresh
from negbench.stages.inputs import PathOf
from negbench.stages.mining.draw import DrawNegatives
from negbench.training.data import Instances
from negbench.training.job import TrainingJob
from negbench.types import Negatives, Vectors


@dataclass(frozen=True, kw_only=True)
class RefreshInputs:
    """A refresh of the negatives that ``draw`` drew before training.

    ``path_of`` gives the folder of what it reads. ``limits`` are the encoder's own limits of tokens, which training may
    lower. The negatives of each round are kept in ``folder``, by its number; ``rows`` makes training rows of them.
    """

    refresh: Refresh
    draw: DrawNegatives
    path_of: PathOf
    limits: Limits
    folder: Path
    rows: Callable[[Negatives], Instances]

    def fixed_vectors(self, job: TrainingJob) -> Mapping[str, Vectors]:
        """Return the documents' vectors [N, d] by the key of their stage, where documents are not trained."""
        assert self.draw.pool.documents is not None, "only a retriever that looks at vectors searches again"
        return {} if job.documents is None else {self.draw.pool.documents.key: job.documents}
