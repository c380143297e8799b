"""What false negatives cost, by a grid: the axis that says it, and the files that tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

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
"""Shares of the negatives that are made false; none at all is ``replaced``."""

VARIANTS = ["null", "replaced", "relabelled", *[f"injected(rate={rate})" for rate in RATES]]


def read(path: Path, assignments: Sequence[str] = ()) -> Grid:
    """Read a grid and give it the axis ``repair``, unless it has one; null is the method as mined.

    Raises InputError where the grid is wrong, or repairs without such an axis.
    """
    asked = grids.read(path, assignments)
    if all(AXIS in point for point, _ in asked.points):
        return asked
    if any(settings.repair is not None for _, settings in asked.points):
        raise InputError(f"{path}: repair: it is this command that varies it; take it out, or make it an axis")
    return grids.read(path, [*assignments, f"axes.{AXIS}=[{', '.join(VARIANTS)}]"])


def check(path: Path, trials: Sequence[Trial]) -> None:
    """Raise InputError for a grid whose methods draw nothing that could be repaired."""
    if all(trial.negatives is None for trial in trials):
        raise InputError(f"{path}: methods: none of them mines negatives, so none has false ones; add one, bm25 say")


def write(grid: Grid, trials: Sequence[Trial], store: Store, out: Path) -> Group:
    """Write ``repair.md``, ``repair.json`` and the figure of what is finished; return the tables for the terminal."""
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
    return summary.terminal()
