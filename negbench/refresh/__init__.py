"""Refresh: when negatives are drawn again while an encoder trains, and from which candidates. One file a choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

from negbench.errors import PartError
from negbench.registry import Part

Mode = Literal["none", "full", "per-batch", "cached-vectors", "redraw", "when-easy"]


class Refresh(Part):
    """The optimizer steps after which negatives are replaced, and where the new ones come from.

    A new one says both in a file of its own and nothing else: ``refresh_steps`` and, unless all queries are searched
    for again, ``mode``.
    """

    kind: ClassVar[str] = "refresh"
    mode: ClassVar[Mode] = "full"
    """Where new negatives come from.

    ``none``: there are none. ``full``: the encoder as it stands searches for all queries. ``per-batch``: it searches
    for the next batch's queries, over document vectors that are not trained. ``cached-vectors``: the same over
    document vectors as they were last seen in training, of ``size`` documents, if the part has such a field.
    ``redraw``: another draw from the first candidates. ``when-easy``: the same for queries whose negatives have become
    easy.
    """

    before_first_step: ClassVar[bool] = False
    """Whether negatives are replaced before the first step too, so that nobody trains on the first ones."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        if cls.mode not in get_args(Mode):
            raise TypeError(f"refresh {cls.name}: mode {cls.mode!r} is none of {', '.join(get_args(Mode))}")
        super().__pydantic_init_subclass__(**kwargs)

    @property
    def is_dynamic(self) -> bool:
        """Whether negatives are ever replaced."""
        return self.mode != "none"

    @property
    def searches(self) -> bool:
        """Whether candidates are searched for again."""
        return self.mode in ("full", "per-batch", "cached-vectors")

    @property
    def per_batch(self) -> bool:
        """Whether negatives are replaced for the next batch's queries alone, rather than for all."""
        return self.mode in ("per-batch", "cached-vectors")

    @property
    def search_lag(self) -> int:
        """Steps between a full search and the use of its negatives; above 0 a worker process searches meanwhile."""
        return 0

    def checked_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return ``refresh_steps``. Raises PartError where they are not what it must return.

        What was handed out at which step is worked out from them again after the training, so that steps out of order
        would give a rate of other negatives.
        """
        steps = [int(step) for step in self.refresh_steps(epoch_ends)]
        if steps != sorted(set(steps)):
            raise PartError(self, f"returned the steps {_some(steps)}; expected each once, ascending")
        first, end = self.search_lag + (not self.before_first_step), epoch_ends[-1]
        if steps and not first <= steps[0] <= steps[-1] < end:
            raise PartError(self, f"returned the steps {_some(steps)}; expected steps from {first} to {end - 1}")
        return steps

    @abstractmethod
    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return the steps after which negatives are replaced, ascending, before the last; 0 means before step 1.

        ``epoch_ends`` holds the number of steps that are done at the end of each epoch.
        """


def _some(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps[:8])) + (", ..." if len(steps) > 8 else "")
