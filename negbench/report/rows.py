"""The rows of a grid's table: a method averaged over its seeds, beside the baseline, with intervals."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from negbench.evaluation import intervals, significance, stability
from negbench.evaluation.false_negatives import meanings
from negbench.evaluation.significance import Estimate
from negbench.types import Float64

OWN = ("seconds", "marginal_seconds")
"""Costs that a row has a field for."""


@dataclass(frozen=True)
class Evidence:
    """What lies behind the means of trials, by the trial's name.

    ``values``: the first measure of every query [Q], NaN for a query without a positive. ``clusters``: by estimator,
    hits and totals of every training query [2, n].
    """

    values: Mapping[str, Float64] = field(default_factory=dict)
    clusters: Mapping[str, Mapping[str, Float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One method at one point of the axes. Figures are means over seeds; None where they do not apply.

    ``quality`` is the first measure of the grid and ``low``, ``high`` its 95 % interval over queries and seeds;
    ``spread`` is the standard deviation between seeds (None for one). ``gain`` is the paired difference to the
    baseline with its interval, ``p`` the p value of no difference, adjusted by Holm over the ``family`` methods
    that are compared in the same table; references are not among them. ``same``: a difference of ``within`` or more
    is ruled out (two one-sided tests, 5 %, adjusted over the same family). ``detectable``: the least difference that
    would be found with a power of 80 %, at 5 % unadjusted. None of the three with one seed shared with the baseline.

    ``rate``, ``rate_low``, ``rate_high`` are the primary false-negative rate by ``estimator``, seeds pooled query by
    query; ``in_batch`` that of the in-batch documents. ``filled`` is the share of negatives that were filled in.
    ``index_recall`` is the share of an exact search's candidates that an approximate one found, None for an exact one.
    ``seconds`` is the cost of the method alone, ``added`` what it added; ``costs`` has the other amounts. ``collapsed``
    counts the seeds that ended below half of the median of all trainings at this point, ``spikes`` holds the mean
    number of spikes by curve.
    """

    method: str
    form: str
    axes: dict[str, Any]
    seeds: int
    failed: int
    quality: float | None
    low: float | None
    high: float | None
    spread: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    p: float | None
    family: int
    same: bool | None
    detectable: float | None
    others: dict[str, float]
    estimator: str | None
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    in_batch: float | None
    filled: float | None
    seconds: float | None
    added: float | None
    costs: dict[str, float]
    collapsed: int
    spikes: dict[str, float]
    index_recall: float | None = None

    @property
    def label(self) -> str:
        """The method and its point on the axes."""
        return self.method + "".join(f", {key}={value}" for key, value in self.axes.items())


