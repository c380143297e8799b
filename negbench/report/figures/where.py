"""False-negative rate by rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from negbench.evaluation.breakdown import RANKS
from negbench.report.details import Detail
from negbench.report.figures import points, style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 0.02
"""Smallest share of a method's negatives for a bin to be drawn; details.csv has all bins."""

WITHOUT = ("filled", "random")
"""Bins of negatives that have no rank."""


def draw(rows: Sequence[Row], details: Sequence[Detail]) -> Figure | None:
    """Draw one line per method over ranks (log scale), with 95 % intervals; one panel per point of the axes.

    Negatives without a rank are drawn on the right.
    """
    looks, short = style.looks(style.trained(rows)), style.names(rows)
    ranked = [one for one in details if one.group == "rank" and one.method in looks]
    shown = [one for one in ranked if one.reference >= LEAST and one.rate is not None]
    if not shown:
        return None
    figure, panels = style.panels(shown, 3.8)
    for axes, of_panel in panels:
        methods = list(dict.fromkeys(one.method for one in of_panel))
        places = _places([one.name for one in of_panel])
        for index, method in enumerate(methods):
            aside = 4 ** (0.5 * ((index + 0.5) / len(methods) - 0.5))  # or the intervals would hide one another
            at_ranks = [one for one in of_panel if one.method == method and one.name not in WITHOUT]
            alone = [[one] for one in of_panel if one.method == method and one.name in WITHOUT]
            for bins in (at_ranks, *alone):
                middles = [places[one.name] * aside for one in bins]
                line = style.LINES[list(looks).index(method) % len(style.LINES)]
                _line(axes, bins, middles, looks[method] | {"linestyle": line, "label": short[method]})
        _ticks(axes, places)
        top = max(5.0, *(min(100 * (one.high or 0), 250 * (one.rate or 0)) for one in of_panel))
        axes.set_ylim(-0.03 * top, 1.05 * top)  # a few negatives have an interval that would flatten all others
        axes.set_ylabel("false negatives, % of the negatives at that rank")
    style.legend(figure)
    return figure


def _places(names: Sequence[str]) -> dict[str, float]:
    """Return the horizontal position of each bin: its geometric middle; the last bin, without an end, counts as
    fourfold. Bins of negatives without a rank are set apart on the right.
    """
    places = {}
    for name in (name for name in RANKS if name in names and name not in WITHOUT):
        first, _, last = name.partition("-")
        places[name] = math.sqrt(int(first) * (int(last) if last else 4 * int(first)))
    apart = 8 * max(places.values(), default=1.0)
    return places | {name: apart for name in WITHOUT if name in names}


def _line(axes: Axes, bins: Sequence[Detail], places: Sequence[float], look: dict[str, Any]) -> None:
    if not bins:
        return
    rates = [100 * (one.rate or 0.0) for one in bins]
    below = [max(0.0, rate - 100 * (one.low or 0.0)) for rate, one in zip(rates, bins, strict=True)]
    above = [max(0.0, 100 * (one.high or 0.0) - rate) for rate, one in zip(rates, bins, strict=True)]
    axes.errorbar(places, rates, [below, above], **look, markersize=5.5, capsize=2.5, elinewidth=1, linewidth=1.4)
    for one, place, rate in zip(bins, places, rates, strict=True):
        where = {"filled": "random fill", "random": "random order"}.get(one.name, f"ranks {one.name}")
        called = ", ".join(filter(None, [one.method, style.point(one)]))
        said = f"false negatives {points.value(one.rate or 0.0, one.low, one.high, '.1f', 100)} %, seeds pooled"
        points.add(axes, place, rate, f"{called}, {where}: {said}; {100 * one.reference:.0f} % of its negatives")


def _ticks(axes: Axes, places: Mapping[str, float]) -> None:
    ticks = {
        place: "random fill\nor order" if name in WITHOUT else name.replace("-", "–") for name, place in places.items()
    }
    if any(name in WITHOUT for name in places):
        axes.axvline(max(ticks) / math.sqrt(8), color="#555555", linewidth=0.8, linestyle=":")
    axes.set_xscale("log", base=4)
    axes.set_xlim(min(ticks) / 2, max(ticks) * 2)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.set_xlabel("rank of the negative in the candidate pool")
