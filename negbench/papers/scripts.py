"""Values that a Python file beside ``expect.yaml`` computes, for claims that no grid can answer."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.errors import InputError
from negbench.papers.samples import Sample
from negbench.papers.statements import Value
from negbench.store import Stage
from negbench.versions import versions

COLUMNS = ["row", "measure", "seed", "query", "value"]


@dataclass(frozen=True, eq=False)
class RunScript(Stage):
    """Run a script with the path of a CSV file to write; made again where its text or a version changes."""

    kind: ClassVar[str] = "script"
    path: Path
    text: str

    def identity(self) -> dict[str, Any]:
        """Return the script's text and the versions that it runs with: negbench's with its commit."""
        content = {"text": self.text, "versions": versions()}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @property
    def label(self) -> str:
        return f"run {self.path.name}"

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        """Run it in its own folder. Raises InputError with the last line that it wrote to stderr where it fails."""
        values = (out / "values.csv").absolute()
        command = [sys.executable, self.path.name, str(values)]
        done = subprocess.run(command, cwd=self.path.parent, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
            raise InputError(f"{self.path}: ended with exit code {done.returncode}: {said}; mend the script")
        if not values.exists():
            raise InputError(f"{self.path}: wrote no values to the file that it was given; let it write them")
        return {}


def read(path: Path, text: str) -> dict[Value, Sample]:
    """Return the samples of a script's CSV: a line a value, ``seed`` and ``query`` empty where there is none."""
    heading, *lines = csv.reader(text.splitlines())
    if heading != COLUMNS:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found {', '.join(heading)}")
    found: dict[Value, dict[str, dict[str, float]]] = {}
    for number, line in enumerate(lines, start=2):
        try:
            row, measure, seed, query, value = line
            found.setdefault(Value(measure, row), {}).setdefault(seed, {})[query] = float(value)
        except ValueError as error:
            raise InputError(
                f"{path}: line {number} of its values: {error}; let the script write row,measure,value"
            ) from error
    samples: dict[Value, Sample] = {}
    for name, by_seed in found.items():
        queries = tuple(dict.fromkeys(query for of_seed in by_seed.values() for query in of_seed))
        values = [[of_seed.get(query, np.nan) for query in queries] for of_seed in by_seed.values()]
        seeds = tuple(int(seed) for seed in by_seed if seed) or None
        samples[name] = Sample(np.array(values, np.float64), queries, seeds)
    return samples
