"""A tiny grid, run in this process or in one that is killed, and what a run left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Finished:
    """A grid, its results and its store."""

    grid: Path
    out: Path
    store: Path


SIZES = "articles=100, queries=24, dev=6, test=12"

KINDS = (
    *("collection", "encoder", "embeddings", "evaluation", "pool", "geometry", "training", "negatives"),
    *("measured-negatives", "in-batch-false-negatives", "false-negatives", "where"),
)
"""The kinds of stages in ``grid``."""


def grid(folder: Path, encoder: Path, methods: str = "[in-batch, bm25]", more: str = "") -> Path:
    """Write a grid of a few seconds into ``folder``."""
    path = folder / "grid.yaml"
    path.write_text(
        f"""
name: tiny
collection: helpdesk({SIZES})
encoder: {{model: {encoder}, reinit_layers: 1}}
methods: {methods}
train: {{epochs: 1, batch_size: 8, learning_rate: 3e-3, max_length: 32, precision: float32}}
baseline: in-batch
estimators: [exact]
{more}"""
    )
    return path


def start(here: Path, store: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command in a process of its own, which hears signals that whoever started the tests ignores (nohup)."""
    heard = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    code = f"{heard}; import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "NEGBENCH_STORE": str(store)}
    return subprocess.Popen(
        command, cwd=here, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """Return the lines of stderr up to the first that holds ``wanted``; fails where the process ends before."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"it ended without {wanted!r}: {lines}")


def ended(pids: list[int]) -> bool:
    """Wait until processes have ended, half a minute at most; return whether they have."""
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(alive, timeout=30)
    return not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


def figures(out: Path) -> list[dict[str, Any]]:
    """Return the trials of results.json without what is measured by a clock, and without versions."""
    trials = json.loads((out / "results.json").read_text())["trials"]
    for trial in trials:
        del trial["versions"]
        costs = trial["cost"]
        for name in [name for name in costs if "seconds" in name or name == "peak_mib"]:
            del costs[name]
    assert isinstance(trials, list)
    return trials


def weights(store: Path) -> dict[str, bytes]:
    """Return the weights of each training, by its key."""
    return {path.parts[-3]: path.read_bytes() for path in store.glob("training/*/model/model.safetensors")}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": lambda path: path.write_bytes(_flipped(path.read_bytes())),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


def damage(path: Path, how: str) -> None:
    """Damage a file, but not what other names of it (hard links) hold."""
    copy = path.with_name(f"{path.name}.copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    DAMAGES[how](path)


def copied(store: Path, to: Path) -> Path:
    """Copy a store by hard links."""
    import shutil

    return Path(shutil.copytree(store, to, copy_function=os.link))
