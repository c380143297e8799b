"""What MLflow is told of a trial."""

from __future__ import annotations

from typing import Any

from negbench import tracking
from negbench.plan.trials import Trial
from negbench.report.card import card
from negbench.store import Store


def trial_log(trial: Trial, row: dict[str, Any], store: Store, with_model: bool) -> tracking.TrialLog:
    """Return what is logged of a finished trial; ``row`` is its record in results.json.

    The trial's time begins with its training, or with its evaluation where there is none: what it shares with others
    came before.
    """
    settings, training = trial.settings, trial.training
    curves = {} if trial.course is None else trial.course.curves(store)
    told = row["false_negatives"].items()
    rates = {f"false_negatives/{name}": rate["rate"] for name, rate in told if rate["rate"] is not None}
    costs = {f"cost/{name}": amount for name, amount in row["cost"].items()}
    draw = {f"draw/{name}": amount for name, amount in row["draw"].items()}
    recipe = {f"train.{name}": value for name, value in settings.train.model_dump(mode="json").items()}
    collection = trial.evaluation.collection
    trainings = () if trial.course is None else trial.course.trainings
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
            **{f"axes.{name}": str(value) for name, value in trial.point.items()},
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
        card=card(trial, row) if with_model and training is not None else "",
    )
