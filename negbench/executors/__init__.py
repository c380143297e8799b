"""Executors: what carries out the stages of a grid, here, in several processes, or on a cluster.

An executor is given stages one by one, as many at a time as it has slots, and says how each ended. It need not know
why a stage is next (``runners.schedule``), nor what it makes: artifacts go through the store, which all processes see.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from negbench.errors import InputError, PartError
from negbench.store import Stage, Store
from negbench.store.leases import write_whole
from negbench.training.loop import TrainingError


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: made (or found), failed, or left because another process is making it.

    ``failure`` is one line, None where there is none; ``traceback`` is for the log.
    """

    key: str
    failure: str | None = None
    traceback: str = ""
    locked: bool = False


class Executor(Protocol):
    """Makes stages whose inputs are stored."""

    slots: int
    """How many stages it makes at a time."""

    def start(self, stage: Stage) -> None:
        """Begin a stage; call it only while fewer than ``slots`` are begun and not yet waited for."""

    def wait(self) -> Outcome:
        """Return how the next stage ended, whichever it is; blocks until one has."""

    def close(self) -> None:
        """End the processes that it started, at once."""


@dataclass(frozen=True)
class Job:
    """What another process needs to make a stage of a grid; all of it is text, so that nothing is unpickled.

    ``manifest`` is the path of a manifest that holds the grid, ``store`` that of the store and ``remote`` its address
    where it has one, ``folder`` the working directory, from which paths in assignments start. The process plans the
    grid anew and finds a stage by its key.
    """

    manifest: str
    store: str
    folder: str
    remote: str = ""

    @classmethod
    def of(cls, manifest: dict[str, Any], store: Store) -> Job:
        """Return the job of a run, whose grid is written to the folder ``jobs`` of the store."""
        folder = str(Path(manifest.get("folder", ".")).absolute())  # in a manifest, it is seen from here
        text = json.dumps({"grid": manifest["grid"], "assignments": manifest["assignments"], "folder": folder})
        name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        path = store.root / "jobs" / f"{name}.json"
        write_whole(path, text)
        remote = "" if store.remote is None else store.remote.address
        return cls(str(path), str(store.root), str(Path.cwd()), remote)


def asked_threads() -> int | None:
    """Return the threads that OMP_NUM_THREADS asks for, None where it is not set to a number above 0."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) or None if asked.isdigit() else None


def one_line(stage: Stage, error: Exception) -> str:
    """Return the label and the error in one line; unexpected errors with their type, such as ``KeyError: 'train'``."""
    text = (str(error).strip().splitlines() or [""])[0]
    if not isinstance(error, InputError | TrainingError | PartError):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return f"{stage.label}: {text}"
