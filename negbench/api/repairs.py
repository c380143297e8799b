"""What false negatives cost, by a grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from negbench.api.grids import GridLike, as_grid, open_store
from negbench.api.result import Result
from negbench.api.runs import Results, carry_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.report.repair_page import Summary
    from negbench.runners.schedule import Progress


POINT = ("variant", "seeds", "rate", "hardness", "filled", "change", "low", "high")


@dataclass(frozen=True, repr=False)
class RepairResults(Result):
    """What a grid says of the cost of false negatives: ``run`` are the results of all its trials."""

    run: Results
    summary: Summary
    contents: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What ``repair.json`` held when the run ended."""
        return self.contents

    def to_pandas(self) -> DataFrame:
        """Return a row a method and variant: an axis a column, seeds, shares, and the change with its interval."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"method": point["method"], **point["axes"], **{name: point[name] for name in POINT}}
                for point in self.data["points"]
            ]
        )

    def figures(self) -> Mapping[str, Figure]:
        """Return ``repair``: the change in quality by the rate of false negatives."""
        from negbench.report.figures import repair

        points = self.summary.points
        return {"repair": repair.draw(points, self.summary.measure)} if points else {}

    def _renderable(self) -> RenderableType:
        """Return the tables and findings that ``negbench repair`` prints."""
        return self.summary.terminal()


def run_repair(
    grid: GridLike,
    out: str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    yes: bool = False,
    command: Sequence[str] = ("negbench.run_repair",),
) -> RepairResults:
    """Run a grid with false negatives taken out and put in, by the truth, and say what they cost.

    Arguments are those of ``negbench.run``. The grid gets the axis ``repair``, unless it has one. Raises InputError,
    too, where no method mines negatives or the collection has no truth.

    >>> found = negbench.run_repair({**HELPDESK, "axes": {"repair": [None, "replaced", "injected(rate=0.2)"]}})
    >>> found.to_pandas()["variant"].tolist()
    ['as mined', 'replaced', 'injected 20 %']
    """
    from negbench.plan.size import check_size
    from negbench.plan.trials import trials
    from negbench.runners import repair

    grid = as_grid(grid)
    grid = replace(grid, config=repair.read(grid.source, grid.overrides))
    check_size(grid.config, yes)
    all_trials = trials(grid.config)
    repair.check(grid.source, all_trials)
    results = carry_out(grid, all_trials, out, open_store(store), progress, False, command)
    summary = repair.write(grid.config, all_trials, open_store(store), results.path)
    data = json.loads((results.path / "repair.json").read_text(encoding="utf-8"))
    return RepairResults(results, summary, data)
