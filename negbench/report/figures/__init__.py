"""Figures of a grid's results, legible in greyscale, as SVG and PNG."""

from __future__ import annotations

import hashlib
import io
import re
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

SALT = style.STYLE["svg.hashsalt"]


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


def draw_for_phone(rows: Sequence[Row], trials: style.Trials, measure: str) -> Figure | None:
    """Return the main figure, quality against false negatives, as narrow as a phone; None without a trained row."""
    import matplotlib as mpl

    with mpl.rc_context(style.STYLE):
        return quality.draw(rows, trials, measure, phone=True)


def svg(figure: Figure) -> str:
    """Return the figure as an SVG element without a date, so that equal figures have equal bytes."""
    return _svg(figure)


def svg_of_page(figure: Figure, salt: str = SALT) -> str:
    """Return the SVG element for a page, whose points say what they are.

    Two forms of one figure need a ``salt`` each, so that none refers to a part of the other, which may be hidden.
    """
    with points.shown(figure):
        return points.labelled(_svg(figure, salt))


def _svg(figure: Figure, salt: str = SALT) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({**style.STYLE, "svg.hashsalt": salt}):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return named_clips(text[text.index("<svg") :], salt)


_CLIP = re.compile(r'( *)<clipPath id="(\w+)">\n(.*?)</clipPath>\n', re.DOTALL)


def named_clips(text: str, salt: str) -> str:
    """Return an SVG whose clip paths are named by what is printed of them.

    Matplotlib names them by their exact place, whose last bits depend on the order in which its layout was solved, and
    that on addresses in memory.
    """
    names = {name: _digest(salt + shape) for _, name, shape in _CLIP.findall(text)}
    seen: set[str] = set()

    def once(clip: re.Match[str]) -> str:
        name = names[clip[2]]
        if name in seen:
            return ""
        seen.add(name)
        return f'{clip[1]}<clipPath id="{name}">\n{clip[3]}</clipPath>\n'

    text = _CLIP.sub(once, text)
    return re.sub(r"url\(#(\w+)\)", lambda used: f"url(#{names.get(used[1], used[1])})", text)


def _digest(text: str) -> str:
    return "p" + hashlib.sha256(text.encode()).hexdigest()[:10]
