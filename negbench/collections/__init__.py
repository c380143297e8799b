"""Collections: load, check and split. One file a source; each source is a part of kind ``collection``."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.registry import Part
from negbench.types import Collection


class Source(Part):
    """A source that a collection is loaded from."""

    kind: ClassVar[str] = "collection"
    downloads: ClassVar[bool] = False
    """Whether loading may download the collection."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest or pinned revision of the source's content, quickly and without torch.

        Raises InputError if the source does not exist.
        """

    @abstractmethod
    def load(self) -> Collection:
        """Read and check the collection. Raises InputError with file and line for invalid data."""
