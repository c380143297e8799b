"""Stages and the content-addressed store of what they made.

A stage is a frozen spec. Its key is a digest of its kind, its version, its parameters and the keys of its input
stages, so equal work is done once, whoever asks. An artifact is a folder that is whole or not there: it is written
under a temporary name and renamed, under a lock that other processes wait for.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from filelock import FileLock
from pydantic import BaseModel

from negbench import machine
from negbench.parts import Part
from negbench.versions import versions

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Stage(ABC):
    """A piece of work; subclasses are frozen dataclasses whose fields are parameters and input stages."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    @cached_property
    def key(self) -> str:
        """The digest under which the output is stored: 32 hexadecimal digits."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def identity(self) -> dict[str, Any]:
        """Return all that the output depends on, ready for JSON; an input stage is there by its key."""
        parameters = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"stage": self.kind, "version": self.version, "parameters": parameters}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages among the fields, in order."""
        found: list[Stage] = []
        for field in fields(self):
            value = getattr(self, field.name)
            found += [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, Stage)]
        return tuple(found)

    @property
    def label(self) -> str:
        """A few words for a person: what is being done."""
        return self.kind

    @property
    def effort(self) -> str:
        """A name for stages that take about as long as this one."""
        return self.kind

    @abstractmethod
    def run(self, at: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        """Write the artifact into the empty folder ``out``; ``at(stage)`` is the folder of an input.

        Returns the cost: amounts by name (documents encoded, steps, ...); the store adds the seconds.
        """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _plain(value: Any) -> Any:
    if isinstance(value, Stage):
        return {"key": value.key}
    if isinstance(value, Part):
        return value.identity()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def ancestors(stage: Stage) -> list[Stage]:
    """Return ``stage`` and everything it rests on, inputs first, each once."""
    seen: dict[str, Stage] = {}

    def visit(current: Stage) -> None:
        if current.key not in seen:
            for parent in current.inputs:
                visit(parent)
            seen[current.key] = current

    visit(stage)
    return list(seen.values())


class Store:
    """A folder of artifacts by stage key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def default(cls) -> Store:
        """Return the store at ``NEGBENCH_STORE``, or ``.negbench`` in the working directory."""
        return cls(Path(os.environ.get("NEGBENCH_STORE", ".negbench")).expanduser().absolute())

    def path(self, stage: Stage) -> Path:
        """Return where the artifact is, or will be."""
        return self.root / stage.kind / stage.key

    def has(self, stage: Stage) -> bool:
        """Tell whether the artifact is there, whole."""
        return (self.path(stage) / "stage.json").is_file()

    def ensure(self, stage: Stage) -> Path:
        """Return the artifact's folder, making it, and before it its inputs, where it is missing.

        Two processes that want the same stage make it once: the second waits. Whatever ``run`` raises passes
        through, and leaves nothing behind.
        """
        if self.has(stage):
            return self.path(stage)
        for parent in stage.inputs:
            self.ensure(parent)
        final = self.path(stage)
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{stage.key}.lock"):
            if self.has(stage):
                return final
            draft = self.root / "drafts" / stage.key
            shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed: the lock is ours
            draft.mkdir(parents=True)
            try:
                machine.forget_peak()
                began, started = time.time(), time.perf_counter()
                with machine.watched() as samples:
                    cost = stage.run(self.path, draft)
                seconds = time.perf_counter() - started
                record = {
                    "key": stage.key,
                    **stage.identity(),
                    "inputs": [parent.key for parent in stage.inputs],
                    "cost": {"seconds": round(seconds, 3), **machine.peak(), **cost},
                    "began": round(began, 3),
                    "machine": platform.machine(),
                    "versions": versions(),
                }
                if samples:
                    (draft / "system.json").write_text(json.dumps(samples) + "\n")
                (draft / "stage.json").write_text(json.dumps(record, indent=1) + "\n")
                final.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(final, ignore_errors=True)
                draft.rename(final)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return final

    def load(self, kind: type[T], stage: Stage) -> T:
        """Read an artifact that was written by ``save_arrays``."""
        return load_arrays(kind, self.path(stage))

    def period(self, stage: Stage) -> tuple[float, float]:
        """Return when making the artifact began and ended, in seconds since 1970."""
        path = self.path(stage) / "stage.json"
        record = json.loads(path.read_text())
        seconds = record["cost"]["seconds"]
        began = record.get("began", path.stat().st_mtime - seconds)  # a store may be older than this field
        return began, began + seconds

    def samples(self, stage: Stage) -> list[machine.Sample]:
        """Return how busy the machine was while the artifact was made, every few seconds; none for a short stage."""
        path = self.path(stage) / "system.json"
        return [(at, found) for at, found in json.loads(path.read_text())] if path.exists() else []

    def versions(self, stage: Stage) -> dict[str, str]:
        """Return what the artifact was made with (``negbench.versions``); a record may be older than this field."""
        record = json.loads((self.path(stage) / "stage.json").read_text())
        return dict(record.get("versions", {"negbench": "unknown"}))

    def cost(self, stage: Stage) -> dict[str, float]:
        """Return what making the artifact took: ``seconds`` and amounts by name."""
        record = json.loads((self.path(stage) / "stage.json").read_text())
        return dict(record["cost"])

    def notes(self, stage: Stage) -> list[str]:
        """Return the sentences for the user that the stage left with ``save_notes``."""
        path = self.path(stage) / NOTES
        return [str(note) for note in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


NOTES = "notes.json"
"""Where an artifact holds sentences for the user: what is odd in its input, each with its count."""


def save_notes(notes: Sequence[str], folder: Path) -> None:
    """Write sentences for the user into a stage's ``folder``; a run prints them and its tables and page repeat them."""
    if notes:
        (folder / NOTES).write_text(json.dumps(list(notes), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def save_arrays(record: Any, folder: Path) -> None:
    """Write a dataclass of arrays and numbers: one ``.npy`` a field, the rest in ``fields.json``."""
    assert is_dataclass(record)
    rest: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{field.name}.npy", value, allow_pickle=False)
        else:
            rest[field.name] = value
    (folder / "fields.json").write_text(json.dumps(rest) + "\n")


def load_arrays(kind: type[T], folder: Path) -> T:
    """Read what ``save_arrays`` wrote."""
    values = json.loads((folder / "fields.json").read_text())
    for path in folder.glob("*.npy"):
        values[path.stem] = np.load(path, allow_pickle=False)
    return kind(**values)
