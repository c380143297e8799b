"""The rows of a grid's table: each method averaged over its seeds and compared with the baseline, with intervals."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from negbench.evaluation import in_batch, significance, stability
from negbench.evaluation.false_negatives import headline
from negbench.evaluation.significance import Estimate
from negbench.report.estimates import complete, of_trials, pooled
from negbench.types import Float64

Work = Literal["none", "equal", "less", "its paper's"]
"""How much a row trains: nothing as a reference, as much as all, less since rows are left out, or as its paper does."""

OWN = ("seconds", "marginal_seconds")
"""Costs with a field of their own in a row; the others are in ``costs``."""


@dataclass(frozen=True)
class Evidence:
    """Per-query data of trials, by the trial's name.

    ``values`` [Q] is the first measure of every query, NaN for a query without a positive. ``clusters`` [2, n] holds,
    by estimator, the weighted number of false negatives and of all negatives of every training query. ``elsewhere`` has
    the first measure on further collections, [Q] by the collection's name.
    """

    values: Mapping[str, Float64] = field(default_factory=dict)
    clusters: Mapping[str, Mapping[str, Float64]] = field(default_factory=dict)
    elsewhere: Mapping[str, Mapping[str, Float64]] = field(default_factory=dict)

    def joined(self, other: Evidence) -> Evidence:
        """Return the data of both; trials are in one of them."""
        return Evidence(
            {**self.values, **other.values},
            {**self.clusters, **other.clusters},
            {**self.elsewhere, **other.elsewhere},
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method at one point of the axes. Values are means over seeds; None where they do not apply.

    ``quality`` is the first measure of the grid and ``low``, ``high`` its 95 % interval over queries and seeds;
    ``spread`` is the standard deviation between seeds (None for one). ``gain`` is the paired difference to the
    baseline with its interval, ``p`` the p value of no difference, Holm-corrected over the ``family`` methods that are
    compared in the same table; references are not tested. ``same`` tells whether a difference of ``within`` or more
    is ruled out (two one-sided tests at 5 %, corrected over the same family). ``detectable`` is the smallest
    difference that is detected with 80 % power, at 5 % uncorrected. All three need two seeds shared with the baseline.

    ``rate``, ``rate_low``, ``rate_high`` are the primary false-negative rate by ``estimator``, which found no seed not
    estimable, seeds pooled query by query; ``in_batch`` that of the in-batch documents. ``filled`` is the share of
    random fill among the negatives.
    ``left_out`` is the number of training ``rows`` of all epochs that are left out for want of negatives; both are None
    where shortfalls are filled.
    ``audited``, ``audited_low``, ``audited_high`` are the rate by an audit of these very negatives, None without one;
    ``estimates`` those by every estimator, as ``estimates.of_trials`` calls them.
    ``index_recall`` is the share of an exact search's candidates that an approximate index finds, None for exact
    search. ``seconds`` is the cost of the method when nothing is shared, ``added`` its marginal cost: that of the
    stages that no other trial uses; ``costs`` has the other amounts. ``collapsed`` counts the seeds that ended below
    half of the median of all trainings at this point, ``spikes`` holds the mean number of spikes by curve.
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
    rows: float | None = None
    left_out: float | None = None
    audited: float | None = None
    audited_low: float | None = None
    audited_high: float | None = None
    estimates: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The method and its point on the axes."""
        return self.method + "".join(f", {key}={value}" for key, value in self.axes.items())

    @property
    def work(self) -> Work:
        """How much it trains: references are compared with all, methods with those of the same work alone."""
        if self.form == "reference":
            return "none"
        if self.form == "faithful":
            return "its paper's"
        return "less" if self.left_out else "equal"


