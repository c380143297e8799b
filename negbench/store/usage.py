"""Which grid uses which artifacts: each grid leaves a record in the store, and a lease while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negbench.store import Stage, Store
from negbench.store.leases import SUFFIX, Lease, draft_of, is_held, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A grid's use of artifacts: its name, the folder of its results, the time of its last run and the keys.

    ``when`` is in seconds since 1970. ``running``: a process is at it. ``elsewhere``: another machine recorded it.
    """

    grid: str
    results: Path
    when: float
    keys: frozenset[str]
    running: bool
    elsewhere: bool = False

    @property
    def counts(self) -> bool:
        """Whether the artifacts are still needed: the grid is running, or its results are there.

        Results of another machine whose folder is not seen here at all may be there.
        """
        return self.running or self.results.is_dir() or (self.elsewhere and not self.results.parent.is_dir())


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
        "from_store": os.path.relpath(out.resolve(), store.root.resolve()),
        "machine": platform.node(),
        "when": round(time.time(), 3),
        "stages": sorted({stage.key for stage in stages}),
    }
    running = draft_of(folder / name)
    with Lease(running.with_name(running.name + SUFFIX)).hold():
        write_whole(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
        yield


def uses(store: Store) -> list[Use]:
    """Return the uses that grids have recorded, by name; leases of dead processes are removed."""
    found = []
    for path in sorted((store.root / "grids").glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):  # a damaged record is as none: nothing is kept for it
            content = json.loads(path.read_text(encoding="utf-8"))
            held = [is_held(one) for one in path.parent.glob(f"{path.stem}.*{SUFFIX}")]
            found.append(
                Use(
                    grid=str(content["grid"]),
                    results=_results(store, content),
                    when=float(content["when"]),
                    keys=frozenset(content["stages"]),
                    running=any(held),
                    elsewhere=content.get("machine", platform.node()) != platform.node(),
                )
            )
    return sorted(found, key=lambda use: (use.grid, str(use.results)))


def _results(store: Store, content: Mapping[str, Any]) -> Path:
    """Return the folder of a grid's results: as it was called, or where it is from a store with another mount."""
    named = Path(content["results"])
    seen = store.root.resolve() / content.get("from_store", named)
    return seen.resolve() if seen.is_dir() else named
