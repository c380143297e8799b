"""What there is to know of a collection before a grid is run."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.api.grids import open_store
from negbench.api.result import Result
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.runners.advise import Figure, Findings

EVIDENCE = "results/README.md of the repository has what such grids found elsewhere"


@dataclass(frozen=True, repr=False)
class Advice(Result):
    """Figures of a collection, the best false-negative rate that can be had, warnings, and a grid to begin with.

    ``path`` is where the grid was written, None where it was not.
    """

    found: Findings
    path: Path | None = None

    @property
    def grid(self) -> str | None:
        """The suggested grid as YAML; None for a collection without training queries."""
        return self.found.grid

    @property
    def duration(self) -> str | None:
        """How long the grid takes, very roughly; None where the encoder was not timed."""
        return None if self.found.minutes is None else duration(self.found.minutes)

    @property
    def figures_by_name(self) -> dict[str, float]:
        """The value of every figure by its name, such as ``documents`` and ``BM25 rank 1``."""
        return {it.name: it.value for it in self.found.figures}

    @property
    def data(self) -> dict[str, Any]:
        """All fields by name; a figure that cannot be computed is None."""
        found = asdict(self.found)
        found["figures"] = [
            {key: None if isinstance(it, float) and math.isnan(it) else it for key, it in figure.items()}
            for figure in found["figures"]
        ]
        return {**found, "path": None if self.path is None else str(self.path)}

    def to_pandas(self) -> DataFrame:
        """Return a row a figure: about, name, value, unit, low, high (95 % interval), note."""
        import pandas as pd

        return pd.DataFrame([asdict(it) for it in self.found.figures]).astype({"low": "float64", "high": "float64"})

    def _renderable(self) -> RenderableType:
        """Return the figures as a table, then what can be measured, warnings, and the grid."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        found = self.found
        table = Table(title=Text(f"{found.collection}: before any training"), title_justify="left")
        for name in ("about", "figure", "value", "95 %", "note"):
            table.add_column(name, justify="right" if name in ("value", "95 %") else "left", overflow="fold")
        about = ""
        for figure in found.figures:
            first = "" if figure.about == about else figure.about
            about = figure.about
            table.add_row(*map(Text, (first, figure.name, *_cells(figure), figure.note)))
        lines = [f"false-negative rate: {found.kind}: {found.why}"]
        lines += [f"warning: {it}" for it in found.warnings] + [f"note: {it}" for it in found.notes]
        if self.duration is not None:
            lines.append(f"the grid below takes very roughly {self.duration}: {found.basis}")
        lines.append(EVIDENCE)
        if self.path is not None:
            lines.append(f"grid in {self.path}")
        grid = [] if found.grid is None else [Text(f"\n# {self.path or 'a grid to begin with'}\n{found.grid}".rstrip())]
        return Group(table, *map(Text, lines), *grid)


def _cells(figure: Figure) -> tuple[str, str]:
    """Return value and interval of a figure as text."""

    def shown(value: float) -> str:
        if math.isnan(value):
            return "none"
        if figure.unit == "share":
            return f"{100 * value:.1f} %"
        return f"{value:,.0f}" if figure.unit == "count" else f"{value:.4g}"

    known = figure.low is not None and figure.high is not None and not math.isnan(figure.value)
    interval = f"{100 * (figure.low or 0.0):.1f} to {100 * (figure.high or 0.0):.1f}" if known else ""
    return shown(figure.value), interval


def duration(minutes: float) -> str:
    """Return minutes as text, in hours from two on."""
    if minutes < 1:
        return "a minute or less"
    if round(minutes) == 1:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def advise(
    collection: str | PathLike[str] | Mapping[str, Any],
    *,
    encoder: str | PathLike[str] | Mapping[str, Any] = "all-MiniLM-L6-v2",
    timing: bool = True,
    out: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Describe a collection before any grid is run, and suggest a grid; nothing is trained.

    ``collection`` and ``encoder`` are as in a grid. The figures are sizes, duplicates, overlap of words, BM25's
    effectiveness and, where the collection has a truth, the false-negative rate of its ranks. ``timing`` encodes 64
    documents to estimate the minutes of the grid. ``out`` is a new file for the grid. ``progress`` hears the label of
    each stage before it is made. Raises InputError for what does not exist, and for an ``out`` that does.

    >>> advice = negbench.advise("garden", encoder="tiny", timing=False)
    >>> advice.figures_by_name["documents"], advice.found.kind
    (60, 'held-out')
    >>> print(advice.grid.splitlines()[1])
    collection: "garden"  # 60 documents, 48 labelled pairs
    """
    from negbench.collections.resolve import mapping_in
    from negbench.runners.advise import advise as describe
    from negbench.store.writable import expanded

    path = None if out is None else _new(expanded(out, "--out"))
    given = collection if isinstance(collection, Mapping) else fspath(collection)
    if isinstance(given, str):
        given = mapping_in(given) or given
    student = encoder if isinstance(encoder, Mapping) else fspath(encoder)
    named = given if path is None or isinstance(given, Mapping) else _from(path.parent, given)
    report = progress or (lambda _: None)
    found = describe(given, named, student, timing, path is not None, open_store(store), report)
    if path is not None and found.grid is not None:
        with path.open("x", encoding="utf-8") as file:
            file.write(found.grid)
    return Advice(found, path)


def _new(path: Path) -> Path:
    """Return a path that a file can be written to. Raises InputError where something is there, or no folder."""
    from negbench.store.writable import check_writable

    if path.exists():
        raise InputError(f"--out {path}: exists already; give a new file, or remove this one")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}; make it first")
    check_writable(path.parent, "--out")
    return path


def _from(folder: Path, collection: str) -> str:
    """Return the text for a collection in a grid in ``folder``, from where its relative paths start."""
    if not collection or Path(collection).is_absolute() or not Path(collection).exists():
        return collection
    return Path(os.path.relpath(collection, folder)).as_posix()


def grid_name(given: str) -> str:
    """Return what a grid for a collection is called: ``faq`` for faq.csv, ``scifact`` for hub:mteb/scifact."""
    name = _data_of(given).rstrip("/")
    return re.split(r"[:/\\]", name)[-1].removesuffix(".gz").partition(".")[0] or "grid"


def _data_of(given: str) -> str:
    """Return the file, folder or id within a collection's spelling or mapping; without one, its name."""
    from negbench import spelling
    from negbench.collections.resolve import mapping_in

    mapping = mapping_in(given)
    if mapping is not None:
        return str(mapping.get("pairs") or mapping.get("source") or next(iter(mapping), ""))
    if "(" not in given or Path(given).exists():
        return given
    try:
        name, parameters = spelling.parse(given)
    except ValueError:  # what is wrong with it is said where it is read
        return given.partition("(")[0]
    return str(parameters.get("path") or parameters.get("id") or name)
