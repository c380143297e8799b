"""A grid in an MLflow store: a parent run, and one child run per trial."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negbench.tracking import turns
from negbench.tracking.address import shown, sqlite_file
from negbench.tracking.trial import TrialLog

TRIAL_TAG = "negbench.trial"
"""Tag of a child run: the trial's key."""
MODEL_TAG = "negbench.model"
"""Tag of a child run whose encoder is uploaded completely."""
GRID_TAG = "negbench.grid"
"""Tag of a parent run: the grid's name."""
FILES_TAG = "negbench.files"
"""Tag of a parent run: the SHA-256 of its files."""
PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own tag of a child run: the id of the run that it is shown below."""

_DIGEST_LENGTH = 36  # MLflow's limit for the digest of a dataset


_ONE_DATASET = threading.Lock()
"""Held while a dataset is logged: a server that is told of a new one by two threads at once refuses the second."""


class DeletedExperimentError(Exception):
    """Deleted experiment, whose name MLflow still reserves; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid's experiment and parent run, the ids of all runs that are not deleted, and the trials' runs by key."""

    uri: str
    client: Any
    experiment: str
    parent: Any
    living: set[str]
    children: dict[str, list[Any]]

    def deliver(self, trial: TrialLog) -> None:
        """Log a trial: its run, its files and its encoder, each only if the store lacks it."""
        run = self._finished(trial.key)
        run_id = self._log(trial) if run is None else str(run.info.run_id)
        if run is not None:
            self._send(run_id, trial.artifacts)
        if trial.model is None:
            return
        if run is None or MODEL_TAG not in run.data.tags or self._absent(run_id, [Path("model")]):
            self.client.log_artifacts(run_id, str(trial.model), "model")
            self.client.log_text(run_id, trial.card, "model/README.md")
            self.client.set_tag(run_id, MODEL_TAG, "true")

    def stay_open(self) -> None:
        """Show the grid as running."""
        if self.parent.info.status != "RUNNING":
            self.client.update_run(self.parent.info.run_id, status="RUNNING")

    def finish(self, files: Sequence[Path]) -> None:
        """Attach the grid's files if they are missing or changed, and show the grid as finished."""
        run_id = self.parent.info.run_id
        digest = _digest(files)
        changed = self.parent.data.tags.get(FILES_TAG) != digest
        self._send(run_id, files, always=changed)
        if changed:
            self.client.set_tag(run_id, FILES_TAG, digest)
        if self.parent.info.status != "FINISHED":
            self.client.set_terminated(run_id)

    def adopt(self, run: Any) -> None:
        """Move a trial's run below this parent if its own parent run no longer exists."""
        if run.data.tags.get(PARENT_TAG) not in self.living:
            self.client.set_tag(run.info.run_id, PARENT_TAG, self.parent.info.run_id)

    def _finished(self, key: str) -> Any | None:
        """Return the finished run of a trial, if there is one, and delete its others.

        A deleted run is restored, so that nothing is logged twice. An interrupted run is replaced: to log a step of a
        curve again would duplicate the point. Restoring an experiment restores all its runs, also the replaced ones.
        """
        runs = self.children.get(key, [])
        kept = _kept(self.client, [run for run in runs if run.info.status == "FINISHED"])
        for run in runs:
            if run is not kept and not _deleted(run):  # `mlflow gc --older-than` counts from the last deletion
                self.client.delete_run(run.info.run_id)
        if kept is not None and _deleted(kept):  # as it was found: it has just been restored
            self.adopt(kept)
        return kept

    def _absent(self, run_id: str, paths: Sequence[Path]) -> list[Path]:
        """Return the paths whose names a run lacks: artifact folders may be deleted separately."""
        held = {file.path for file in self.client.list_artifacts(run_id)} if paths else set()
        return [path for path in paths if path.name not in held]

    def _send(self, run_id: str, paths: Sequence[Path], always: bool = False) -> None:
        """Attach the files that a run lacks, or all of them."""
        for path in paths if always else self._absent(run_id, paths):
            self.client.log_artifact(run_id, str(path))

    def _log(self, trial: TrialLog) -> str:
        """Log one trial as a new child run and return its id. The run counts as complete once it is FINISHED."""
        from mlflow.entities import Param, RunTag

        began, ended = (round(1000 * moment) for moment in trial.period or (time.time(), time.time()))
        identity = {TRIAL_TAG: trial.key, PARENT_TAG: self.parent.info.run_id}
        run = self.client.create_run(self.experiment, start_time=began, tags=identity, run_name=trial.name)
        run_id = str(run.info.run_id)
        params = [Param(_name(name), _text(value)) for name, value in trial.parameters.items()]
        tags = [RunTag(_name(name), text) for name, text in trial.tags.items()]
        metrics = _metrics(trial, began, ended)
        self.client.log_batch(run_id, metrics, params, tags, synchronous=True)  # splits long lists itself
        with _ONE_DATASET, turns.taken(self.uri):
            self.client.log_inputs(run_id, [_dataset(trial)])
        self._send(run_id, trial.artifacts, always=True)
        self.client.set_terminated(run_id, end_time=ended)
        return run_id


