"""Figures of a grid's results, legible in greyscale, as SVG and PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from negbench.report.details import Detail
from negbench.report.figures import costs, points, quality, ranks, style, where
from negbench.report.figures import curves as learning
from negbench.report.figures import side_by_side as beside
from negbench.report.rows import Row
from negbench.report.side_by_side import Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    rows: Sequence[Row],
    trials: style.Trials,
    curves: style.Curves,
    measure: str,
    details: Sequence[Detail] = (),
    matrices: Sequence[Matrix] = (),
    baseline: str | None = None,
) -> dict[str, Figure]:
    """Return the figures by name; those without data are left out."""
    import matplotlib as mpl

    with mpl.rc_context(style.STYLE):
        made = {
            "side_by_side": beside.draw(matrices, measure, baseline),
            "quality": quality.draw(rows, trials, measure),
            "costs": costs.draw(rows),
            "ranks": ranks.draw(rows, trials),
            "where": where.draw(rows, details),
            "curves": learning.draw(rows, trials, curves),
        }
    return {name: figure for name, figure in made.items() if figure is not None}


def svg(figure: Figure) -> str:
    """Return the figure as an SVG element without a date, so that equal figures have equal bytes."""
    return _svg(figure)


def svg_of_page(figure: Figure) -> str:
    """Return the SVG element for a page, whose points say what they are."""
    with points.shown(figure):
        return points.labelled(_svg(figure))


def _svg(figure: Figure) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context(style.STYLE):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
