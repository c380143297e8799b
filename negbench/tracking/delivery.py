"""Bring a grid's finished trials to an MLflow store, each once."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from negbench.tracking import marker, runs
from negbench.tracking.marker import Delivered, shown
from negbench.tracking.trial import TrialLog

# MLflow's own defaults keep a run waiting for minutes at every call when the server is down.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_MARKER_FILE = "mlflow.json"
_CHATTER = {"mlflow": logging.WARNING, "alembic": logging.WARNING, "urllib3.connectionpool": logging.ERROR}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many trials the store now holds completely, how many it lacks, and one line that says so."""

    delivered: int
    missing: int
    message: str


def default_uri(out: Path) -> str:
    """Return the tracking URI of the SQLite store beside the results in ``out``."""
    return f"sqlite:///{out.resolve().as_posix()}/mlflow.db"


def log_grid(
    name: str,
    trials: Sequence[TrialLog],
    out: Path,
    uri: str | None = None,
    tags: Mapping[str, str] | None = None,
    artifacts: Sequence[Path] | None = (),
) -> Outcome:
    """Log the finished ``trials`` of the grid ``name`` to MLflow, each once however often this is called.

    The store is ``uri``, else ``MLFLOW_TRACKING_URI``, else SQLite in ``out`` with its artifacts in
    ``out/mlartifacts``. ``tags`` and ``artifacts`` belong to the parent run; its files are sent again whenever
    their bytes change, and None says that the grid goes on: its run stays open. MLflow is imported only if something
    is to be sent. Nothing is raised when the store fails: the outcome says what is missing.
    """
    if not trials:
        return Outcome(0, 0, "MLflow: no finished trial to log")
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(out)
    keys = {trial.key for trial in trials}
    models = {trial.key for trial in trials if trial.model is not None}
    held = Delivered()
    reason = ""
    try:
        with marker.locked(out):
            known = marker.read(out / _MARKER_FILE)
            held = marker.held(known, uri, name)
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in artifacts or ()}
            if artifacts is None:
                files = held.files
            if keys <= held.trials.keys() and models <= held.models and files == held.files:
                return Outcome(len(keys), 0, _message(uri, len(keys), 0, ""))
            with _defaults(_ENVIRONMENT), _quiet():
                grid = runs.connect(uri, name, out, tags or {})
                save = partial(marker.write, out / _MARKER_FILE, known)
                reason = _send_trials(grid, trials, held, save)
                if artifacts is not None:
                    for path in artifacts:
                        grid.client.log_artifact(grid.run, str(path))
                    grid.client.set_terminated(grid.run)
                    held.files = files
                    save()
    except Exception as error:  # whatever goes wrong in a store, the results are safe and the grid goes on
        reason = _root(error)
    missing = len((keys - held.trials.keys()) | (models - held.models))
    return Outcome(len(keys) - missing, missing, _message(uri, len(keys), missing, reason))


def _send_trials(grid: runs.Grid, trials: Sequence[TrialLog], held: Delivered, save: Callable[[], None]) -> str:
    """Log the trials that the store lacks, noting each in ``held``; return why one was refused, if one was.

    A trial that MLflow will not take does not hold back the others; a store in trouble raises.
    """
    reason = ""
    for trial in trials:
        try:
            if trial.key not in held.trials:
                held.trials[trial.key] = grid.complete(trial.key) or grid.log(trial)
                save()
            if trial.model is not None and trial.key not in held.models:
                grid.log_model(held.trials[trial.key], trial.model, trial.card)
                held.models.add(trial.key)
                save()
        except Exception as error:
            if not runs.refused(error):
                raise
            reason = f"{trial.name}: {_root(error)}"
    return reason


def _root(error: BaseException) -> str:
    """Return the first line of what an error goes back to: "Connection refused", not which call met it."""
    while (deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = deeper
    lines = shown(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _message(uri: str, trials: int, missing: int, reason: str) -> str:
    if not reason:
        return f"MLflow: {trials} of {trials} trials are logged at {shown(uri)}"
    lacking = f"{missing} of {trials} trials" if missing else "the grid's files"
    return f"MLflow: {lacking} could not be logged at {shown(uri)} and will be delivered by the next run ({reason})"


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
