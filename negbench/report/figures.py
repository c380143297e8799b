"""Pictures of a grid's results: drawn from its rows and trials, legible in grey, as SVG and PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.report.rows import Row
from negbench.report.table import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")
LINES = ("-", "--", "-.", ":")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--", "**", "||")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195", "#4d4d4d", "#a0a000", "#882255")
"""Okabe and Ito's, which colour-blind readers tell apart, and four more; marks and hatches do so in grey."""

_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "negbench",  # the same bytes for the same figures
    "svg.fonttype": "none",
}

Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
"""Points (step, value) by trial and by curve."""


def draw(rows: Sequence[Row], trials: Sequence[Mapping[str, Any]], curves: Curves, measure: str) -> dict[str, Figure]:
    """Return the figures that there is something to draw for, by name."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        made = {
            "quality": _quality(rows, trials, measure),
            "costs": _costs(rows),
            "ranks": _ranks(rows, trials),
            "curves": _curves(rows, trials, curves),
        }
    return {name: figure for name, figure in made.items() if figure is not None}


def svg(figure: Figure) -> str:
    """Return the figure as an SVG element, without a date, so that the same figures give the same bytes."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _new(height: float, width: float = 6.4) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _names(rows: Sequence[Row]) -> dict[str, str]:
    """Return a short name for each row's label."""
    labels = [row.label for row in rows]
    return dict(zip(labels, shortened(labels, 26), strict=True))


def _look(at: int) -> dict[str, Any]:
    return {"color": COLOURS[at % len(COLOURS)], "marker": MARKS[at % len(MARKS)]}


def _trained(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.form != "reference" and row.quality is not None]


def _of(row: Row, trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [
        trial
        for trial in trials
        if trial["status"] == "done" and trial["spelling"] == row.method and trial["axes"] == row.axes
    ]


def _quality(rows: Sequence[Row], trials: Sequence[Mapping[str, Any]], measure: str) -> Figure | None:
    """Quality against the false-negative rate: means with 95 % intervals, seeds as dots, references as lines."""
    trained, short = _trained(rows), _names(rows)
    if not trained:
        return None
    figure, axes = _new(4.3)
    for at, row in enumerate(trained):
        look = _look(at)
        rate = 100 * row.rate if row.rate is not None else 0.0
        assert row.quality is not None
        errors: dict[str, Any] = {}
        if row.low is not None and row.high is not None:
            errors["yerr"] = [[row.quality - row.low], [row.high - row.quality]]
        if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
            errors["xerr"] = [[max(0.0, 100 * (row.rate - row.rate_low))], [max(0.0, 100 * (row.rate_high - row.rate))]]
        axes.errorbar(
            rate, row.quality, **errors, **look, markersize=8, capsize=2.5, elinewidth=1, linestyle="none",
            label=short[row.label], markeredgecolor="black", markeredgewidth=0.6, zorder=3,
        )  # fmt: skip
        for trial in _of(row, trials):
            found = trial["false_negatives"].get(row.estimator or "", {}).get("rate")
            x = 0.0 if found is None else 100 * found
            axes.plot(x, trial["metrics"][measure], ".", color=look["color"], markersize=4, alpha=0.7, zorder=2)
    for line, row in zip(LINES[1:], [row for row in rows if row.form == "reference"], strict=False):
        if row.quality is not None:
            axes.axhline(row.quality, color="#555555", linestyle=line, linewidth=1, label=short[row.label], zorder=1)
    axes.set_xlabel("false negatives among the mined negatives, % (methods without any stand at 0)")
    axes.set_ylabel(measure)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return figure


def _costs(rows: Sequence[Row]) -> Figure | None:
    """Seconds from nothing, by kind of stage; a mark where the method would be without what others share."""
    trained, short = _trained(rows), _names(rows)
    kinds = list(dict.fromkeys(name for row in trained for name in row.costs if name.startswith("seconds/")))
    kinds = [kind for kind in kinds if any(row.costs.get(kind, 0) >= 0.05 for row in trained)]
    if not kinds:
        return None
    figure, axes = _new(0.9 + 0.34 * len(trained))
    places = np.arange(len(trained))[::-1]
    left = np.zeros(len(trained))
    for at, kind in enumerate(kinds):
        width = np.array([row.costs.get(kind, 0.0) for row in trained])
        axes.barh(
            places, width, left=left, height=0.7, color=COLOURS[at % len(COLOURS)], edgecolor="white", linewidth=0.5,
            hatch=HATCHES[at % len(HATCHES)], label=kind.removeprefix("seconds/"),
        )  # fmt: skip
        left += width
    added = [row.added if row.added is not None else math.nan for row in trained]
    axes.plot(added, places, "D", color="black", markersize=5, label="added to this grid")
    axes.set_yticks(places, [short[row.label] for row in trained])
    axes.set_xlabel("seconds a seed, from nothing")
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return figure


def _ranks(rows: Sequence[Row], trials: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Where in the ranking the negatives come from: shares by rank, dark where many."""
    short = _names(rows)
    shares, names = [], []
    bins: list[str] = []
    for row in _trained(rows):
        counts = [trial["ranks"] for trial in _of(row, trials) if trial.get("ranks")]
        if counts:
            bins = list(counts[0])
            summed = np.array([sum(count[name] for count in counts) for name in bins], np.float64)
            shares.append(100 * summed / max(summed.sum(), 1.0))
            names.append(short[row.label])
    if not shares:
        return None
    table = np.stack(shares)
    used = table.sum(axis=0) > 0
    table, bins = table[:, used], [name for name, keep in zip(bins, used, strict=True) if keep]
    figure, axes = _new(0.9 + 0.36 * len(names))
    axes.imshow(table, aspect="auto", cmap="Greys", vmin=0, vmax=100)
    for row_at, line in enumerate(table):
        for at, share in enumerate(line):
            if share >= 0.5:
                axes.text(
                    at, row_at, f"{share:.0f}", ha="center", va="center", color="white" if share > 55 else "black"
                )
    axes.set_xticks(range(len(bins)), bins, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("rank in the pool (filled: drawn from the corpus after a shortfall); % of the negatives")
    axes.grid(visible=False)
    return figure


def _curves(rows: Sequence[Row], trials: Sequence[Mapping[str, Any]], curves: Curves) -> Figure | None:
    """Quality on dev by step, or the loss where dev was not watched: mean over seeds, seeds as thin lines."""
    trained, short = _trained(rows), _names(rows)
    named = {name for found in curves.values() for name in found}
    name = next((name for name in sorted(named) if name.startswith("dev_")), "loss" if "loss" in named else None)
    if name is None:
        return None
    figure, axes = _new(3.6)
    for at, row in enumerate(trained):
        found = [curves[trial["name"]][name] for trial in _of(row, trials) if name in curves.get(trial["name"], {})]
        if not found:
            continue
        look: dict[str, Any] = {"color": COLOURS[at % len(COLOURS)], "linestyle": LINES[at % len(LINES)]}
        for points in found if len(found) > 1 else []:
            axes.plot(*zip(*points, strict=True), linewidth=0.5, alpha=0.5, **look)
        steps = [step for step, _ in found[0]]
        if all([step for step, _ in points] == steps for points in found):
            mean = np.mean([[value for _, value in points] for points in found], axis=0)
            mark = MARKS[at % len(MARKS)] if len(steps) <= 20 else None
            axes.plot(steps, mean, linewidth=1.6, marker=mark, markersize=5, label=short[row.label], **look)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel(
        name.replace("dev_", "") + " on dev, a part of the corpus" if name.startswith("dev_") else "training loss"
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return figure
