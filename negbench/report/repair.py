"""Cost of false negatives, estimated from a grid with repaired and injected negatives."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from negbench.evaluation import significance
from negbench.evaluation.false_negatives import headline
from negbench.evaluation.hardness import hardness
from negbench.evaluation.significance import Estimate
from negbench.evaluation.slope import slopes
from negbench.plan.trials import Trial
from negbench.repair import Repair
from negbench.repair.injected import Injected
from negbench.repair.relabelled import Relabelled
from negbench.repair.replaced import Replaced
from negbench.report.results import evidence
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.store import Store
from negbench.types import CandidatePool, Float64, Negatives

AXIS = "repair"
"""Axis of the grid whose values are the variants of a method."""

AS_MINED, CLEAN = None, Replaced()
"""The two reference variants: the method as mined, and without false negatives."""

ALL = "all samplers"


@dataclass(frozen=True)
class Trained:
    """One training: ``values`` of the first measure [Q], false-negative ``rate``, hardness, share of random fill."""

    values: Float64
    rate: float
    hardness: float
    filled: float


@dataclass(frozen=True)
class Series:
    """Finished trainings of one method at one point of the other axes, by variant and seed."""

    method: str
    axes: dict[str, Any]
    trained: Mapping[Repair | None, Mapping[int, Trained]]

    @property
    def regressed(self) -> tuple[Repair | None, ...]:
        """Variants that differ only in the false-negative rate: replaced, and injected."""
        return tuple(it for it in self.trained if it == CLEAN or isinstance(it, Injected))

    def seeds(self, variants: Sequence[Repair | None]) -> set[int]:
        """Return the seeds that all of these variants have."""
        seeds = [set(self.trained.get(variant, {})) for variant in variants]
        return set.intersection(*seeds) if seeds else set()

    def change(self, variant: Repair | None, against: Repair | None) -> Estimate:
        """Estimate the difference of two variants, paired by query and seed; NaN without a shared seed."""
        paired = [
            self.trained[variant][seed].values - self.trained[against][seed].values
            for seed in sorted(self.seeds((variant, against)))
        ]
        return significance.estimate(np.stack(paired) if paired else np.zeros((0, 0)))

    def mean(self, variant: Repair | None, what: str) -> float:
        """Return the mean over seeds of a variant's ``rate``, ``hardness`` or ``filled``."""
        values = [getattr(one, what) for one in self.trained.get(variant, {}).values()]
        return float(np.mean(values)) if values else math.nan


@dataclass(frozen=True, kw_only=True)
class Point:
    """A variant: its rate, and its change against the variant without false negatives, with a 95 % interval."""

    method: str
    axes: dict[str, Any]
    variant: str
    seeds: int
    rate: float
    hardness: float
    filled: float
    change: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Loss of the measure per unit of the false-negative rate, which equals points per percentage point.

    ``highest`` is the highest rate among the trainings.
    """

    method: str
    axes: dict[str, Any]
    seeds: int
    highest: float
    loss: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Gain of a repair over the method as mined; ``expected`` is the rate times the loss.

    ``p`` and ``same`` (equivalence) are Holm-corrected over all gains. With one seed, ``p`` and ``detectable`` are NaN.
    """

    method: str
    axes: dict[str, Any]
    variant: str
    rate: float
    expected: float
    gain: float
    low: float
    high: float
    p: float
    same: bool
    detectable: float

    @property
    def verdict(self) -> str:
        """Verdict of the tests: ``pays``, ``harms``, ``no difference``, or ``undecided``, for want of data or ``after
        correction``, where its own interval leaves out 0.
        """
        if self.p < 1 - significance.LEVEL:
            return "pays" if self.gain > 0 else "harms"
        if self.same:
            return "no difference"
        return "undecided after correction" if self.p >= 0 and self.low * self.high > 0 else "undecided"  # p may be NaN


