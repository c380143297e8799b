"""A sampler in a package of somebody else's, installed for real, is there by name and runs in a grid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "their-samplers"
version = "1.0"

[project.entry-points."negbench.parts"]
last = "their_samplers:Last"

[tool.setuptools]
py-modules = ["their_samplers"]
"""
MODULE = '''\
"""The lowest candidates."""

from typing import ClassVar

import numpy as np

from negbench.noise import Noise
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Last(Sampler):
    """Take the last candidates."""

    name: ClassVar[str] = "last"

    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Draw from below."""
        rank = np.broadcast_to(np.arange(pool.depth, dtype=np.float64), pool.documents.shape)
        return gumbel.best(rank, pool.available(), k)
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "their_samplers.py").write_text(MODULE)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(target), "NEGBENCH_STORE": str(target / "store")}


def negbench(environment: dict[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_it_runs_in_a_grid(installed: dict[str, str], tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "grid.yaml").write_text(
        f"""
name: theirs
collection: helpdesk(articles=100, queries=20, dev=5, test=8)
encoder: {tiny_encoder}
methods: ["bm25(selection=last, candidates.depth=9)"]
train: {{batch_size: 8, max_length: 16, precision: float32}}
"""
    )
    done = negbench(installed, tmp_path, "run", "grid.yaml", "--json")
    assert done.returncode == 0, done.stderr
    (trial,) = [trial for trial in json.loads(done.stdout)["trials"] if trial["method"] == "bm25"]
    assert trial["status"] == "done"
    assert trial["draw"]["median_rank"] >= 7  # the last of nine


def test_without_the_package_there_is_no_such_sampler(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "grid.yaml").write_text(
        f"name: a\ncollection: helpdesk\nencoder: {tiny_encoder}\nmethods: [bm25(selection=last)]\n"
    )
    done = negbench(dict(os.environ), tmp_path, "plan", "grid.yaml")
    assert done.returncode == 2
    assert "no sampler is called 'last'" in done.stderr
