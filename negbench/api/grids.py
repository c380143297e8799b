"""Grids: read from a file or written in Python, checked, shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.config.grid import Grid as GridConfig
    from negbench.store import Store


@dataclass(frozen=True, repr=False)
class Grid(Result):
    """A grid whose every key is checked; nothing of it has run.

    ``config`` holds the settings at every point of its axes, ``source`` what it was read from, ``overrides`` what was
    changed in that.
    """

    config: GridConfig
    source: Path | Mapping[str, Any]
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The grid's name, after which the folder of its results is called."""
        return self.config.name

    @property
    def data(self) -> list[dict[str, Any]]:
        """A mapping for each method at each point of the axes."""
        return [
            {
                "method": method.label,
                **point,
                "form": method.form,
                "collection": settings.collection.spelling,
                "encoder": settings.encoder.spelling,
                "seeds": list(settings.seeds),
            }
            for point, settings in self.config.points
            for method in settings.methods
        ]

    def to_pandas(self) -> DataFrame:
        """Return a row a method and point: method, an axis a column, form, collection, encoder, seeds."""
        import pandas as pd

        return pd.DataFrame(self.data)

    def _renderable(self) -> RenderableType:
        """Return the methods as a table, a row a method and point."""
        from rich.table import Table
        from rich.text import Text

        rows = self.data
        table = Table(title=Text(f"grid {self.name}"), title_justify="left")
        for name in rows[0]:
            table.add_column(Text(name), overflow="fold")
        for row in rows:
            cells = [", ".join(map(str, cell)) if isinstance(cell, list) else str(cell) for cell in row.values()]
            table.add_row(*map(Text, cells))
        return table


GridLike = Grid | str | PathLike[str] | Mapping[str, Any]
"""A grid, the path of its file, or its keys."""


def load_grid(grid: str | PathLike[str] | Mapping[str, Any], overrides: Mapping[str, Any] | Sequence[str] = ()) -> Grid:
    """Read a grid from its file, or the manifest of a run, or from a mapping as the file would hold it.

    ``overrides`` change single keys, dotted: a mapping, or texts as in ``--set``. Needs neither the collection nor the
    encoder. Raises InputError that names the place (file and line, or ``grid``), the key and what is wrong.

    >>> grid = negbench.load_grid("garden.yaml", {"seeds": [0, 1], "train.epochs": 2})
    >>> grid.name
    'garden'
    >>> grid.to_pandas()["method"].tolist()
    ['in-batch', 'bm25']
    """
    from negbench.config.grid import read

    source = grid if isinstance(grid, Mapping) else Path(grid)
    changes = _assignments(overrides)
    return Grid(read(source, changes), source, changes)


def quickstart_grid(overrides: Mapping[str, Any] | Sequence[str] = ()) -> Grid:
    """Read the grid of ``negbench quickstart``, a file of the installed package; ``overrides`` as in ``load_grid``.

    >>> negbench.quickstart_grid({"seeds": [0]}).name
    'quickstart'
    """
    return load_grid(Path(__file__).parents[1] / "quickstart.yaml", overrides)


def grid_schema() -> dict[str, Any]:
    """Return the JSON schema of grid files, for editors.

    >>> negbench.grid_schema()["anyOf"][0]["required"]
    ['name', 'collection', 'encoder', 'methods']
    """
    from negbench.config.schema import grid_schema

    return grid_schema()


def as_grid(grid: GridLike) -> Grid:
    """Return the grid, read where it is not yet."""
    return grid if isinstance(grid, Grid) else load_grid(grid)


def open_store(folder: str | PathLike[str] | None) -> Store:
    """Return the store in a folder; that at NEGBENCH_STORE, else ``.negbench``, where it is None."""
    from negbench.store import Store

    return Store.default() if folder is None else Store.at(folder)


def _assignments(overrides: Mapping[str, Any] | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(overrides, Mapping):
        return tuple(overrides)
    return tuple(f"{key}={json.dumps(value, default=str)}" for key, value in overrides.items())
