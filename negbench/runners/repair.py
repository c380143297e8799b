"""Cost of false negatives: a grid with the axis ``repair``, and its result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from negbench.config import grid as grids
from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report import figures
from negbench.report.figures import repair as figure
from negbench.report.repair import AXIS, gather
from negbench.report.repair_page import Summary
from negbench.report.results import write_json, write_text
from negbench.store import Store

RATES = (0.05, 0.1, 0.2, 0.4)
"""Injected false-negative rates; a rate of 0 is ``replaced``."""

VARIANTS = ["null", "replaced", "relabelled", *[f"injected(rate={rate})" for rate in RATES]]


def read(source: Path | Mapping[str, Any], assignments: Sequence[str] = ()) -> Grid:
    """Read a grid and add the axis ``repair`` if it has none; null is the method as mined.

    Raises InputError for an invalid grid, and for one with a fixed ``repair``.
    """
    asked = grids.read(source, assignments)
    if all(AXIS in point for point, _ in asked.points):
        return asked
    if any(settings.repair is not None for _, settings in asked.points):
        raise InputError(f"{grids.origin(source)}: repair: this command varies the key; remove it, or make it an axis")
    return grids.read(source, [*assignments, f"axes.{AXIS}=[{', '.join(VARIANTS)}]"])


def check(source: Path | Mapping[str, Any], trials: Sequence[Trial]) -> None:
    """Raise InputError for a grid without a method that mines negatives."""
    if all(trial.negatives is None for trial in trials):
        raise InputError(
            f"{grids.origin(source)}: methods: none of them mines negatives; add one that does, such as bm25"
        )


def write(grid: Grid, trials: Sequence[Trial], store: Store, out: Path) -> Summary:
    """Write ``repair.md``, ``repair.json`` and the figure from the finished trials; return their summary."""
    first = grid.points[0][1]
    summary = Summary.of(grid.name, first.measures[0], first.equivalent_within, gather(trials, store))
    write_json(out / "repair.json", summary.data())
    write_text(out / "repair.md", summary.markdown())
    if summary.points:
        drawn = figure.draw(summary.points, summary.measure)
        folder = out / "figures"
        folder.mkdir(exist_ok=True)
        write_text(folder / "repair.svg", figures.svg(drawn))
        drawn.savefig(folder / "repair.png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    return summary
