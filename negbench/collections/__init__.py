"""Collections: load, check and split. One file a source; each source is a part of kind ``collection``."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from negbench.registry import Part
from negbench.types import Collection

PATH_KEYS = ("path", "corpus", "queries", "id")
"""Parameters that may name a file or folder."""


class Source(Part):
    """A source that a collection is loaded from."""

    kind: ClassVar[str] = "collection"
    downloads: ClassVar[bool] = False
    """Whether loading may download the collection."""
    carves: ClassVar[bool] = False
    """Whether ``dev`` and ``test`` are shares of the training queries that missing splits are carved from."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest or pinned revision of the source's content, quickly and without torch.

        Raises InputError if the source does not exist.
        """

    @abstractmethod
    def load(self) -> Collection:
        """Read and check the collection. Raises InputError with file and line for invalid data."""

    @property
    def paths(self) -> list[Path]:
        """Paths that it is read from, those of a collection inside it included; an id is one of nothing that exists."""
        inner = self.parameters.get("collection")
        named = [Path(text) for key in PATH_KEYS if isinstance(text := self.parameters.get(key), str) and text]
        return [*named, *(inner.paths if isinstance(inner, Source) else [])]
