"""The false-negative rates of a row by every estimator, each called by its name and by what it is a share of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from negbench.evaluation import intervals
from negbench.types import Float64

_OF_NEGATIVES = "negative"
_ENDS = ("rate", "low", "high")


def of_trials(trials: Sequence[Mapping[str, Any]], clusters: Mapping[str, Mapping[str, Float64]]) -> dict[str, float]:
    """Return rates in [0, 1] and their interval ends by ``false_negatives/ESTIMATOR/UNIT/rate``, ``low`` and ``high``.

    ``trials`` are those of a row, as in results.json; an estimator that found one of them not estimable is left out.
    Seeds are pooled where ``clusters`` has every trial's counts by query, else means; an end is left out where a trial
    has none. UNIT is ``negative``, ``query`` or ``instance``, and ``index`` for what is no share.
    """
    found = {}
    for name, rates in complete(trials).items():
        counts = [clusters[it["name"]][name] for it in trials if name in clusters.get(it["name"], {})]
        if len(counts) == len(rates):
            values: Sequence[float | None] = pooled(counts)
        else:
            columns = [[rate[end] for rate in rates] for end in _ENDS]
            values = [None if None in column else sum(column) / len(column) for column in columns]
        for end, value in zip(_ENDS, values, strict=True):
            if value is not None and not math.isnan(value):
                found[f"{_called(name, rates[0]['unit'])}/{end}"] = value
    return found


def complete(trials: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rates of a row's trials by estimator, without those estimators that found one not estimable.

    The mean over the other seeds would be of a choice of seeds. Trials to which an estimator does not apply count for
    nothing.
    """
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        for name, rate in trial["false_negatives"].items():
            by_name.setdefault(name, []).append(rate)
    return {name: rates for name, rates in by_name.items() if all(rate["rate"] is not None for rate in rates)}


def pooled(clusters: Sequence[Float64]) -> tuple[float, float, float]:
    """Return the rate over the seeds and its interval, (rate, low, high), from hits and totals by query [2, n] of each.

    Counts of a query are averaged over seeds, not summed: a deterministic sampler draws the same negatives for every
    seed, which is no more evidence than one seed gives.
    """
    hits, totals = np.mean(clusters, axis=0)
    return intervals.proportion(hits, totals)


def further(estimates: Sequence[Mapping[str, float]], shown: Sequence[str]) -> list[str]:
    """Return the estimators with a share of negatives in some row, but for those that are ``shown`` in another place.

    A name with a slash is a second figure of its estimator.
    """
    named = dict.fromkeys(key.split("/")[1] for one in estimates for key in one if _is_share(key))
    return [name for name in named if name not in shown]


def cell(estimates: Mapping[str, float], name: str) -> str:
    """Return an estimator's share of negatives in percent with its interval; empty where a row has none."""
    rate, low, high = (estimates.get(f"{_called(name, _OF_NEGATIVES)}/{end}") for end in _ENDS)
    if rate is None:
        return ""
    return f"{100 * rate:.2f}" + ("" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]")


def _called(name: str, unit: str) -> str:
    own = name.endswith((f"/{unit}", "/index"))
    return f"false_negatives/{name}" if own else f"false_negatives/{name}/{unit}"


def _is_share(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 4 and parts[2:] == [_OF_NEGATIVES, "rate"]