def rows(results: dict[str, Any], measure: str, baseline: str | None, within: float, evidence: Evidence) -> list[Row]:
    """Average the trials of ``results`` over their seeds; rows are in the order of the trials."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in results["trials"]:
        groups.setdefault((json.dumps(trial["axes"]), trial["spelling"]), []).append(trial)
    table_rows: list[Row] = []
    families: dict[Work, list[tuple[int, Estimate]]] = {}  # each table is a family of its own
    for (point, spelling), trials in groups.items():
        gain = None
        if spelling != baseline:
            gain = _gain(_done(trials), _done(groups.get((point, baseline or ""), [])), evidence.values)
        at_point = [trial for (other, _), some in groups.items() if other == point for trial in _done(some)]
        trained = _real([trial["metrics"][measure] for trial in at_point if trial["form"] != "reference"])
        table_rows.append(_row(spelling, json.loads(point), trials, measure, trained, gain, evidence))
        if gain is not None and gain.tested and table_rows[-1].form != "reference":
            families.setdefault(table_rows[-1].work, []).append((len(table_rows) - 1, gain))
    for compared in families.values():
        decisions = significance.decide([gain for _, gain in compared], within)
        for (place, _), one in zip(compared, decisions, strict=True):
            same = one.same < 1 - significance.LEVEL
            table_rows[place] = replace(table_rows[place], p=one.differs, same=same, family=len(compared))
    return table_rows


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
    overall = significance.estimate(np.stack([evidence.values[trial["name"]] for trial in done])) if quality else None
    others = {name: value for name, value in _means(done, "metrics").items() if name != measure}
    rates = [trial["false_negatives"] for trial in done]
    rated = complete(done)
    clusters = [evidence.clusters.get(trial["name"], {}) for trial in done]
    estimator = headline([name for name in rated if sum(name in it for it in clusters) == len(rated[name])])
    counts = [it[estimator] for it in clusters if estimator in it] if estimator else []
    rate, rate_low, rate_high = pooled(counts) if counts else (math.nan, math.nan, math.nan)
    among = [one[name]["rate"] for one in rates for name in in_batch.NAMES.values() if name in one]
    return Row(
        method=spelling,
        form=trials[0]["form"],
        axes=point,
        seeds=len(done),
        failed=len(trials) - len(done),
        quality=_mean(quality),
        low=_known(overall.low) if overall else None,
        high=_known(overall.high) if overall else None,
        spread=statistics.stdev(quality) if len(quality) > 1 else None,
        gain=_known(gain.mean) if gain else None,
        gain_low=_known(gain.low) if gain else None,
        gain_high=_known(gain.high) if gain else None,
        p=None,
        family=0,
        same=None,
        detectable=_known(significance.detectable(gain)) if gain and gain.tested else None,
        others=others,
        estimator=None if math.isnan(rate) else estimator,
        rate=_known(rate),
        rate_low=_known(rate_low),
        rate_high=_known(rate_high),
        in_batch=_mean([share for share in among if share is not None]),
        filled=_mean([trial["draw"]["filled"] for trial in done if trial["draw"]]),
        seconds=_mean([trial["cost"]["seconds"] for trial in done]),
        added=_mean([trial["cost"]["marginal_seconds"] for trial in done]),
        costs={name: amount for name, amount in _means(done, "cost").items() if name not in OWN},
        collapsed=sum(stability.collapsed(value, trained) for value in quality) if not reference else 0,
        spikes=_means(done, "stability"),
        index_recall=_of_draws(done, "index_recall"),
        rows=_of_draws(done, "rows"),
        left_out=_of_draws(done, "rows_left_out"),
        estimates=of_trials(done, evidence.clusters),
    )


def _gain(
    done: Sequence[dict[str, Any]], against: Sequence[dict[str, Any]], values: Mapping[str, Float64]
) -> Estimate | None:
    """Estimate the difference to the baseline over shared seeds; None where there is none."""
    differences = list(paired(done, against, values).values())
    estimated = significance.estimate(np.stack(differences)) if differences else None
    return None if estimated is None or math.isnan(estimated.mean) else estimated


def paired(
    done: Sequence[dict[str, Any]], against: Sequence[dict[str, Any]], values: Mapping[str, Float64]
) -> dict[int, Float64]:
    """Return the differences [Q] to the baseline's trials by shared seed; a method without seeds is paired with all."""
    theirs = {trial["seed"]: values[trial["name"]] for trial in against if trial["name"] in values}
    differences: dict[int, Float64] = {}
    for trial in done:
        own = values.get(trial["name"])
        if own is None:
            continue
        if trial["seed"] is None:
            differences |= {seed: own - other for seed, other in theirs.items()}
        elif trial["seed"] in theirs:
            differences[trial["seed"]] = own - theirs[trial["seed"]]
    return differences


def differences(own: Mapping[int | None, Float64], other: Mapping[int | None, Float64]) -> Float64 | None:
    """Return the differences [S, Q] of values [Q] by seed, over shared seeds; None where there are none.

    Values without a seed are paired with each seed of the other.
    """
    seeds: list[int | None] = [seed for seed in own if seed is not None]
    seeds = seeds or [seed for seed in other if seed is not None] or [None]
    pairs = [(own.get(seed, own.get(None)), other.get(seed, other.get(None))) for seed in seeds]
    shared = [one - another for one, another in pairs if one is not None and another is not None]
    return np.stack(shared) if shared and len({len(one) for one in shared}) == 1 else None


def _means(done: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """Return the mean over trials of every value under ``key``; names that are NaN in all trials are left out."""
    names = dict.fromkeys(name for trial in done for name in trial[key])
    means = {name: _mean([trial[key][name] for trial in done if name in trial[key]]) for name in names}
    return {name: value for name, value in means.items() if value is not None}


def _of_draws(done: Sequence[dict[str, Any]], name: str) -> float | None:
    """Return the mean of what draws say under ``name``; None where none says it."""
    return _mean([trial["draw"][name] for trial in done if name in trial["draw"]])


def _done(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in trials if trial["status"] == "done"]


def _real(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float]) -> float | None:
    real = _real(values)
    return sum(real) / len(real) if real else None
