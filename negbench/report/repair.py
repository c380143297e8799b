"""What false negatives cost: figures from a grid whose draws were repaired and injected."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from negbench.evaluation import significance
from negbench.evaluation.false_negatives import meanings
from negbench.evaluation.hardness import hardness
from negbench.evaluation.significance import Estimate
from negbench.evaluation.slope import slopes
from negbench.plan.false_negatives import read_rates
from negbench.plan.trials import Trial
from negbench.repair import Repair
from negbench.repair.injected import Injected
from negbench.repair.relabelled import Relabelled
from negbench.repair.replaced import Replaced
from negbench.report.results import evidence
from negbench.store import Store
from negbench.types import CandidatePool, Float64, Negatives

AXIS = "repair"
"""The axis of a grid whose values are the variants of a method."""

AS_MINED, CLEAN = None, Replaced()
"""The variants that the others are compared with: the method itself, and without false negatives."""

ALL = "all samplers"


@dataclass(frozen=True)
class Trained:
    """A training: ``values`` of the first measure [Q], the false-negative ``rate`` reached, hardness, share filled."""

    values: Float64
    rate: float
    hardness: float
    filled: float


@dataclass(frozen=True)
class Series:
    """A method at a point of the other axes: its finished trainings by variant and seed."""

    method: str
    axes: dict[str, Any]
    trained: Mapping[Repair | None, Mapping[int, Trained]]

    @property
    def regressed(self) -> tuple[Repair | None, ...]:
        """The variants that differ in falseness alone: without false negatives, and with some injected."""
        return tuple(it for it in self.trained if it == CLEAN or isinstance(it, Injected))

    def seeds(self, variants: Sequence[Repair | None]) -> set[int]:
        """Return the seeds for which all of these variants are there."""
        found = [set(self.trained.get(variant, {})) for variant in variants]
        return set.intersection(*found) if found else set()

    def change(self, variant: Repair | None, against: Repair | None) -> Estimate:
        """Estimate the difference of two variants, paired by query and seed; NaN where none is there."""
        paired = [
            self.trained[variant][seed].values - self.trained[against][seed].values
            for seed in sorted(self.seeds((variant, against)))
        ]
        return significance.estimate(np.stack(paired) if paired else np.zeros((0, 0)))

    def mean(self, variant: Repair | None, what: str) -> float:
        """Return the mean over seeds of a variant's ``rate``, ``hardness`` or ``filled``."""
        found = [getattr(one, what) for one in self.trained.get(variant, {}).values()]
        return float(np.mean(found)) if found else math.nan


@dataclass(frozen=True)
class Point:
    """A variant: its rate, and its change against the one without false negatives, with a 95 % interval."""

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


@dataclass(frozen=True)
class Loss:
    """The measure lost for each unit of the false-negative rate, a share: points a percentage point, too.

    ``highest``: the highest rate that it was seen at.
    """

    method: str
    axes: dict[str, Any]
    seeds: int
    highest: float
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """What a repair gained over the method as mined; ``expected`` of rate times loss.

    ``p`` and ``same`` (no difference) are adjusted by Holm over all gains; with one seed there is neither, and no
    ``detectable``.
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
        """Whether the repair pays."""
        if self.p < 1 - significance.LEVEL:
            return "pays" if self.gain > 0 else "harms"
        return "no difference" if self.same else "undecided"


def gather(trials: Sequence[Trial], store: Store) -> list[Series]:
    """Return the series of every method that mines, with what of it is finished and has a rate."""
    found: dict[tuple[str, str], dict[Repair | None, dict[int, Trained]]] = {}
    pools: dict[str, CandidatePool] = {}
    for trial in trials:
        ends = trial.evaluation, *trial.counts
        if trial.negatives is None or trial.seed is None or not all(store.has(end) for end in ends):
            continue
        axes = {key: value for key, value in trial.point.items() if key != AXIS}
        series = found.setdefault((trial.spelling, json.dumps(axes)), {})
        pool = trial.negatives.pool
        if pool.key not in pools:
            pools = {pool.key: store.load(CandidatePool, pool)}  # one at a time: they may be large
        made = _trained(trial, pools[pool.key], store)
        if made is not None:
            series.setdefault(trial.settings.repair, {})[trial.seed] = made
    return [Series(method, json.loads(axes), trained) for (method, axes), trained in found.items() if trained]


def _trained(trial: Trial, pool: CandidatePool, store: Store) -> Trained | None:
    assert trial.negatives is not None
    rates = read_rates(trial.counts, store.path)
    rate = next((rates[name]["rate"] for name in meanings() if name in rates), None)
    if rate is None:
        return None
    negatives = store.load(Negatives, trial.negatives)
    handed = negatives.documents >= 0
    filled = float(((negatives.origins == 1) & handed).sum() / max(int(handed.sum()), 1))
    values = evidence([trial], store).values[trial.name]
    return Trained(values, float(rate), hardness(negatives, pool), filled)


def points(series: Series) -> list[Point]:
    """Return every variant beside the one without false negatives."""
    found = []
    for variant in series.trained:
        change = series.change(variant, CLEAN)
        low, high = (change.low, change.high) if variant != CLEAN else (0.0, 0.0)
        found.append(
            Point(
                series.method,
                series.axes,
                called(variant),
                len(series.trained[variant]),
                series.mean(variant, "rate"),
                series.mean(variant, "hardness"),
                series.mean(variant, "filled"),
                change.mean,
                low,
                high,
            )
        )
    return found


def loss(some: Sequence[Series]) -> Loss:
    """Return what the rate costs one method, or all of a point with one slope; NaN where too little is there."""
    first = some[0]
    method = first.method if len(some) == 1 else ALL
    variants = [it for it in first.regressed if all(it in other.trained for other in some)]
    seeds = sorted(set.intersection(*[series.seeds(variants) for series in some]))
    if len(variants) < 2 or not seeds:
        return Loss(method, first.axes, len(seeds), *[math.nan] * 4)
    table = [[[series.trained[variant][seed] for variant in variants] for seed in seeds] for series in some]
    rates = np.array([[[one.rate for one in row] for row in by_seed] for by_seed in table])
    values = np.array([[[one.values for one in row] for row in by_seed] for by_seed in table])
    fall = significance.estimate(-slopes(rates, values))
    return Loss(method, first.axes, len(seeds), float(rates.max()), fall.mean, fall.low, fall.high)


def gains(all_series: Sequence[Series], losses: Sequence[Loss], within: float) -> list[Gain]:
    """Return what ``replaced`` and ``relabelled`` gained in every series; ``within`` is too little to matter."""
    found: list[Gain] = []
    tested: list[tuple[int, Estimate]] = []
    for series, cost in zip(all_series, losses, strict=True):
        rate = series.mean(AS_MINED, "rate")
        for variant in (CLEAN, Relabelled()):
            change = series.change(variant, AS_MINED)
            if math.isnan(change.mean):
                continue
            least = math.nan
            if change.tested:
                tested.append((len(found), change))
                least = significance.detectable(change)
            name, ends = called(variant), (change.mean, change.low, change.high)
            found.append(Gain(series.method, series.axes, name, rate, rate * cost.loss, *ends, math.nan, False, least))
    decisions = significance.decide([change for _, change in tested], within)
    for (at, _), one in zip(tested, decisions, strict=True):
        found[at] = replace(found[at], p=one.differs, same=one.same < 1 - significance.LEVEL)
    return found


def called(variant: Repair | None) -> str:
    """Return what a person calls a variant."""
    if isinstance(variant, Injected):
        return f"injected {100 * variant.rate:g} %"
    return "as mined" if variant is None else variant.spelling
