"""The store: what it holds and for which grids, what is damaged, what may be removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

from negbench.api.grids import open_store
from negbench.api.result import Result
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.store.upkeep import Artifact, Check

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True, repr=False)
class StoreListing(Result):
    """Artifacts of the store ``folder``, those that were not used for longest first."""

    folder: str
    artifacts: Sequence[Artifact]

    @property
    def data(self) -> list[dict[str, Any]]:
        """A mapping for each artifact: kind, key, bytes, made, used (seconds since 1970), grids, running."""
        names = ("kind", "key", "bytes", "made", "used", "grids", "running")
        return [{name: _plain(getattr(one, name)) for name in names} for one in self.artifacts]

    def to_pandas(self) -> DataFrame:
        """Return a row an artifact."""
        import pandas as pd

        return pd.DataFrame(self.data, columns=["kind", "key", "bytes", "made", "used", "grids", "running"])

    def _renderable(self) -> RenderableType:
        """Return the artifacts as a table."""
        from rich.console import Group
        from rich.text import Text

        rows = [
            (one.kind, one.key[:10], amount(one.bytes), _day(one.used), ", ".join(one.grids) or "no grid")
            for one in self.artifacts
        ]
        total = sum(one.bytes for one in self.artifacts)
        table = _table(("kind", "key", "size", "last used", "used by"), rows)
        return Group(table, Text(f"{len(rows)} artifacts, {amount(total)}, in {self.folder}"))


@dataclass(frozen=True, repr=False)
class StoreSize(Result):
    """Bytes of the store ``folder`` by kind of artifact, and of what was set aside as damaged."""

    folder: str
    artifacts: Sequence[Artifact]
    set_aside: int

    @property
    def data(self) -> dict[str, Any]:
        """``kinds`` with artifacts and bytes of each, ``grids`` with the bytes that each needs, and the sums."""
        kinds = sorted({one.kind for one in self.artifacts})
        grids: Counter[str] = Counter()
        for one in self.artifacts:
            grids.update(dict.fromkeys(one.grids or ("",), one.bytes))
        unused = grids.pop("", 0)
        return {
            "kinds": [
                {"kind": kind, "artifacts": len(of), "bytes": sum(one.bytes for one in of)}
                for kind in kinds
                if (of := [one for one in self.artifacts if one.kind == kind])
            ],
            "grids": dict(sorted(grids.items())),
            "unused": unused,
            "damaged": self.set_aside,
            "bytes": sum(one.bytes for one in self.artifacts) + self.set_aside,
        }

    def to_pandas(self) -> DataFrame:
        """Return a row a kind of artifact."""
        import pandas as pd

        return pd.DataFrame(self.data["kinds"], columns=["kind", "artifacts", "bytes"])

    def _renderable(self) -> RenderableType:
        """Return the sizes by kind and by grid."""
        from rich.console import Group
        from rich.text import Text

        data = self.data
        rows = [(row["kind"], str(row["artifacts"]), amount(row["bytes"])) for row in data["kinds"]]
        lines = [f"used by {name}: {amount(size)}" for name, size in data["grids"].items()]
        lines += [f"used by no grid: {amount(data['unused'])}"] if data["unused"] else []
        lines += [f"set aside as damaged: {amount(data['damaged'])}"] if data["damaged"] else []
        lines.append(f"all: {amount(data['bytes'])}, in {self.folder}")
        return Group(_table(("kind", "artifacts", "size"), rows), *map(Text, lines))


@dataclass(frozen=True, repr=False)
class StoreCheck(Result):
    """Outcome of a check of the store ``folder``; ``found`` has the damaged artifacts and what is wrong with them."""

    folder: str
    found: Check

    @property
    def data(self) -> dict[str, Any]:
        """``sound`` and ``unchecked``, how many these are, and ``damaged``: what is wrong, by kind/key."""
        return {"sound": self.found.sound, "unchecked": self.found.unchecked, "damaged": self.found.damaged}

    def to_pandas(self) -> DataFrame:
        """Return a row a damaged artifact."""
        import pandas as pd

        return pd.DataFrame(list(self.found.damaged.items()), columns=["artifact", "damage"])

    def _renderable(self) -> RenderableType:
        """Return a line for each damaged artifact, and how many are sound."""
        from rich.text import Text

        lines = [f"{name} is damaged: {problem}" for name, problem in self.found.damaged.items()]
        if lines:
            lines.append("They are set aside, with all that rests on them; the next run makes them again.")
        lines.append(f"{self.found.sound} artifacts are as they were written, {len(self.found.damaged)} are not")
        if self.found.unchecked:
            lines.append(f"{self.found.unchecked} artifacts of an earlier version have no digests and were not checked")
        return Text("\n".join(lines))


@dataclass(frozen=True, repr=False)
class Pruning(StoreListing):
    """Artifacts that were removed, or with ``removed=False`` would be; ``freed`` is how many bytes."""

    freed: int
    removed: bool

    def _renderable(self) -> RenderableType:
        """Return the artifacts as a table, and what was done."""
        from rich.console import Group
        from rich.text import Text

        done = "removed" if self.removed else "would be removed; add --yes to remove them"
        line = f"{len(self.artifacts)} artifacts, with what was set aside {amount(self.freed)}: {done}"
        return Group(super()._renderable(), Text(line)) if self.artifacts else Text(line)


def list_store(*, store: str | PathLike[str] | None = None) -> StoreListing:
    """Return the artifacts of a store, those that were not used for longest first, each with the grids that use it.

    A grid uses what its last run needed, as long as the folder of its results is there.

    >>> results = negbench.run("garden.yaml")
    >>> listing = negbench.list_store().to_pandas()
    >>> listing[listing["kind"] == "training"]["grids"].tolist()[0]
    ['garden']
    """
    from negbench.store import upkeep

    opened = open_store(store)
    return StoreListing(str(opened.root), upkeep.artifacts(opened))


def store_size(*, store: str | PathLike[str] | None = None) -> StoreSize:
    """Return how many bytes a store has, by kind of artifact and by grid.

    >>> sorted(negbench.store_size().data)
    ['bytes', 'damaged', 'grids', 'kinds', 'unused']
    """
    from negbench.store import upkeep

    opened = open_store(store)
    return StoreSize(str(opened.root), upkeep.artifacts(opened), upkeep.left_over(opened))


def verify_store(*, store: str | PathLike[str] | None = None) -> StoreCheck:
    """Compare every byte of a store with its digests.

    What is damaged is set aside, with all that rests on it; the next run that needs it makes it again.

    >>> negbench.verify_store().data["damaged"]
    {}
    """
    from negbench.store import upkeep

    opened = open_store(store)
    return StoreCheck(str(opened.root), upkeep.verify(opened))


def prune_store(
    keep_under: int | str | None = None, *, remove: bool = False, store: str | PathLike[str] | None = None
) -> Pruning:
    """Return what may be removed from a store, and with ``remove`` remove it.

    That is what no grid uses; with ``keep_under`` (bytes, or a text such as ``5GB``) as much as it takes to get below
    it, what was not used for longest first, and what grids use last. What a running grid uses stays. Raises InputError
    for a size that cannot be read.

    >>> negbench.prune_store("1TB").to_pandas().empty
    True
    """
    from negbench.store import upkeep

    limit = None if keep_under is None else _bytes(keep_under)
    opened = open_store(store)
    chosen = upkeep.removable(opened, limit)
    planned = sum(one.bytes for one in chosen) + upkeep.left_over(opened)
    freed = upkeep.remove(opened, chosen) if remove else planned
    return Pruning(str(opened.root), chosen, freed, remove)


def _bytes(text: int | str) -> int:
    matched = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", str(text).lower())
    if matched is None:
        raise InputError(f"keep_under {text!r}: expected a size such as 5GB, 500MB or a number of bytes")
    return int(float(matched[1]) * _UNITS[matched[2]])


def amount(size: int) -> str:
    """Return a number of bytes as text."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in heading:
        table.add_column(name, overflow="fold", justify="right" if name in ("size", "artifacts") else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
