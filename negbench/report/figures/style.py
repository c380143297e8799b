"""Style that all figures share: colours and marks, legible in greyscale; panels per point of the axes; short names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from negbench.report.rows import Row
from negbench.report.table import short_methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")
LINES: tuple[Any, ...] = (
    *("-", "--", "-.", ":"),
    *((0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (9, 2, 2, 2)), (0, (2, 2)), (0, (8, 4))),
)
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--", "**", "||")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195", "#4d4d4d", "#a0a000", "#882255")
"""Okabe and Ito's colour-blind-safe colours and four more; marks and hatches tell them apart in greyscale."""

STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "negbench",  # the same bytes for the same figures
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
}

Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
"""Points (step, value) by trial and by curve."""

Trials = Sequence[Mapping[str, Any]]
"""Trials as in results.json."""


class Placed(Protocol):
    """A result of one method at one point of the axes."""

    @property
    def method(self) -> str:
        """The method's spelling."""

    @property
    def axes(self) -> dict[str, Any]:
        """Values by axis."""


P = TypeVar("P", bound=Placed)

BESIDE, BELOW = 16, 3
"""Most names of a legend to the right of the panels, and number of columns of a legend below them."""

SHORT = 20
"""Most letters of names of which two stand in a row on a phone."""

ACROSS = 2
"""Panels in one row."""

PHONE = 3.8
"""Width in inches of a figure for a phone: 365 pixels. Its panels stand below one another, its legend below them."""


def panels(
    rows: Sequence[P], height: float, sharey: bool = False, phone: bool = False
) -> tuple[Figure, list[tuple[Axes, list[P]]]]:
    """Return a figure with one panel per point of the axes, and each panel's rows; ``height`` of a panel in inches."""
    from matplotlib.figure import Figure

    points: dict[str, list[P]] = {}
    for row in rows:
        points.setdefault(json.dumps(row.axes), []).append(row)
    across = 1 if phone else min(ACROSS, len(points))
    down = -(-len(points) // across)
    width = PHONE if phone else 6.4 if across == 1 else 8.6
    figure = Figure(figsize=(width, height * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=sharey).flat
    filled_panels = []
    for axes, (_, of_panel) in zip(grid, points.items(), strict=False):
        if len(points) > 1:
            axes.set_title(point(of_panel[0]), loc="left")
        filled_panels.append((axes, of_panel))
    for axes in list(grid)[len(points) :]:
        axes.set_visible(False)
    return figure, filled_panels


def single(height: float, width: float = 6.4) -> tuple[Figure, Axes]:
    """Return a figure with one panel; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def legend(figure: Figure, phone: bool = False) -> None:
    """Add one legend for all panels, on the right or, if it is too long or the figure is for a phone, below."""
    handles = {name: handle for axes in figure.axes for handle, name in zip(*axes.get_legend_handles_labels())}  # noqa: B905
    entries = list(handles.values()), list(handles)
    if len(handles) <= BESIDE and not phone:
        figure.legend(*entries, loc="outside right upper")
        return
    columns = (2 if max(map(len, handles), default=0) <= SHORT else 1) if phone else BELOW
    rows = -(-len(handles) // columns)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.18 * rows)  # inches a row of small letters
    figure.legend(*entries, loc="outside lower left", ncols=columns)


def point(row: Placed) -> str:
    """Return a row's point on the axes, as in ``start=weak``."""
    return ", ".join(f"{key}={value}" for key, value in row.axes.items())


def names(rows: Sequence[Placed]) -> dict[str, str]:
    """Return a short name for each method."""
    return short_methods([row.method for row in rows], 26)


def labels(rows: Sequence[Row]) -> list[str]:
    """Return a short name for each row: its method and the values of its axes."""
    short = names(rows)
    return [", ".join([short[row.method], *[str(value) for value in row.axes.values()]]) for row in rows]


def looks(rows: Sequence[Placed]) -> dict[str, dict[str, Any]]:
    """Return a colour and a mark for each method, the same in every panel."""
    methods = list(dict.fromkeys(row.method for row in rows))
    return {
        method: {"color": COLOURS[index % len(COLOURS)], "marker": MARKS[index % len(MARKS)]}
        for index, method in enumerate(methods)
    }


def trained(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of finished methods, without references."""
    return [row for row in rows if row.form != "reference" and row.quality is not None]


def references(rows: Sequence[Row]) -> list[Row]:
    """Return the finished references: the starting encoder and BM25 search."""
    return [row for row in rows if row.form == "reference" and row.quality is not None]


def of(row: Row, trials: Trials) -> list[Mapping[str, Any]]:
    """Return the finished trials that a row averages."""
    return [
        trial
        for trial in trials
        if trial["status"] == "done" and trial["spelling"] == row.method and trial["axes"] == row.axes
    ]
