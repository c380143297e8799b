"""A small grid, and what a run of it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = {"articles": 100, "queries": 24, "dev": 6, "test": 12}
METHODS = ["in-batch", "random", "bm25", "rank-band", "simans", "denoised"]


def measured(name: str) -> bool:
    """Whether a cost of this name was measured, not counted, and so differs from run to run."""
    return name in ("seconds", "marginal_seconds", "added", "peak_mib") or name.startswith("seconds/")


@dataclass(frozen=True)
class Run:
    """A grid's folder of results, its store, and what the command said last."""

    out: Path
    store: Path
    said: Any

    @property
    def results(self) -> dict[str, Any]:
        def refuse(word: str) -> float:
            raise ValueError(f"{word} is no JSON")

        data = json.loads((self.out / "results.json").read_text(), parse_constant=refuse)
        assert isinstance(data, dict)
        return data

    def trial(self, method: str) -> dict[str, Any]:
        (found,) = [trial for trial in self.results["trials"] if trial["method"] == method]
        assert isinstance(found, dict)
        return found

    def artifact(self, method: str, kind: str) -> Path:
        """Return the folder of the last stage of a kind in a method's trial."""
        return self.store / kind / self.trial(method)["digests"][kind][-1]

    def trained(self) -> set[str]:
        return {path.parent.name for path in (self.store / "training").glob("*/stage.json")}


def grid_text(encoder: Path, methods: str) -> str:
    sizes = ", ".join(f"{name}={size}" for name, size in SIZES.items())
    return f"""
name: tiny
collection: helpdesk({sizes})
encoder: {{model: {encoder}, reinit_layers: 1}}
methods: {methods}
train: {{epochs: 2, batch_size: 8, learning_rate: 3e-3, max_length: 64, precision: float32}}
baseline: in-batch
"""


def start(here: Path, store: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    code = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
    environment = {**os.environ, "NEGBENCH_STORE": str(store)}
    command = [sys.executable, "-c", code, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=here, env=environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]
