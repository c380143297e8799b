"""Learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.report.figures import style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHED = 0.1
"""Share of a training over which the loss is averaged, since the loss of single batches is noisy."""


def draw(rows: Sequence[Row], trials: style.Trials, curves: style.Curves) -> Figure | None:
    """Draw the dev quality by step, or a moving mean of the loss without dev evaluation: means, seeds as thin lines.

    One panel per point of the axes.
    """
    trained = style.trained(rows)
    if not any(curves.get(trial["name"]) for row in trained for trial in style.of(row, trials)):
        return None
    looks, short = style.looks(trained), style.names(rows)
    order = list(looks)
    figure, panels = style.panels(trained, 3.6)
    for axes, of_panel in panels:
        watched = {
            name for row in of_panel for trial in style.of(row, trials) for name in curves.get(trial["name"], {})
        }
        name = next((name for name in sorted(watched) if name.startswith("dev_")), "loss")
        for row in of_panel:
            of_seeds = [curves[it["name"]][name] for it in style.of(row, trials) if name in curves.get(it["name"], {})]
            index = order.index(row.method)
            look: dict[str, Any] = {
                "color": looks[row.method]["color"],
                "linestyle": style.LINES[index % len(style.LINES)],
            }
            lines = [_smoothed(points) if name == "loss" else points for points in of_seeds]
            for points in lines if len(lines) > 1 and name != "loss" else []:
                axes.plot(*zip(*points, strict=True), linewidth=0.5, alpha=0.5, **look)
            steps = [step for step, _ in lines[0]] if lines else []
            if steps and all([step for step, _ in points] == steps for points in lines):
                mean = np.mean([[value for _, value in points] for points in lines], axis=0)
                look |= {"marker": looks[row.method]["marker"], "markersize": 5, "markevery": max(1, len(steps) // 8)}
                axes.plot(steps, mean, linewidth=1.4, label=short[row.method], **look)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel(
            f"{name.removeprefix('dev_')} on dev (part of the corpus)" if name != "loss" else "training loss"
        )
    style.legend(figure)
    return figure


def _smoothed(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the mean over the preceding steps, at most the share ``SMOOTHED`` of all."""
    width = max(1, round(SMOOTHED * len(points)))
    values = np.array([value for _, value in points])
    return [
        (step, float(values[max(0, index + 1 - width) : index + 1].mean())) for index, (step, _) in enumerate(points)
    ]
