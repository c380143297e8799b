"""Samples of finished trials and evaluations, read from the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from negbench.errors import InputError
from negbench.evaluation import in_batch
from negbench.evaluation.false_negatives import headline
from negbench.papers.paired import Queries
from negbench.papers.rows import IN_BATCH, OVERLAP, RATE
from negbench.papers.samples import Sample, rate
from negbench.plan.trials import Trial
from negbench.report import results
from negbench.stages.evaluation.false_negatives import read_clusters, read_rates
from negbench.stages.evaluation.overlap_with_top import OverlapWithTop
from negbench.stages.evaluation.quality import EvaluateAmong, EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import TRAINING_SPLIT
from negbench.store import Stage, Store
from negbench.types import Float64

Ranked = EvaluateEncoder | EvaluateRetriever | EvaluateAmong
WHOLE = ("",)
"""The query of a measure that has one value a trial."""


@dataclass(frozen=True)
class Trials:
    """The trials of one row, a seed each, among ``every`` trial of their grid; all have run."""

    of_row: Sequence[Trial]
    every: Sequence[Trial]
    queries: Queries

    @property
    def store(self) -> Store:
        """Where their stages are."""
        return self.queries.store

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """The seeds; None for a reference without a seed."""
        seeds = tuple(trial.seed for trial in self.of_row if trial.seed is not None)
        return seeds or None

    def sample(self, measure: str) -> Sample:
        """Return a measure of the row. Raises InputError where a trial has none of that name."""
        if measure == RATE:
            return self._rate()
        if measure == IN_BATCH:
            return Sample(np.array([[self._in_batch(trial)] for trial in self.of_row]), WHOLE, self.seeds)
        if depth := OVERLAP.fullmatch(measure):
            return self._overlap(int(depth[1]))
        ranked = [ranked_by(trial, measure) for trial in self.of_row]
        if stages := [it for it in ranked if it is not None]:
            values = [of_evaluation(stage, name, self.queries) for stage, name in stages]
            return Sample(np.concatenate([it.values for it in values]), values[0].queries, self.seeds)
        return Sample(np.array([[self._recorded(it, measure)] for it in self.of_row]), WHOLE, self.seeds)

    def _rate(self) -> Sample:
        by_trial: list[Float64] = []
        for trial in self.of_row:
            clusters = read_clusters(trial.counts, self.store.path)
            name = headline([it for it in clusters if it != "copies"])
            if name is None or name not in clusters:
                raise InputError(f"{trial.name} has no {RATE}: its collection has no fuller judgments; give it truth")
            by_trial.append(clusters[name])
        return self._shares(by_trial)

    def _in_batch(self, trial: Trial) -> float:
        """Return the share of in-batch documents that are false negatives; the store has no values by query."""
        rates = read_rates(trial.counts, self.store.path)
        for name in in_batch.NAMES.values():
            if name in rates and rates[name]["rate"] is not None:
                return float(rates[name]["rate"])
        raise InputError(f"{trial.name} has no {IN_BATCH}: its collection has no fuller judgments; give it truth")

    def _overlap(self, depth: int) -> Sample:
        by_trial: list[Float64] = []
        for trial in self.of_row:
            evaluation = trial.evaluation
            assert isinstance(evaluation, EvaluateEncoder)
            assert trial.sequence is not None
            queries = replace(evaluation.queries, split=trial.sequence.split)
            stage = OverlapWithTop(trial.sequence, evaluation.documents, queries, depth)
            by_trial.append(np.load(self.store.ensure(stage) / "clusters.npy", allow_pickle=False))
            if not by_trial[-1][1].any():
                raise InputError(f"{trial.name} has no overlap@{depth}: it mines no negatives; name a method that does")
        return self._shares(by_trial)

    def _shares(self, by_trial: Sequence[Float64]) -> Sample:
        """Return the rate of hits and totals [2, Q] by trial, over training queries."""
        sizes = {it.shape[1] for it in by_trial}
        if len(sizes) > 1:
            raise InputError(
                f"{self.of_row[0].spelling}: its seeds are over different numbers of training queries; run the grid "
                "again"
            )
        hits, totals = np.stack(by_trial, axis=1)
        ids = self._training_queries()
        queries = ids if len(ids) == hits.shape[1] else tuple(f"#{at}" for at in range(hits.shape[1]))
        return rate(hits, totals, queries, self.seeds)

    def _training_queries(self) -> tuple[str, ...]:
        return self.queries.ids(self.of_row[0].evaluation.collection, TRAINING_SPLIT)

    def _recorded(self, trial: Trial, measure: str) -> float:
        """Return a value of ``results.json``: ``cost/seconds``, ``draw/filled``, ``negatives/cosine``, ..."""
        record = results.record(trial, self.every, self.store, None)
        known = {f"{group}/{name}": it for group in ("cost", "draw", "stability") for name, it in record[group].items()}
        known |= record["metrics"]
        if trial.sequence is not None:
            curves = trial.sequence.curves(self.store)
            known |= {f"curve/{name}": float(np.mean([it for _, it in curve])) for name, curve in curves.items()}
        if measure not in known:
            raise InputError(f"{trial.name} has no {measure}; give one of {', '.join(sorted(known))}")
        return float(known[measure])


def ranked_by(trial: Trial, measure: str) -> tuple[Ranked, str] | None:
    """Return the evaluation that has values of ``measure`` by query, and its name there; None where none has."""
    stages: dict[str, Stage] = {"": trial.evaluation}
    stages |= {f"{prefix}/": stage for prefix, stage in trial.extra_evaluations.items()}
    for prefix, stage in stages.items():
        name = measure.removeprefix(prefix)
        if isinstance(stage, Ranked) and measure.startswith(prefix) and name in stage.measures:
            return stage, name
    return None


def of_evaluation(stage: Ranked, measure: str, queries: Queries) -> Sample:
    """Return the values of a finished evaluation by query, without seeds."""
    loaded, split = stage.pool.collection if isinstance(stage, EvaluateAmong) else stage.collection, _split(stage)
    values = np.load(_values(queries.store.path(stage), measure), allow_pickle=False)
    return Sample(values[None], queries.ids(loaded, split), None)


def _split(stage: Ranked) -> str:
    return stage.pool.split if isinstance(stage, EvaluateAmong) else stage.split


def _values(folder: Path, measure: str) -> Path:
    return folder / f"{json.loads((folder / 'measures.json').read_text()).index(measure)}.npy"
