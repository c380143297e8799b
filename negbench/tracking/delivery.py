"""Log a grid's finished trials to an MLflow store, each once."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from negbench.store.leases import Lease
from negbench.tracking import database, runs
from negbench.tracking.address import shown
from negbench.tracking.trial import TrialLog

# With MLflow's defaults every call waits for minutes if the server is down.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_AT_ONCE = 8  # trials that are sent to a server side by side: each waits for several answers
_LOCK_SECONDS = 600  # waits this long for another process that logs the same grid
_CHATTER = {
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,  # a traceback for each error, which is told in one line here
    "alembic": logging.WARNING,
    "urllib3.connectionpool": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Number of trials that the store has completely, number that are missing, and one line for the user."""

    delivered: int
    missing: int
    message: str


def default_uri(out: Path) -> str:
    """Return the tracking URI of the SQLite store in the results folder ``out``."""
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
    ``out/mlartifacts``. Only what it lacks is sent; deleted runs are restored. ``tags`` and ``artifacts`` belong to the
    parent run; its files are sent again whenever their bytes change. None means that the grid is unfinished: its run
    stays open. Nothing is raised if the store fails: the outcome tells what is missing.
    """
    if not trials:
        return Outcome(0, 0, "MLflow: no finished trial to log")
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(out)
    delivered: set[str] = set()
    keys = {trial.key for trial in trials}
    try:
        with _locked(out), _defaults(_ENVIRONMENT), _quiet():
            database.prepare(uri)
            grid = runs.connect(uri, name, out, tags or {})
            if artifacts is None:
                grid.stay_open()
            reason = _send_trials(grid, trials, delivered, _AT_ONCE if uri.startswith("http") else 1)
            if artifacts is not None:
                grid.finish(artifacts)
    except runs.DeletedExperimentError as error:
        return Outcome(0, len(keys), f"MLflow: no trial can be logged at {shown(uri)}: {error}")
    except Exception as error:  # any error of the store: the results are safe and the grid goes on
        reason = _root(error)
    return Outcome(len(delivered), len(keys - delivered), _message(uri, len(keys), len(delivered), reason))


def _send_trials(grid: runs.Grid, trials: Sequence[TrialLog], delivered: set[str], at_once: int) -> str:
    """Log the trials that the store lacks and add their keys to ``delivered``; return the reason of a refusal.

    A trial that MLflow refuses does not stop the others; another error of the store is raised, and no trial is begun
    after it. ``at_once`` trials are sent side by side.
    """
    refusals: dict[str, str] = {}

    def send(trial: TrialLog) -> None:
        try:
            grid.deliver(trial)
            delivered.add(trial.key)
        except Exception as error:
            if not runs.refused(error):
                raise
            refusals[trial.name] = _root(error)

    if at_once == 1:
        for trial in trials:
            send(trial)
    else:
        with ThreadPoolExecutor(at_once) as pool:
            sent = [pool.submit(send, trial) for trial in trials]
            try:
                for future in as_completed(sent):
                    future.result()
            except Exception:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    last = [trial.name for trial in trials if trial.name in refusals][-1:]
    return f"{last[0]}: {refusals[last[0]]}" if last else ""


def import_client() -> None:
    """Import MLflow with all that a delivery needs of it."""
    with _quiet():
        import mlflow.store.tracking.sqlalchemy_store
        import mlflow.tracking  # noqa: F401


def _root(error: BaseException) -> str:
    """Return the first line of the root cause of an error, such as "Connection refused"."""
    while (deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = deeper
    lines = shown(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _message(uri: str, trials: int, delivered: int, reason: str) -> str:
    if not reason:
        return f"MLflow: {trials} of {trials} trials are logged at {shown(uri)}"
    lacking = f"{trials - delivered} of {trials} trials" if delivered < trials else "the grid's files"
    promise = "will be logged by the next run once this is fixed"
    return f"MLflow: {lacking} could not be logged or found at {shown(uri)} and {promise} ({reason})"


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock the results folder, so that two processes do not both log the same grid."""
    with Lease(out / ".mlflow.lease").hold(_LOCK_SECONDS):
        yield


@contextlib.contextmanager
def _defaults(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, and remove them at the end."""
    added = {name: text for name, text in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence MLflow's progress messages and urllib3's retry warnings."""
    import mlflow  # noqa: F401  (importing it sets the levels that are put back afterwards)

    before = {name: logging.getLogger(name).level for name in _CHATTER}
    for name, level in _CHATTER.items():
        logging.getLogger(name).setLevel(max(level, before[name]))
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
