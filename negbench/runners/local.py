"""Run a plan in this process, one stage after another."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from negbench.errors import InputError, PartError
from negbench.plan.graph import planned
from negbench.plan.trials import Trial
from negbench.store import Stage, Store
from negbench.training.loop import TrainingError

EXPECTED_SECONDS = {"training": 30.0, "embeddings of document": 5.0, "teacher": 30.0, "scores": 20.0}
"""A first guess by kind, for the time left; what was measured replaces it as the run goes on."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: stages done of all that were missing, the next one, and the seconds left, estimated."""

    done: int
    total: int
    label: str
    seconds_left: float


def run(
    trials: Sequence[Trial],
    store: Store,
    report: Callable[[Progress], None],
    finished: Callable[[Trial, str | None], None],
    log: Callable[[str], None],
) -> dict[str, str]:
    """Make every missing artifact of ``trials``; return one line for each trial that failed, by its name.

    ``report`` hears before each stage, ``finished`` after each trial with its failure or None, ``log`` gets the
    traceback of a failure. A stage that fails ends the trials that need it, and only those.
    """
    missing = {item.stage.key: item.stage for item in planned(trials, store) if not item.stored}
    total, seen = len(missing), dict(EXPECTED_SECONDS)
    broken: dict[str, str] = {}
    failed: dict[str, str] = {}
    if missing:
        import sentence_transformers  # noqa: F401  (takes seconds, which no stage should be charged for)
    for trial in trials:
        failure = None
        for stage in trial.stages:
            if stage.key in broken:
                failure = broken[stage.key]
                break
            if stage.key not in missing:
                continue
            left = sum(seen.get(other.effort, 0.5) for other in missing.values())
            report(Progress(total - len(missing), total, f"{trial.name}: {stage.label}", left))
            del missing[stage.key]
            try:
                store.ensure(stage)
            except Exception as error:  # whatever it is, the other trials go on
                failure = broken[stage.key] = _one_line(stage, error)
                log("".join(traceback.format_exception(error)))
                break
            seen[stage.effort] = store.cost(stage)["seconds"]
        if failure is not None:
            failed[trial.name] = failure
        finished(trial, failure)
    return failed


def _one_line(stage: Stage, error: Exception) -> str:
    """Say what failed; what is not meant for users is named by its kind too, as in ``KeyError: 'train'``."""
    text = (str(error).strip().splitlines() or [""])[0]
    if not isinstance(error, InputError | TrainingError | PartError):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return f"{stage.label}: {text}"
