"""The forest plot of a paper's verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from negbench.papers.forest import Line, lines
from negbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "verdicts.svg"

MARKS: Mapping[str, Mapping[str, Any]] = {
    "reproduced": {"marker": "o", "color": style.COLOURS[0]},
    "held": {"marker": "o", "color": style.COLOURS[0]},
    "undecided": {"marker": "o", "color": style.COLOURS[7], "markerfacecolor": "white"},
    "not held": {"marker": "X", "color": style.COLOURS[1]},
    "not reproduced": {"marker": "X", "color": style.COLOURS[1]},
}
"""Mark and colour of each verdict, legible in greyscale."""

ROW, HEAD = 0.24, 0.62
"""Inches of a line, and of a panel's axis."""


def draw(record: Mapping[str, Any]) -> Figure | None:
    """Draw the estimates of ``verdicts.json`` with their 95 % intervals; None where no statement has values.

    A panel for each unit, in the order in which statements use them. The band is where a line lies by its statement.
    The mark says what the statement's verdict is, after Holm's correction, which the intervals are without.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels: dict[str, list[Line]] = {}
    for line in lines(record):
        panels.setdefault(line.unit, []).append(line)
    if not panels:
        return None
    with mpl.rc_context(style.STYLE):
        heights = [HEAD + ROW * len(of_panel) for of_panel in panels.values()]
        figure = Figure(figsize=(7.6, sum(heights) + 0.4), layout="constrained")
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (unit, of_panel) in zip(grid, panels.items(), strict=True):
            _panel(axes, unit, of_panel)
        used = [verdict for verdict in MARKS if any(it.verdict == verdict for it in lines(record))]
        handles = [axes.plot([], [], linestyle="none", label=verdict, **MARKS[verdict])[0] for verdict in used]
        figure.legend(handles, used, loc="outside lower center", ncols=len(used))
    return figure


def _panel(axes: Axes, unit: str, of_panel: Sequence[Line]) -> None:
    for place, line in enumerate(of_panel):
        errors = None if math.isnan(line.low) else [[line.mean - line.low], [line.high - line.mean]]
        axes.errorbar(
            line.mean, place, xerr=errors, linestyle="none", markersize=5.5, capsize=2.5, elinewidth=1, zorder=3,
            **MARKS[line.verdict],
        )  # fmt: skip
    ends = [it for line in of_panel for it in (line.least, line.most) if math.isfinite(it)]
    axes.update_datalim([(end, 0) for end in ends])
    axes.autoscale_view(scaley=False)
    left, right = axes.get_xlim()
    for place, line in enumerate(of_panel):
        if math.isfinite(line.least) or math.isfinite(line.most):
            start, end = max(line.least, left), min(line.most, right)
            axes.barh(place, end - start, left=start, height=0.8, color="#e4eaf0", edgecolor="none", zorder=1)
    axes.set_xlim(left, right)
    axes.locator_params(axis="x", nbins=6)  # labels such as -0.125 would touch
    axes.set_yticks(range(len(of_panel)), [f"{line.statement}: {line.label}" for line in of_panel], fontsize=8)
    axes.set_ylim(len(of_panel) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(unit)
