"""One grid in an MLflow store: a parent run, and a child run a trial."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negbench.tracking.marker import sqlite_file
from negbench.tracking.trial import TrialLog

TRIAL_TAG = "negbench.trial"
"""Tag of a child run: the trial's key."""
GRID_TAG = "negbench.grid"
"""Tag of a parent run: the grid's name."""

_DIGEST_LENGTH = 36  # MLflow's limit for the digest of a dataset


@dataclass(frozen=True, slots=True)
class Grid:
    """An open parent run: client, experiment id, run id, the child runs found by trial key."""

    client: Any
    experiment: str
    run: str
    children: dict[str, list[Any]]

    def complete(self, key: str) -> str | None:
        """Return the id of the finished run of a trial, if there is one, and delete those that were cut short.

        Half a run is replaced rather than continued: logging a step of a curve again would double the point.
        """
        complete = None
        for run in self.children.get(key, []):
            if run.info.status == "FINISHED":
                complete = str(run.info.run_id)
            else:
                self.client.delete_run(run.info.run_id)
        return complete

    def log(self, trial: TrialLog) -> str:
        """Log one trial as a new child run and return its id. The run counts as complete once it is FINISHED."""
        from mlflow.entities import Param, RunTag

        began, ended = (round(1000 * at) for at in trial.period or (time.time(), time.time()))
        identity = {TRIAL_TAG: trial.key, "mlflow.parentRunId": self.run}
        run = self.client.create_run(self.experiment, start_time=began, tags=identity, run_name=trial.name)
        run_id = str(run.info.run_id)
        params = [Param(_name(name), _text(value)) for name, value in trial.parameters.items()]
        tags = [RunTag(_name(name), text) for name, text in trial.tags.items()]
        metrics = _metrics(trial, began, ended)
        self.client.log_batch(run_id, metrics, params, tags, synchronous=True)  # splits what is long by itself
        self.client.log_inputs(run_id, [_dataset(trial)])
        for path in trial.artifacts:
            self.client.log_artifact(run_id, str(path))
        self.client.set_terminated(run_id, end_time=ended)
        return run_id

    def log_model(self, run_id: str, folder: Path, card: str) -> None:
        """Put an encoder under ``model`` in a run: a folder that SentenceTransformer opens, with its card."""
        self.client.log_artifacts(run_id, str(folder), "model")
        self.client.log_text(run_id, card, "model/README.md")


def connect(uri: str, name: str, out: Path, tags: Mapping[str, str]) -> Grid:
    """Find or create the experiment and the parent run of the grid ``name``, and find what hangs below."""
    from mlflow import MlflowClient
    from mlflow.entities import RunTag

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name, _artifact_location(uri, out))
    parent, token = None, None
    children: dict[str, list[Any]] = {}
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            if run.data.tags.get(GRID_TAG) == name:
                parent = run
            elif key := run.data.tags.get(TRIAL_TAG):
                children.setdefault(key, []).append(run)
        token = page.token
        if not token:
            break
    if parent is None:
        parent = client.create_run(experiment, tags={GRID_TAG: name}, run_name=name)
    run_id = parent.info.run_id
    client.update_run(run_id, status="RUNNING")
    client.log_batch(run_id, tags=[RunTag(_name(tag), text) for tag, text in tags.items()], synchronous=True)
    return Grid(client, experiment, run_id, children)


def _metrics(trial: TrialLog, began: int, ended: int) -> list[Any]:
    """Return the curves by step, the final values at step 0, and the machine by the number of the look at it.

    MLflow compares runs by bars where a metric has only a step 0, and draws dots over steps otherwise. Only the looks
    have times of their own; steps are spread evenly over the period, in milliseconds.
    """
    from mlflow.entities import Metric

    last = max((step for points in trial.curves.values() for step, _ in points), default=0)

    def at(step: int) -> int:
        return round(began + (ended - began) * step / last) if last else ended

    points = [(name, value, at(step), step) for name, curve in trial.curves.items() for step, value in curve]
    points += [(name, value, ended, 0) for name, value in trial.metrics.items()]
    points += [
        (name, value, round(1000 * when), number)
        for number, (when, seen) in enumerate(trial.system)
        for name, value in seen.items()
    ]
    return [Metric(_name(name), value, when, step) for name, value, when, step in points if math.isfinite(value)]


def refused(error: Exception) -> bool:
    """Say whether the store works but will not take what it was given."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.get_http_status_code() < 500


def _dataset(trial: TrialLog) -> Any:
    """Return the collection as MLflow's dataset input, by name and digest; the whole digest is in its source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"tags": {"collection": trial.collection, "digest": trial.collection_digest}}
    dataset = Dataset(
        name=trial.collection,
        digest=trial.collection_digest[:_DIGEST_LENGTH],
        source_type="code",  # the one type of source that needs neither a path nor an address
        source=json.dumps(source),
        profile=json.dumps(trial.profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _artifact_location(uri: str, out: Path) -> str | None:
    """Return where a new experiment keeps artifacts; None leaves it to a server.

    For a bare database MLflow would take the working directory.
    """
    if database := sqlite_file(uri):
        return (database.parent / "mlartifacts").as_uri()
    if uri.partition(":")[0].partition("+")[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        return (out.resolve() / "mlartifacts").as_uri()
    return None


def _name(text: str) -> str:
    """Return a name that MLflow takes: ``nDCG@10`` becomes ``nDCG_10``."""
    return re.sub(r"[^\w./ -]", "_", text)


def _text(value: str | int | float | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)
