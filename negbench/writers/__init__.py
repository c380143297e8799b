"""Writers: make up negatives that stand in no corpus. One file a writer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.registry import Part


class NegativeGenerator(Part):
    """A way to write hard negatives for a query."""

    kind: ClassVar[str] = "writer"

    each: int = Field(
        default=1,
        ge=1,
        le=20,
        description="Negatives written per query; each takes the place of one of its mined negatives.",
    )

    def check_usable(self) -> None:
        """Raise InputError where the writer cannot be loaded or reached; called once before the first stage of a run.

        A writer without weights and keys has nothing to check.
        """

    @abstractmethod
    def write(self, asked: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Return up to ``each`` texts for each (query, positive), fewer where writing fails."""