def connect(uri: str, name: str, out: Path, tags: Mapping[str, str]) -> Grid:
    """Find or create the experiment and the parent run of the grid ``name``, and find its child runs.

    A deleted parent run is restored. If it is gone for good (``mlflow gc``), its child runs move below a new one.
    Raises DeletedExperimentError.
    """
    from mlflow import MlflowClient
    from mlflow.entities import RunTag

    with turns.taken(uri):
        client = MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, uri, name, out)
        runs = _runs(client, experiment)
        parent = _kept(client, [run for run in runs if run.data.tags.get(GRID_TAG) == name])
        if parent is None:
            parent = client.create_run(experiment, tags={GRID_TAG: name}, run_name=name)
    if tags:
        new = [RunTag(_name(tag), text) for tag, text in tags.items()]
        client.log_batch(parent.info.run_id, tags=new, synchronous=True)
    living = {run.info.run_id for run in runs if not _deleted(run)} | {parent.info.run_id}
    children: dict[str, list[Any]] = {}
    for run in runs:
        if key := run.data.tags.get(TRIAL_TAG):
            children.setdefault(key, []).append(run)
    grid = Grid(uri=uri, client=client, experiment=experiment, parent=parent, living=living, children=children)
    for run in itertools.chain.from_iterable(children.values()):
        if not _deleted(run):
            grid.adopt(run)
    return grid


def _experiment(client: Any, uri: str, name: str, out: Path) -> str:
    """Return the id of the experiment ``name``, created if needed. Raises DeletedExperimentError."""
    experiment = client.get_experiment_by_name(name)  # finds deleted ones too
    if experiment is None:
        return str(client.create_experiment(name, _artifact_location(uri, out)))
    number = str(experiment.experiment_id)
    if experiment.lifecycle_stage == "deleted":
        command = f"MLFLOW_TRACKING_URI={shlex.quote(shown(uri))} mlflow experiments restore --experiment-id {number}"
        raise DeletedExperimentError(
            f'its experiment "{name}" was deleted: restore it ({command}) or give the grid another name'
        )
    return number


def _runs(client: Any, experiment: str) -> list[Any]:
    """Return all runs of an experiment, deleted ones too, the oldest first."""
    from mlflow.entities import ViewType

    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ALL, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs[::-1]


def _kept(client: Any, runs: Sequence[Any]) -> Any | None:
    """Return the first run that is not deleted, else the first one, restored; None without runs."""
    for run in sorted(runs, key=_deleted):
        if _deleted(run):
            client.restore_run(run.info.run_id)
        return run
    return None


def _deleted(run: Any) -> bool:
    return bool(run.info.lifecycle_stage == "deleted")


def _metrics(trial: TrialLog, began: int, ended: int) -> list[Any]:
    """Return curves by step, final values at step 0, and samples of the machine's load by number.

    MLflow shows a metric with only step 0 as bars, and others over steps. Only samples have recorded times; the times
    of steps are spread evenly over the period. Times are in milliseconds.
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
    """Tell whether the store works but refuses the request."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.get_http_status_code() < 500


def _dataset(trial: TrialLog) -> Any:
    """Return the collection as MLflow's dataset input, by name and digest; the whole digest is in its source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"tags": {"collection": trial.collection, "digest": trial.collection_digest}}
    dataset = Dataset(
        name=trial.collection,
        digest=trial.collection_digest[:_DIGEST_LENGTH],
        source_type="code",  # the only type of source without a path or an address
        source=json.dumps(source),
        profile=json.dumps(trial.profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _artifact_location(uri: str, out: Path) -> str | None:
    """Return the artifact location of a new experiment; None lets a server decide.

    For a plain database MLflow would use the working directory.
    """
    if database := sqlite_file(uri):
        return (database.parent / "mlartifacts").as_uri()
    if uri.partition(":")[0].partition("+")[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        return (out.resolve() / "mlartifacts").as_uri()
    return None


def _digest(files: Sequence[Path]) -> str:
    """Return the SHA-256 over the files' names and bytes."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _name(text: str) -> str:
    """Return a valid MLflow name: ``nDCG@10`` becomes ``nDCG_10``."""
    return re.sub(r"[^\w./ -]", "_", text)


def _text(value: str | int | float | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)
