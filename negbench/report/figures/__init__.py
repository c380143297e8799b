"""Pictures of a grid's results: drawn from its rows and trials, legible in grey, as SVG and PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from negbench.report.details import Detail
from negbench.report.figures import costs, quality, ranks, style, where
from negbench.report.figures import curves as learning
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    rows: Sequence[Row], trials: style.Trials, curves: style.Curves, measure: str, details: Sequence[Detail] = ()
) -> dict[str, Figure]:
    """Return the figures that there is something to draw for, by name."""
    import matplotlib as mpl

    with mpl.rc_context(style.STYLE):
        made = {
            "quality": quality.draw(rows, trials, measure),
            "costs": costs.draw(rows),
            "ranks": ranks.draw(rows, trials),
            "where": where.draw(rows, details),
            "curves": learning.draw(rows, trials, curves),
        }
    return {name: figure for name, figure in made.items() if figure is not None}


def svg(figure: Figure) -> str:
    """Return the figure as an SVG element, without a date, so that the same figures give the same bytes."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context(style.STYLE):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
