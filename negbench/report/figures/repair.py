"""What false negatives cost: quality against the rate that was injected."""

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
"""Variants that stand beside the line, as they differ in more than the rate, with the size of their marks."""


def draw(points: Sequence[Point], measure: str) -> Figure:
    """Change against the method without false negatives, in points of the measure, by the rate reached.

    A line a sampler through what was injected, with 95 % intervals; large and hollow the method as mined, small and
    hollow the relabelled one. A panel for each point of the other axes.
    """
    import matplotlib as mpl

    with mpl.rc_context(style.STYLE):
        figure, panels = style.panels(points, 3.8)
        looks, short = style.looks(points), style.names(points)
        order = list(looks)
        for axes, there in panels:
            axes.axhline(0.0, color="#555555", linewidth=0.8, zorder=1)
            for method in dict.fromkeys(point.method for point in there):
                line = [it for it in there if it.method == method and it.variant not in APART]
                axes.errorbar(
                    *_values(sorted(line, key=lambda it: it.rate)), **looks[method], markersize=5.5, capsize=2.5,
                    elinewidth=1, linewidth=1.4, linestyle=style.LINES[order.index(method) % len(style.LINES)],
                    label=short[method], zorder=3,
                )  # fmt: skip
            for point in there:
                if point.variant in APART:
                    axes.errorbar(
                        *_values([point]), **looks[point.method], markersize=APART[point.variant], capsize=2.5,
                        elinewidth=0.7, linestyle="none", markerfacecolor="none", label=f"{point.variant} (hollow)",
                        zorder=2,
                    )  # fmt: skip
            axes.set_xlabel("false negatives reached, % of the mined ones")
            axes.set_ylabel(f"points of {measure} against {called(CLEAN)}")
        style.legend(figure)
    return figure


def _values(points: Sequence[Point]) -> tuple[list[float], list[float], list[list[float]]]:
    """Return rates, changes and the lengths of the intervals downwards and upwards, in percent and points."""
    lengths = [(it.change - it.low, it.high - it.change) for it in points]
    down, up = ([0.0 if math.isnan(pair[at]) else 100 * pair[at] for pair in lengths] for at in (0, 1))
    return [100 * it.rate for it in points], [100 * it.change for it in points], [down, up]
