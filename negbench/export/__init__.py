"""Formats of mined negatives that training libraries load: one file a format."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from negbench.export.mined_rows import MinedRows
from negbench.registry import Part
from negbench.types import Collection

FOLDER = ""
"""The suffix that stands for a folder."""


class Format(Part):
    """A way to write mined negatives."""

    kind: ClassVar[str] = "format"
    suffixes: ClassVar[tuple[str, ...]] = (FOLDER,)
    """What the path may end in: suffixes of a file, or ``FOLDER``."""
    loaded_by: ClassVar[str]
    """The libraries that load it."""
    row: ClassVar[str]
    """What a row or line is, for a reader of the files."""

    def check(self, collection: Collection) -> None:
        """Raise InputError where the ids of a collection have no place in the format; called before anything is mined.

        A format that takes all ids has nothing to check.
        """

    @abstractmethod
    def write(self, rows: MinedRows, out: Path) -> list[str]:
        """Write ``rows`` to ``out``, which does not exist; return sentences on what is left out, each with its count.

        Raises InputError where the rows do not fit the format.
        """
