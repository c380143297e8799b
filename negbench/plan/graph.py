"""The stages of a plan: each once, whether it is stored, and how many trials share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from negbench.plan.trials import Trial
from negbench.store import Stage, Store


@dataclass(frozen=True)
class Planned:
    """A stage of a plan: how many trials need it, and whether it is stored already.

    ``damaged``: it is stored, but its files are damaged, or those of a stage that it rests on; it is made again.
    """

    stage: Stage
    users: int
    stored: bool
    damaged: bool = False


def planned(trials: Sequence[Trial], store: Store) -> list[Planned]:
    """Return each stage of ``trials`` once, inputs first."""
    users = Counter(stage.key for trial in trials for stage in trial.stages)
    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    damaged: set[str] = set()
    for key, stage in stages.items():
        if store.damage(stage) or any(parent.key in damaged for parent in stage.inputs):
            damaged.add(key)
    return [
        Planned(stage, users[key], store.has(stage) and key not in damaged, key in damaged)
        for key, stage in stages.items()
    ]


def costs(trial: Trial, trials: Sequence[Trial], store: Store) -> dict[str, float]:
    """Return the cost of a trial: stand-alone, and marginal to the other trials of the grid.

    ``seconds`` and amounts are stand-alone sums over its stages, ``seconds/KIND`` those of a kind of stage,
    ``peak_mib`` the most memory that one of them took; ``marginal_seconds`` sums the stages that no other trial of
    the grid uses, extra evaluations and breakdowns aside.
    """
    users = Counter(stage.key for other in trials for stage in other.costed_stages)
    total: Counter[str] = Counter()
    marginal = peak = 0.0
    for stage in trial.costed_stages:
        cost = store.cost(stage)
        peak = max(peak, cost.get("peak_mib", 0.0))
        total[f"seconds/{stage.kind}"] += cost["seconds"]  # type: ignore[assignment]
        marginal += cost["seconds"] if users[stage.key] == 1 else 0.0
        total.update({name: amount for name, amount in cost.items() if name in SUMMED})
    amounts = {**total, "marginal_seconds": marginal, "peak_mib": peak}
    return {name: round(amount, 3) for name, amount in amounts.items()}


SUMMED = (
    "seconds",
    "documents_encoded",
    "queries_encoded",
    "tokens_encoded",
    "documents_read",
    "queries_read",
    "tokens_read",
    "steps",
    "pairs_read",
    "teacher_calls",
    "refreshes",
    "refresh_seconds",
    "detection_seconds",
)
"""Cost entries that are summed over stages."""
