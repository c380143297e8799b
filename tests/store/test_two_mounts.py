"""A grid that three machines run on one folder, seen under two paths, the first of which dies in a training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from child_process import CODE

MACHINE = """
import socket, sys
name, log = sys.argv[1:3]
del sys.argv[1:3]
socket.gethostname = lambda: name  # so that nobody probes its processes
from negbench.store import Store, leases
leases.SECONDS = 6.0
make = Store._make

def told(self, stage, *rest):
    with open(log, "a") as file:
        print(name, "began", stage.key, file=file)
    make(self, stage, *rest)
    with open(log, "a") as file:
        print(name, "made", stage.key, file=file)

Store._make = told
"""
GRID = """
name: mounts
collection: helpdesk(articles=100, queries=24, dev=6, test=12)
encoder: {model: ./encoder, reinit_layers: 1}
methods: [in-batch, bm25]
seeds: [0, 1]
train: {epochs: 1, batch_size: 8, max_length: 32, precision: float32}
baseline: in-batch
estimators: [exact]
"""


def start(name: str, here: Path, log: Path, store: str = "store") -> subprocess.Popen[str]:
    """Run the grid in ``here`` into results of its own."""
    command = [sys.executable, "-c", MACHINE + CODE, name, str(log), "run", "grid.yaml", "--out", f"results-{name}"]
    environment = {**os.environ, "NEGBENCH_STORE": store, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=here, env=environment, text=True, stderr=subprocess.PIPE)


def rows(out: Path) -> Any:
    """Return the rows of a table, without what a clock or the memory says."""

    def steady(value: Any) -> Any:
        if isinstance(value, list):
            return [steady(one) for one in value]
        if not isinstance(value, dict):
            return value
        unsteady = ("added", "peak_mib")
        return {key: steady(one) for key, one in value.items() if key not in unsteady and "seconds" not in key}

    return steady(json.loads((out / "results.json").read_text())["rows"])


@pytest.mark.slow
def test_machines_share_a_grid_and_one_dies(two_paths: tuple[Path, Path], tmp_path: Path, tiny_encoder: Path) -> None:
    """Each stage is made once, but for the one in which a machine died, and every table is that of a single machine."""
    first, second = two_paths
    log = tmp_path / "log"
    shutil.copytree(tiny_encoder, first / "encoder")
    (first / "grid.yaml").write_text(GRID)
    with start("dying", first, log) as dying:
        assert dying.stderr is not None
        assert any("train with" in line for line in dying.stderr)
        dying.kill()
    with start("two", second, log) as two, start("three", first, log) as three:
        said = [process.communicate()[1] for process in (two, three)]
    assert (two.returncode, three.returncode) == (0, 0), said
    with start("alone", first, tmp_path / "other", "other") as alone:
        alone.communicate()
    assert rows(first / "results-two") == rows(first / "results-three") == rows(first / "results-alone")
    lines = [line.split() for line in log.read_text().splitlines()]
    made, begun = (Counter(key for _, what, key in lines if what == which) for which in ("made", "began"))
    assert set(made.values()) == {1}
    assert set(made) == {line.split()[2] for line in (tmp_path / "other").read_text().splitlines()}
    assert sum(begun.values()) - sum(made.values()) <= 1
    assert not list((first / "store/drafts").iterdir())
