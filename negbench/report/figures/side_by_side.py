"""Differences to the baseline on several collections, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from negbench.report.figures import points, style
from negbench.report.side_by_side import Cell, Line, Matrix
from negbench.report.table import ALPHA, short_methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4
"""Most panels in one row."""


def draw(matrices: Sequence[Matrix], measure: str, baseline: str | None) -> Figure | None:
    """Draw a dot for each method in a panel for each collection, with the 95 % interval over queries and seeds.

    The dot is the difference to the baseline, filled where the corrected test finds one; the measure itself without a
    baseline. Methods of all matrices stand below one another.
    """
    from matplotlib.figure import Figure

    lines = [
        line for matrix in matrices for line in matrix.lines if line.form != "reference" and line.method != baseline
    ]
    if not lines:
        return None
    columns = matrices[0].columns
    across = min(ACROSS, len(columns))
    down = -(-len(columns) // across)
    height = 0.9 + 0.3 * max(len(lines), 2)
    figure = Figure(figsize=(2.0 + 2.1 * across, height * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=True).flat
    for place, axes in enumerate(panels):
        if place >= len(columns):
            axes.set_visible(False)
            continue
        column = columns[place]
        axes.set_title(column.name + ("\n(out of domain)" if column.kind == "out of domain" else ""), loc="left")
        axes.grid(visible=False, axis="y")
        axes.axhspan(-1, len(lines), color="#f4f4f4" if column.kind == "mean" else "none", zorder=0)
        if baseline:
            axes.axvline(0.0, color="#555555", linewidth=1, zorder=1)
        for row, line in enumerate(lines):
            _dot(axes, line.cells[place], len(lines) - 1 - row, f"{_called(line)} on {column.name}", baseline)
        axes.tick_params(labelbottom=True)
    first = figure.axes[0]
    first.locator_params(axis="x", nbins=4)  # panels are narrow, and labels such as -0.025 would touch
    first.set_yticks(range(len(lines)), list(reversed(_names(lines))))
    first.set_ylim(-0.6, len(lines) - 0.4)
    figure.supxlabel(f"{measure}, difference to {baseline}" if baseline else measure, fontsize=9.5)
    return figure


def _dot(axes: Axes, cell: Cell, y: int, called: str, baseline: str | None) -> None:
    against = baseline is not None
    value, low, high = (cell.gain, cell.gain_low, cell.gain_high) if against else (cell.quality, cell.low, cell.high)
    if value is None:
        return
    errors: dict[str, Any] = {} if low is None or high is None else {"xerr": [[value - low], [high - value]]}
    found = not against or (cell.p is not None and cell.p < ALPHA)
    axes.errorbar(
        value, y, **errors, color=style.COLOURS[0], marker="o", markersize=6, capsize=2.5, elinewidth=1,
        linestyle="none", markerfacecolor=style.COLOURS[0] if found else "white", markeredgecolor=style.COLOURS[0],
        zorder=3,
    )  # fmt: skip
    shown = points.value(value, low, high, "+.4f" if against else ".4f")
    points.add(axes, value, y, f"{called}: {shown}" + (f" against {baseline}" if against else ""))


def _called(line: Line) -> str:
    return ", ".join([line.method, *(f"{key}={value}" for key, value in line.axes.items())])


def _names(lines: Sequence[Line]) -> list[str]:
    short = short_methods([line.method for line in lines], 26)
    return [", ".join([short[line.method], *[str(value) for value in line.axes.values()]]) for line in lines]
