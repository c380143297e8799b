"""Collections: load, check and split. One file a source; each source is a part of kind ``collection``."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.parts import Part
from negbench.types import Collection


class Source(Part):
    """Where a collection comes from."""

    kind: ClassVar[str] = "collection"

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest or pinned revision of the bytes behind the source; cheap, and without torch.

        Raises InputError where the source does not exist.
        """

    @abstractmethod
    def load(self) -> Collection:
        """Read and check the collection. Raises InputError with file and line for what is broken."""
