"""MLflow tracking: one experiment and one parent run a grid, one child run a trial, everything logged once.

Results are on disk before anything is sent, so a store that does not answer costs nothing but a message: the
next run of the grid delivers what is missing. ``mlflow.json`` beside the results says what each store already
holds. If that file is lost, the runs are found again by their tags.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

TRIAL_TAG = "negbench.trial"
"""Tag of a child run: the trial's key."""
GRID_TAG = "negbench.grid"
"""Tag of a parent run: the grid's name."""

_DIGEST_LENGTH = 36  # MLflow's limit for the digest of a dataset
_LOCK_SECONDS = 600  # another process that delivers the same grid is waited for this long

# MLflow's own defaults keep a run waiting for minutes at every call when the server is down.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_CHATTER = {"mlflow": logging.WARNING, "alembic": logging.WARNING, "urllib3.connectionpool": logging.ERROR}


@dataclass(frozen=True, slots=True)
class TrialLog:
    """What is logged of one finished trial.

    ``key`` is the digest that identifies the trial and ``name`` the name of its run. ``parameters`` are flat
    with dotted names; ``metrics`` are final values by name as in the results (values that are not finite are
    left out); ``curves`` are (optimizer step, value) pairs by name, and should not share a name with a final
    metric. ``collection`` with its digest and ``profile`` (sizes of its splits) becomes the run's training
    dataset. ``artifacts`` are small files to attach, under their own names.
    """

    key: str
    name: str
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]
    curves: dict[str, list[tuple[int, float]]]
    tags: dict[str, str]
    collection: str
    collection_digest: str
    profile: dict[str, int]
    artifacts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many trials the store now holds completely, how many it lacks, and one line that says so."""

    delivered: int
    missing: int
    message: str


class _Delivered(BaseModel):
    """What one store holds of one grid: run ids by trial key, and the digests of the parent's files."""

    trials: dict[str, str] = {}
    files: dict[str, str] = {}


_MARKER_FILE = "mlflow.json"
_MARKER = TypeAdapter(dict[str, dict[str, _Delivered]])  # store -> grid -> what it holds


def default_uri(out: Path) -> str:
    """Return the tracking URI of the SQLite store beside the results in ``out``."""
    return f"sqlite:///{out.resolve().as_posix()}/mlflow.db"


def log_grid(
    name: str,
    trials: Sequence[TrialLog],
    out: Path,
    uri: str | None = None,
    tags: Mapping[str, str] | None = None,
    artifacts: Sequence[Path] = (),
) -> Outcome:
    """Log the finished ``trials`` of the grid ``name`` to MLflow, each once however often this is called.

    The store is ``uri``, else ``MLFLOW_TRACKING_URI``, else SQLite in ``out`` with its artifacts in
    ``out/mlartifacts``. ``tags`` and ``artifacts`` belong to the parent run; its files are sent again whenever
    their bytes change. MLflow is imported only if something is to be sent. Nothing is raised when the store
    fails: the outcome says what is missing.
    """
    if not trials:
        return Outcome(0, 0, "MLflow: no finished trial to log")
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(out)
    keys = {trial.key for trial in trials}
    held = _Delivered()
    reason = ""
    try:
        with _locked(out):
            marker = _read_marker(out / _MARKER_FILE)
            held = _held(marker, uri, name)
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in artifacts}
            if keys <= held.trials.keys() and files == held.files:
                return Outcome(len(keys), 0, _message(uri, len(keys), 0, ""))
            with _defaults(_ENVIRONMENT), _quiet():
                grid = _open(uri, name, out, tags or {})
                save = partial(_write_marker, out / _MARKER_FILE, marker)
                reason = _send_trials(grid, trials, held, save)
                for path in artifacts:
                    grid.client.log_artifact(grid.run, str(path))
                grid.client.set_terminated(grid.run)
                held.files = files
                save()
    except Exception as error:  # whatever goes wrong in a store, the results are safe and the grid goes on
        reason = _root(error)
    missing = len(keys - held.trials.keys())
    return Outcome(len(keys) - missing, missing, _message(uri, len(keys), missing, reason))


@dataclass(frozen=True, slots=True)
class _Grid:
    """An open parent run: client, experiment id, run id, the child runs found by trial key."""

    client: Any
    experiment: str
    run: str
    children: dict[str, list[Any]]


def _open(uri: str, name: str, out: Path, tags: Mapping[str, str]) -> _Grid:
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
    return _Grid(client, experiment, run_id, children)


