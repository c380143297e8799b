"""Ranking quality against the false-negative rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from negbench.report.figures import points, style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAR = 2


def draw(rows: Sequence[Row], trials: style.Trials, measure: str, phone: bool = False) -> Figure | None:
    """Draw means with 95 % intervals, seeds as dots, references as lines; one panel per point of the axes.

    References so far off that the methods could not be told apart beside them are in the legend alone. Without a
    false-negative rate, methods are listed on the vertical axis instead. ``phone`` makes it narrow, with its panels
    below one another.
    """
    trained = style.trained(rows)
    if not trained:
        return None
    known = any(row.rate is not None for row in trained)
    looks, short = style.looks(trained), style.names(rows)
    height = (3.4 if phone else 4.3) if known else 1.1 + 0.34 * max(len(looks), 5)
    figure, panels = style.panels([row for row in rows if row.quality is not None], height, not known, phone)
    for axes, of_panel in panels:
        for line, row in zip(style.LINES[1:], style.references(of_panel), strict=False):
            quality, look = row.quality or 0.0, {"color": "#555555", "linestyle": line, "linewidth": 1, "zorder": 1}
            if side := _far_off(quality, trained):
                axes.plot([], [], label=f"{short[row.method]}: {quality:.3f}, {side}", **look)
            else:
                (axes.axhline if known else axes.axvline)(quality, label=short[row.method], **look)
        if known:
            _against_rate(axes, style.trained(of_panel), trials, measure, looks, short)
        else:
            _below_one_another(axes, style.trained(of_panel), trials, measure, looks, short)
    style.legend(figure, phone)
    return figure


def _far_off(quality: float, trained: Sequence[Row]) -> str:
    """Return "lower" or "higher" where a value is further from the methods than twice the range of their intervals."""
    ends = [end for row in trained for end in (row.quality, row.low, row.high) if end is not None]
    reach = FAR * (max(ends) - min(ends))
    if reach and quality < min(ends) - reach:
        return "lower"
    return "higher" if reach and quality > max(ends) + reach else ""


def _against_rate(
    axes: Axes, rows: Sequence[Row], trials: style.Trials, measure: str, looks: dict[str, Any], short: dict[str, str]
) -> None:
    for row in rows:
        look = looks[row.method]
        if row.rate is None and row.filled is not None:  # it mines: at 0 it would have no false negatives
            axes.plot([], [], label=f"{short[row.method]}: {row.quality:.3f}, no rate", linestyle="none", **look)
            continue
        rate = 100 * row.rate if row.rate is not None else 0.0
        errors = _interval(row, "yerr")
        if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
            errors["xerr"] = [[max(0.0, 100 * (row.rate - row.rate_low))], [max(0.0, 100 * (row.rate_high - row.rate))]]
        _mean(axes, rate, row.quality, errors, look, short[row.method])
        _said(axes, rate, row.quality or 0.0, row, trials, measure)
        for trial in style.of(row, trials):
            estimated = trial["false_negatives"].get(row.estimator or "", {}).get("rate")
            if row.rate is not None and estimated is None:  # an estimator that does not apply to this seed
                continue
            x = 0.0 if estimated is None else 100 * estimated
            axes.plot(x, trial["metrics"][measure], ".", color=look["color"], markersize=4, alpha=0.7, zorder=2)
            _said_of_seed(axes, x, trial["metrics"][measure], row, trial, measure)
    estimators = " or ".join(dict.fromkeys(row.estimator for row in rows if row.rate is not None and row.estimator))
    axes.set_xlabel(f"false negatives ({estimators}), % of the mined\n(methods without mined negatives are at 0)")
    axes.set_ylabel(measure)


def _below_one_another(
    axes: Axes, rows: Sequence[Row], trials: style.Trials, measure: str, looks: dict[str, Any], short: dict[str, str]
) -> None:
    places = {method: len(looks) - index for index, method in enumerate(looks)}
    for row in rows:
        look, y = looks[row.method], places[row.method]
        for trial in style.of(row, trials):
            axes.plot(trial["metrics"][measure], y - 0.22, ".", color=look["color"], markersize=4, alpha=0.8, zorder=2)
            _said_of_seed(axes, trial["metrics"][measure], y - 0.22, row, trial, measure)
        _mean(axes, row.quality, y, _interval(row, "xerr"), look, None)
        _said(axes, row.quality or 0.0, y, row, trials, measure)
    axes.set_yticks(list(places.values()), [short[method] for method in places])
    axes.set_xlabel(measure)
    axes.grid(visible=False, axis="y")


def _said(axes: Axes, x: float, y: float, row: Row, trials: style.Trials, measure: str) -> None:
    """Say what a mean is: method, point of the axes, values with 95 % intervals, and seeds."""
    parts = [f"{measure} {points.value(row.quality or 0.0, row.low, row.high, '.4f')}"]
    if row.rate is not None:
        share = points.value(row.rate, row.rate_low, row.rate_high, ".1f", 100)
        parts.append(f"false negatives {share} % ({row.estimator})")
    seeds = [str(trial["seed"]) for trial in style.of(row, trials) if trial["seed"] is not None]
    if seeds:
        parts.append(f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}")
    points.add(axes, x, y, f"{_called(row)}: {'; '.join(parts)}")


def _said_of_seed(axes: Axes, x: float, y: float, row: Row, trial: Mapping[str, Any], measure: str) -> None:
    seed = "" if trial["seed"] is None else f", seed {trial['seed']}"
    points.add(axes, x, y, f"{_called(row)}{seed}: {measure} {trial['metrics'][measure]:.4f}")


def _called(row: Row) -> str:
    return ", ".join(filter(None, [row.method, style.point(row)]))


def _interval(row: Row, name: str) -> dict[str, Any]:
    if row.quality is None or row.low is None or row.high is None:
        return {}
    return {name: [[row.quality - row.low], [row.high - row.quality]]}


def _mean(axes: Axes, x: Any, y: Any, errors: dict[str, Any], look: dict[str, Any], label: str | None) -> None:
    axes.errorbar(
        x, y, **errors, **look, markersize=7, capsize=2.5, elinewidth=1, linestyle="none", label=label,
        markeredgecolor="black", markeredgewidth=0.6, zorder=3,
    )  # fmt: skip
