"""Points of a figure that say on a page what they are: an invisible target over each, with its text.

The figures that are saved have no targets; in the SVG of a page each is a group of the class ``point``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from negbench.escaping import for_html, for_terminal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 11
"""Diameter of a target in points: larger than a mark, so that it can be hit."""

_ID = "point:"
_GROUP = re.compile(rf"""<g id=(?:"{_ID}([^"]*)"|'{_ID}([^']*)')>""")


def add(axes: Axes, x: float, y: float, text: str) -> None:
    """Put a target over a point, in data coordinates, that is shown on pages alone."""
    axes.plot(x, y, "o", color="#777777", markersize=SIZE, zorder=9, visible=False, gid=_ID + for_terminal(text))


def value(number: float, low: float | None, high: float | None, form: str, times: float = 1.0) -> str:
    """Return a number with its interval, where there is one: ``0.4887 [0.4416, 0.5358]``; all multiplied first."""
    ends = "" if low is None or high is None else f" [{times * low:{form}}, {times * high:{form}}]"
    return f"{times * number:{form}}{ends}"


@contextmanager
def shown(figure: Figure) -> Iterator[None]:
    """Show the targets of a figure while it is saved."""
    targets = [line for axes in figure.axes for line in axes.lines if (line.get_gid() or "").startswith(_ID)]
    for target in targets:
        target.set_visible(True)
    try:
        yield
    finally:
        for target in targets:
            target.set_visible(False)


def labelled(svg: str) -> str:
    """Return an SVG whose targets have their text as title, for a pointer, and as label, for a screen reader."""

    def group(found: re.Match[str]) -> str:
        text = for_html(html.unescape(found[1] if found[1] is not None else found[2]))
        return f'<g class="point" role="img" aria-label="{text}"><title>{text}</title>'

    return _GROUP.sub(group, svg)
