"""What each method costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from negbench.report.figures import style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(rows: Sequence[Row]) -> Figure | None:
    """Seconds from nothing, by kind of stage; a mark where the method would be without what others share."""
    trained = style.trained(rows)
    kinds = list(dict.fromkeys(name for row in trained for name in row.costs if name.startswith("seconds/")))
    kinds = [kind for kind in kinds if any(row.costs.get(kind, 0) >= 0.05 for row in trained)]
    if not kinds:
        return None
    figure, axes = style.single(0.9 + 0.3 * len(trained))
    places = np.arange(len(trained))[::-1]
    left = np.zeros(len(trained))
    for at, kind in enumerate(kinds):
        width = np.array([row.costs.get(kind, 0.0) for row in trained])
        axes.barh(
            places, width, left=left, height=0.7, color=style.COLOURS[at % len(style.COLOURS)], edgecolor="white",
            linewidth=0.5, hatch=style.HATCHES[at % len(style.HATCHES)], label=kind.removeprefix("seconds/"),
        )  # fmt: skip
        left += width
    added = [row.added if row.added is not None else math.nan for row in trained]
    axes.plot(added, places, "D", color="black", markersize=5, label="added to this grid")
    axes.set_yticks(places, style.labels(trained))
    axes.set_xlabel("seconds a seed, from nothing")
    axes.grid(visible=False, axis="y")
    style.legend(figure)
    return figure