def _send_trials(grid: _Grid, trials: Sequence[TrialLog], held: _Delivered, save: Callable[[], None]) -> str:
    """Log the trials that the store lacks, noting each in ``held``; return why one was refused, if one was.

    A trial that MLflow will not take does not hold back the others; a store in trouble raises.
    """
    reason = ""
    for trial in trials:
        if trial.key in held.trials:
            continue
        try:
            held.trials[trial.key] = _complete_run(grid, trial.key) or _log_trial(grid, trial)
        except Exception as error:
            if not _refused(error):
                raise
            reason = f"{trial.name}: {_root(error)}"
        else:
            save()
    return reason


def _complete_run(grid: _Grid, key: str) -> str | None:
    """Return the id of the finished run of a trial, if there is one, and delete those that were cut short.

    Half a run is replaced rather than continued: logging a step of a curve again would double the point.
    """
    complete = None
    for run in grid.children.get(key, []):
        if run.info.status == "FINISHED":
            complete = str(run.info.run_id)
        else:
            grid.client.delete_run(run.info.run_id)
    return complete


def _log_trial(grid: _Grid, trial: TrialLog) -> str:
    """Log one trial as a new child run and return its id. The run counts as complete once it is FINISHED."""
    from mlflow.entities import Metric, Param, RunTag

    identity = {TRIAL_TAG: trial.key, "mlflow.parentRunId": grid.run}
    run = grid.client.create_run(grid.experiment, tags=identity, run_name=trial.name)
    run_id = str(run.info.run_id)
    now = int(time.time() * 1000)
    last = max((step for points in trial.curves.values() for step, _ in points), default=0)
    points = [(name, value, step) for name, curve in trial.curves.items() for step, value in curve]
    points += [(name, value, last) for name, value in trial.metrics.items()]
    metrics = [Metric(_name(name), value, now, step) for name, value, step in points if math.isfinite(value)]
    params = [Param(_name(name), _text(value)) for name, value in trial.parameters.items()]
    tags = [RunTag(_name(name), text) for name, text in trial.tags.items()]
    grid.client.log_batch(run_id, metrics, params, tags, synchronous=True)  # splits what is long by itself
    grid.client.log_inputs(run_id, [_dataset(trial)])
    for path in trial.artifacts:
        grid.client.log_artifact(run_id, str(path))
    grid.client.set_terminated(run_id)
    return run_id


def _refused(error: Exception) -> bool:
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
    if database := _sqlite_file(uri):
        return (database.parent / "mlartifacts").as_uri()
    if uri.partition(":")[0].partition("+")[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        return (out.resolve() / "mlartifacts").as_uri()
    return None


def _sqlite_file(uri: str) -> Path | None:
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///(?!:memory:)([^?]+)(?:\?.*)?", uri)
    return Path(found[1]).resolve() if found else None


def _read_marker(path: Path) -> dict[str, dict[str, _Delivered]]:
    """Return the marker file, or nothing where it is lost or damaged: the tags in the store say the same."""
    try:
        return _MARKER.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _write_marker(path: Path, marker: dict[str, dict[str, _Delivered]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(_MARKER.dump_json(marker, indent=1) + b"\n")
    temporary.replace(path)


def _held(marker: dict[str, dict[str, _Delivered]], uri: str, name: str) -> _Delivered:
    """Return the marker's entry for one store and grid, an empty one if the store's database is gone."""
    database = _sqlite_file(uri)
    store = marker.setdefault(f"sqlite:///{database}" if database else _shown(uri), {})
    if database and not database.exists():
        store.clear()
    return store.setdefault(name, _Delivered())


def _name(text: str) -> str:
    """Return a name that MLflow takes: ``nDCG@10`` becomes ``nDCG_10``."""
    return re.sub(r"[^\w./ -]", "_", text)


def _text(value: str | int | float | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(text: str) -> str:
    """Return the text without the user names and passwords that addresses may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _root(error: BaseException) -> str:
    """Return the first line of what an error goes back to: "Connection refused", not which call met it."""
    while (deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = deeper
    lines = _shown(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _message(uri: str, trials: int, missing: int, reason: str) -> str:
    if not reason:
        return f"MLflow: {trials} of {trials} trials are logged at {_shown(uri)}"
    lacking = f"{missing} of {trials} trials" if missing else "the grid's files"
    return f"MLflow: {lacking} could not be logged at {_shown(uri)} and will be delivered by the next run ({reason})"


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder of results: two processes that finish the same grid must not both log it."""
    from filelock import FileLock

    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".mlflow.lock", timeout=_LOCK_SECONDS):
        yield


@contextlib.contextmanager
def _defaults(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the environment variables that the user has not set, and take them out again."""
    added = {name: text for name, text in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's progress notes and urllib3's retry warnings off stderr for a while."""
    import mlflow  # noqa: F401  (importing it sets the levels that are put back afterwards)

    before = {name: logging.getLogger(name).level for name in _CHATTER}
    for name, level in _CHATTER.items():
        logging.getLogger(name).setLevel(max(level, before[name]))
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