def rows(results: dict[str, Any], measure: str, baseline: str | None, within: float, evidence: Evidence) -> list[Row]:
    """Average the trials of ``results`` over their seeds, in the order in which they stand."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in results["trials"]:
        groups.setdefault((json.dumps(trial["axes"]), trial["spelling"]), []).append(trial)
    found: list[Row] = []
    families: dict[bool, list[tuple[int, Estimate]]] = {}  # each of the two tables is a family of its own
    for (point, spelling), trials in groups.items():
        gain = None
        if spelling != baseline:
            gain = _gain(_done(trials), _done(groups.get((point, baseline or ""), [])), evidence.values)
        at_point = [trial for (other, _), some in groups.items() if other == point for trial in _done(some)]
        trained = _real([trial["metrics"][measure] for trial in at_point if trial["form"] != "reference"])
        found.append(_row(spelling, json.loads(point), trials, measure, trained, gain, evidence))
        if gain is not None and gain.tested and found[-1].form != "reference":
            families.setdefault(found[-1].form == "faithful", []).append((len(found) - 1, gain))
    for compared in families.values():
        decisions = significance.decide([gain for _, gain in compared], within)
        for (at, _), one in zip(compared, decisions, strict=True):
            same = one.same < 1 - significance.LEVEL
            found[at] = replace(found[at], p=one.differs, same=same, family=len(compared))
    return found


def _row(
    spelling: str,
    point: dict[str, Any],
    trials: list[dict[str, Any]],
    measure: str,
    trained: Sequence[float],
    gain: Estimate | None,
    evidence: Evidence,
) -> Row:
    done, reference = _done(trials), trials[0]["form"] == "reference"
    quality = _real([trial["metrics"][measure] for trial in done])
    whole = significance.estimate(np.stack([evidence.values[trial["name"]] for trial in done])) if quality else None
    others = {name: value for name, value in _means(done, "metrics").items() if name != measure}
    rates = [trial["false_negatives"] for trial in done]
    known = [name for one in rates for name, rate in one.items() if rate["rate"] is not None]
    estimator = next((name for name in meanings() if name in known), None)
    rate, rate_low, rate_high = _pooled([trial["name"] for trial in done], estimator, evidence.clusters)
    in_batch = [
        rate["rate"]
        for one in rates
        for name, rate in one.items()
        if name.endswith("/in-batch") and rate["rate"] is not None
    ]
    return Row(
        method=spelling,
        form=trials[0]["form"],
        axes=point,
        seeds=len(done),
        failed=len(trials) - len(done),
        quality=_mean(quality),
        low=_known(whole.low) if whole else None,
        high=_known(whole.high) if whole else None,
        spread=statistics.stdev(quality) if len(quality) > 1 else None,
        gain=_known(gain.mean) if gain else None,
        gain_low=_known(gain.low) if gain else None,
        gain_high=_known(gain.high) if gain else None,
        p=None,
        family=0,
        same=None,
        detectable=_known(significance.detectable(gain)) if gain and gain.tested else None,
        others=others,
        estimator=estimator,
        rate=_known(rate),
        rate_low=_known(rate_low),
        rate_high=_known(rate_high),
        in_batch=_mean(in_batch),
        filled=_mean([trial["draw"]["filled"] for trial in done if trial["draw"]]),
        seconds=_mean([trial["cost"]["seconds"] for trial in done]),
        added=_mean([trial["cost"]["marginal_seconds"] for trial in done]),
        costs={name: amount for name, amount in _means(done, "cost").items() if name not in OWN},
        collapsed=sum(stability.collapsed(value, trained) for value in quality) if not reference else 0,
        spikes=_means(done, "stability"),
        index_recall=_mean([trial["draw"]["index_recall"] for trial in done if "index_recall" in trial["draw"]]),
    )


def _gain(
    done: Sequence[dict[str, Any]], against: Sequence[dict[str, Any]], values: Mapping[str, Float64]
) -> Estimate | None:
    """Estimate the difference to the baseline over the seeds that both have; one without a seed meets them all."""
    theirs = {trial["seed"]: values[trial["name"]] for trial in against}
    differences = []
    for trial in done:
        mine = values[trial["name"]]
        if trial["seed"] is None:
            differences += [mine - other for other in theirs.values()]
        elif trial["seed"] in theirs:
            differences.append(mine - theirs[trial["seed"]])
    found = significance.estimate(np.stack(differences)) if differences else None
    return None if found is None or math.isnan(found.mean) else found


def _pooled(
    names: Sequence[str], estimator: str | None, clusters: Mapping[str, Mapping[str, Float64]]
) -> tuple[float, float, float]:
    """Return the rate over the seeds and its interval.

    A query is a cluster, whatever the seed. Its hits and totals are averaged, not summed: a sampler without noise
    draws the same negatives for every seed, and these are no more evidence than one seed's.
    """
    found = [clusters[name][estimator] for name in names if estimator and estimator in clusters.get(name, {})]
    if not found:
        return math.nan, math.nan, math.nan
    hits, totals = np.mean(found, axis=0)
    return intervals.proportion(hits, totals)


def _means(done: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """Return the mean over trials of every figure under ``key`` that is a number in some of them."""
    names = dict.fromkeys(name for trial in done for name in trial[key])
    means = {name: _mean([trial[key][name] for trial in done if name in trial[key]]) for name in names}
    return {name: value for name, value in means.items() if value is not None}


def _done(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in trials if trial["status"] == "done"]


def _real(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float]) -> float | None:
    real = _real(values)
    return sum(real) / len(real) if real else None
