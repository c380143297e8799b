"""Hooks between optimizer steps of a training: evaluation on dev, and replacement of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from negbench.training.data import Instances
from negbench.types import Int32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

Points = dict[str, float]
"""A point of each of several curves, by the curve's name."""

Curves = dict[str, list[tuple[int, float]]]
"""Points by the curve's name: (optimizer steps done, value)."""


@dataclass(frozen=True)
class DevEvaluation:
    """Evaluation during a training: the curve's name, its number of points, and the measure of a model.

    The first point is before step 1, the last after the last step.
    """

    name: str
    points: int
    measure: Callable[[SentenceTransformer], float]


class RefreshHook(ABC):
    """Replaces training rows between optimizer steps, and nothing else.

    Replacement n, from 1 on, is used from ``steps[n - 1]`` on and requested ``lag`` steps before. The hook is
    entered before training and left after it, whether or not training succeeds. With several processes only the first
    has one, and the others read the rows that it takes.
    """

    steps: Sequence[int]
    """Steps after which rows are replaced, ascending; 0 means before step 1."""
    lag: int = 0
    """Steps between the request for rows and their use."""

    def __init__(self, steps: Sequence[int]) -> None:
        self.steps = steps
        self.cost: Counter[str] = Counter()
        """Seconds, and texts encoded so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @abstractmethod
    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Start to compute the rows of a number with ``model`` as it stands; ``upcoming`` are the next batch's queries.

        Neither the model nor any random state may change.
        """

    @abstractmethod
    def take(self, number: int) -> tuple[Instances, Points]:
        """Return new rows for all, with the same queries in the same order, and a point for each curve."""

    def observe(self, documents: Tensor, vectors: Tensor) -> None:
        """See the documents of a batch, rows int32 [D], and their vectors float32 [D, d] as its step has them."""
        return
