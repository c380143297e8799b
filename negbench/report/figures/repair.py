"""Cost of false negatives: quality against the injected false-negative rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from negbench.repair.relabelled import Relabelled
from negbench.report.figures import style
from negbench.report.repair import AS_MINED, CLEAN, Point, called

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APART = {called(AS_MINED): 9.0, called(Relabelled()): 5.5}
"""Variants that are not part of the line, since they differ in more than the rate, with the size of their marks."""


def draw(points: Sequence[Point], measure: str) -> Figure:
    """Draw the change against the variant without false negatives, in points of the measure, over the rate.

    One line per sampler through the injected rates, with 95 % intervals. A large hollow mark is the method as mined, a
    small one the relabelled variant. One panel per point of the other axes.
    """
    import matplotlib as mpl

    with mpl.rc_context(style.STYLE):
        figure, panels = style.panels(points, 3.8)
        looks, short = style.looks(points), style.names(points)
        order = list(looks)
        for axes, of_panel in panels:
            axes.axhline(0.0, color="#555555", linewidth=0.8, zorder=1)
            for method in dict.fromkeys(point.method for point in of_panel):
                line = [it for it in of_panel if it.method == method and it.variant not in APART]
                axes.errorbar(
                    *_values(sorted(line, key=lambda it: it.rate)), **looks[method], markersize=5.5, capsize=2.5,
                    elinewidth=1, linewidth=1.4, linestyle=style.LINES[order.index(method) % len(style.LINES)],
                    label=short[method], zorder=3,
                )  # fmt: skip
            for point in of_panel:
                if point.variant in APART:
                    axes.errorbar(
                        *_values([point]), **looks[point.method], markersize=APART[point.variant], capsize=2.5,
                        elinewidth=0.7, linestyle="none", markerfacecolor="none", label=f"{point.variant} (hollow)",
                        zorder=2,
                    )  # fmt: skip
            axes.set_xlabel("false-negative rate of the mined negatives, %")
            axes.set_ylabel(f"change against {called(CLEAN)}, points of {measure}")
        style.legend(figure)
    return figure


def _values(points: Sequence[Point]) -> tuple[list[float], list[float], list[list[float]]]:
    """Return rates in percent, changes in points, and the lengths of the intervals below and above."""
    lengths = [(it.change - it.low, it.high - it.change) for it in points]
    down, up = ([0.0 if math.isnan(pair[side]) else 100 * pair[side] for pair in lengths] for side in (0, 1))
    return [100 * it.rate for it in points], [100 * it.change for it in points], [down, up]
