"""Which grid uses which artifacts: each grid leaves a record in the store, and a lock while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from negbench.store import Stage, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A grid's use of artifacts: its name, the folder of its results, the time of its last run and the keys.

    ``when`` is in seconds since 1970. ``running``: a process is at it.
    """

    grid: str
    results: Path
    when: float
    keys: frozenset[str]
    running: bool

    @property
    def counts(self) -> bool:
        """Whether the artifacts are still needed: the grid is running, or its results are there."""
        return self.running or self.results.is_dir()


@contextmanager
def recorded(store: Store, grid: str, out: Path, stages: Iterable[Stage]) -> Iterator[None]:
    """Record that a grid with results in ``out`` uses ``stages``, and that it is running during the ``with`` block.

    The record of an earlier run into the same folder is replaced. A store that only can be read gets none.
    """
    folder = store.root / "grids"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        yield
        return
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
    content = {
        "grid": grid,
        "results": str(out.resolve()),
        "when": round(time.time(), 3),
        "stages": sorted({stage.key for stage in stages}),
    }
    lock = FileLock(folder / f"{name}.{os.getpid()}.lock")
    with lock:
        draft = folder / f"{name}.{os.getpid()}.draft"
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / f"{name}.json")
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)


def uses(store: Store) -> list[Use]:
    """Return the uses that grids have recorded, by name; locks of dead processes are removed."""
    found = []
    for path in sorted((store.root / "grids").glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):  # a damaged record is as none: nothing is kept for it
            content = json.loads(path.read_text(encoding="utf-8"))
            found.append(
                Use(
                    grid=str(content["grid"]),
                    results=Path(content["results"]),
                    when=float(content["when"]),
                    keys=frozenset(content["stages"]),
                    running=_is_running(path),
                )
            )
    return sorted(found, key=lambda use: (use.grid, str(use.results)))


def _is_running(record: Path) -> bool:
    alive = False
    for path in record.parent.glob(f"{record.stem}.*.lock"):
        try:
            with FileLock(path).acquire(blocking=False):
                path.unlink(missing_ok=True)
        except Timeout:
            alive = True
    return alive
