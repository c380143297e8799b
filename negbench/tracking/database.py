"""SQLite files of MLflow, made whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from pathlib import Path
from typing import Any

import psutil

from negbench.tracking.address import sqlite_file

_NUMBERS = itertools.count()


def prepare(uri: str) -> None:
    """Make the SQLite file of an address where it is missing, or where a killed process left it half made.

    MLflow makes its tables one after another, and cannot go on with a file in which some are lacking. So the file is
    made under another name and then linked to its own. A half-made file holds no experiment, and is replaced. Other
    addresses are left alone.
    """
    database = sqlite_file(uri)
    if database is None:
        return
    _remove_drafts(database)
    if database.exists() and not _is_half_made(database):
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    # MLflow keeps a connection by name, so that no name is taken twice
    draft = database.with_name(f"{database.name}.{os.getpid()}.{next(_NUMBERS)}.draft")
    try:
        _make(draft)
        if database.exists():
            draft.replace(database)
            database.with_name(f"{database.name}-journal").unlink(missing_ok=True)
        else:
            _place(draft, database)
    finally:
        draft.unlink(missing_ok=True)


def _make(path: Path) -> None:
    from mlflow import MlflowClient

    store: Any = MlflowClient(tracking_uri=f"sqlite:///{path.as_posix()}")._tracking_client.store
    store.search_experiments()
    store._dispose_engine()


def _place(draft: Path, database: Path) -> None:
    """Give a draft its name, unless another process was faster."""
    try:
        os.link(draft, database)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        draft.rename(database)


def _is_half_made(database: Path) -> bool:
    """Return whether a file lacks the default experiment, which MLflow makes last, and every other one.

    Raises sqlite3.DatabaseError for a file that is damaged, or none of SQLite's.
    """
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
            return connection.execute("SELECT 1 FROM experiments LIMIT 1").fetchone() is None
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return True
        raise


def _remove_drafts(database: Path) -> None:
    """Remove what processes left that were killed while they made the file."""
    for path in database.parent.glob(f"{database.name}.*.draft*"):
        number = path.name.removeprefix(f"{database.name}.").partition(".")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            path.unlink(missing_ok=True)
