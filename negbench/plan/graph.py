"""What a plan holds: each stage once, whether it is stored, and who shares it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from negbench.plan.trials import Trial
from negbench.store import Stage, Store


@dataclass(frozen=True)
class Planned:
    """A stage of a plan: how many trials need it, and whether it is stored already."""

    stage: Stage
    users: int
    stored: bool


def planned(trials: Sequence[Trial], store: Store) -> list[Planned]:
    """Return each stage of ``trials`` once, inputs first."""
    users = Counter(stage.key for trial in trials for stage in trial.stages)
    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    return [Planned(stage, users[key], store.has(stage)) for key, stage in stages.items()]


def costs(trial: Trial, trials: Sequence[Trial], store: Store) -> dict[str, float]:
    """Return what a trial's artifacts took: alone from nothing, and what it alone added to this grid.

    ``seconds`` and amounts are stand-alone sums over its stages, ``seconds/KIND`` those of a kind of stage,
    ``peak_mib`` the most memory that one of them took; ``marginal_seconds`` sums the stages that no other trial of
    the grid uses.
    """
    users = Counter(stage.key for other in trials for stage in other.stages)
    total: Counter[str] = Counter()
    marginal = peak = 0.0
    for stage in trial.priced:
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
"""The amounts that add up over stages."""
