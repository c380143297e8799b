"""Bring a grid's finished trials to an MLflow store, each once."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from negbench.tracking import runs
from negbench.tracking.address import shown
from negbench.tracking.trial import TrialLog

# MLflow's own defaults keep a run waiting for minutes at every call when the server is down.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_LOCK_SECONDS = 600  # another process that delivers the same grid is waited for this long
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
    ``out/mlartifacts``. It is asked what it holds, and gets the rest: runs that were deleted are restored. ``tags``
    and ``artifacts`` belong to the parent run; its files are sent again whenever their bytes change, and None says
    that the grid goes on: its run stays open. Nothing is raised when the store fails: the outcome says what is missing.
    """
    if not trials:
        return Outcome(0, 0, "MLflow: no finished trial to log")
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(out)
    delivered: set[str] = set()
    keys = {trial.key for trial in trials}
    try:
        with _locked(out), _defaults(_ENVIRONMENT), _quiet():
            grid = runs.connect(uri, name, out, tags or {})
            if artifacts is None:
                grid.stay_open()
            reason = _send_trials(grid, trials, delivered)
            if artifacts is not None:
                grid.finish(artifacts)
    except runs.DeletedExperimentError as error:
        return Outcome(0, len(keys), f"MLflow: none of {len(keys)} trials is logged at {shown(uri)}: {error}")
    except Exception as error:  # whatever goes wrong in a store, the results are safe and the grid goes on
        reason = _root(error)
    return Outcome(len(delivered), len(keys - delivered), _message(uri, len(keys), len(delivered), reason))


def _send_trials(grid: runs.Grid, trials: Sequence[TrialLog], delivered: set[str]) -> str:
    """Log what the store lacks of the trials, adding the key of each to ``delivered``; return why one was refused.

    A trial that MLflow will not take does not hold back the others; a store in trouble raises.
    """
    reason = ""
    for trial in trials:
        try:
            grid.deliver(trial)
            delivered.add(trial.key)
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


def _message(uri: str, trials: int, delivered: int, reason: str) -> str:
    if not reason:
        return f"MLflow: {trials} of {trials} trials are logged at {shown(uri)}"
    lacking = f"{trials - delivered} of {trials} trials" if delivered < trials else "the grid's files"
    promise = "will be delivered by the next run once this is mended"
    return f"MLflow: {lacking} could not be logged or found at {shown(uri)} and {promise} ({reason})"


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
