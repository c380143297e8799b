"""A trial's log for MLflow."""

from __future__ import annotations

from typing import Any

from negbench import tracking
from negbench.plan.trials import Trial
from negbench.report.card import card, intervals
from negbench.store import Store


def trial_log(trial: Trial, row: dict[str, Any], store: Store, with_model: bool) -> tracking.TrialLog:
    """Return the MLflow log of a finished trial; ``row`` is its record in results.json.

    The trial's period starts with its training or, without one, with its evaluation; shared stages are not included.
    """
    settings, training = trial.settings, trial.training
    curves = {} if trial.sequence is None else trial.sequence.curves(store)
    estimates = row["false_negatives"].items()
    rates = {f"false_negatives/{name}": rate["rate"] for name, rate in estimates if rate["rate"] is not None}
    costs = {f"cost/{name}": amount for name, amount in row["cost"].items()}
    draw = {f"draw/{name}": amount for name, amount in row["draw"].items()}
    recipe = {f"train.{name}": value for name, value in settings.train.model_dump(mode="json").items()}
    collection = trial.evaluation.collection
    trainings = () if trial.sequence is None else trial.sequence.trainings
    began, _ = store.period(trainings[0] if trainings else trial.evaluation)
    _, ended = store.period(trial.evaluation)
    return tracking.TrialLog(
        key=f"{trial.evaluation.key}-{trial.name}",
        name=trial.name,
        parameters={
            "method": trial.method,
            "spelling": trial.spelling,
            "form": trial.form,
            "seed": trial.seed,
            "encoder": settings.encoder.spelling,
            "negatives": settings.negatives,
            **recipe,
            **{f"axes.{name}": str(value) for name, value in trial.axis_values.items()},
        },
        metrics={**row["metrics"], **rates, **costs, **draw},
        curves={f"train/{name}": points for name, points in curves.items()},
        tags={"method": trial.method, "form": trial.form, "collection": trial.collection_name},
        collection=trial.collection_name,
        collection_digest=collection.key,
        profile={name: int(amount) for name, amount in store.cost(collection).items() if name != "seconds"},
        period=(began, max(began, ended)),
        system=tuple(sample for stage in trainings for sample in store.samples(stage)),
        model=store.path(training) / "model" if with_model and training is not None else None,
        card=card(trial, row, intervals(trial, store)) if with_model and training is not None else "",
    )