def gather(trials: Sequence[Trial], store: Store) -> list[Series]:
    """Return the series of every method that mines, from finished trials with a false-negative rate."""
    by_method: dict[tuple[str, str], dict[Repair | None, dict[int, Trained]]] = {}
    pools: dict[str, CandidatePool] = {}
    for trial in trials:
        ends = trial.evaluation, *trial.counts
        if trial.negatives is None or trial.seed is None or not all(store.has(end) for end in ends):
            continue
        axes = {key: value for key, value in trial.axis_values.items() if key != AXIS}
        series = by_method.setdefault((trial.spelling, json.dumps(axes)), {})
        pool = trial.negatives.pool
        if pool.key not in pools:
            pools = {pool.key: store.load(CandidatePool, pool)}  # one at a time: they may be large
        made = _trained(trial, pools[pool.key], store)
        if made is not None:
            series.setdefault(trial.settings.repair, {})[trial.seed] = made
    return [Series(method, json.loads(axes), trained) for (method, axes), trained in by_method.items() if trained]


def _trained(trial: Trial, pool: CandidatePool, store: Store) -> Trained | None:
    assert trial.negatives is not None
    rates = read_rates(trial.counts, store.path)
    estimator = headline(rates)
    if estimator is None or (rate := rates[estimator]["rate"]) is None:
        return None
    negatives = store.load(Negatives, trial.negatives)
    handed = negatives.documents >= 0
    filled = float(((negatives.origins == 1) & handed).sum() / max(int(handed.sum()), 1))
    values = evidence([trial], store).values[trial.name]
    return Trained(values, float(rate), hardness(negatives, pool), filled)


def points(series: Series) -> list[Point]:
    """Return every variant, compared with the one without false negatives."""
    compared = []
    for variant in series.trained:
        change = series.change(variant, CLEAN)
        low, high = (change.low, change.high) if variant != CLEAN else (0.0, 0.0)
        compared.append(
            Point(
                method=series.method,
                axes=series.axes,
                variant=called(variant),
                seeds=len(series.trained[variant]),
                rate=series.mean(variant, "rate"),
                hardness=series.mean(variant, "hardness"),
                filled=series.mean(variant, "filled"),
                change=change.mean,
                low=low,
                high=high,
            )
        )
    return compared


def loss(some: Sequence[Series]) -> Loss:
    """Return the loss of one series, or of several with a common slope; NaN with fewer than two variants."""
    first = some[0]
    method = first.method if len(some) == 1 else ALL
    variants = [it for it in first.regressed if all(it in other.trained for other in some)]
    seeds = sorted(set.intersection(*[series.seeds(variants) for series in some]))
    if len(variants) < 2 or not seeds:
        return Loss(
            method=method,
            axes=first.axes,
            seeds=len(seeds),
            highest=math.nan,
            loss=math.nan,
            low=math.nan,
            high=math.nan,
        )
    table = [[[series.trained[variant][seed] for variant in variants] for seed in seeds] for series in some]
    rates = np.array([[[one.rate for one in row] for row in by_seed] for by_seed in table])
    values = np.array([[[one.values for one in row] for row in by_seed] for by_seed in table])
    fall = significance.estimate(-slopes(rates, values))
    return Loss(
        method=method,
        axes=first.axes,
        seeds=len(seeds),
        highest=float(rates.max()),
        loss=fall.mean,
        low=fall.low,
        high=fall.high,
    )


def gains(all_series: Sequence[Series], losses: Sequence[Loss], within: float) -> list[Gain]:
    """Return the gains of ``replaced`` and ``relabelled`` in every series; ``within`` is the equivalence margin."""
    all_gains: list[Gain] = []
    tested: list[tuple[int, Estimate]] = []
    for series, cost in zip(all_series, losses, strict=True):
        rate = series.mean(AS_MINED, "rate")
        for variant in (CLEAN, Relabelled()):
            change = series.change(variant, AS_MINED)
            if math.isnan(change.mean):
                continue
            least = math.nan
            if change.tested:
                tested.append((len(all_gains), change))
                least = significance.detectable(change)
            gain = Gain(
                method=series.method,
                axes=series.axes,
                variant=called(variant),
                rate=rate,
                expected=rate * cost.loss,
                gain=change.mean,
                low=change.low,
                high=change.high,
                p=math.nan,
                same=False,
                detectable=least,
            )
            all_gains.append(gain)
    decisions = significance.decide([change for _, change in tested], within)
    for (place, _), one in zip(tested, decisions, strict=True):
        all_gains[place] = replace(all_gains[place], p=one.differs, same=one.same < 1 - significance.LEVEL)
    return all_gains


def called(variant: Repair | None) -> str:
    """Return the name of a variant in tables and figures."""
    if isinstance(variant, Injected):
        return f"injected {100 * variant.rate:g} %"
    return "as mined" if variant is None else variant.spelling
