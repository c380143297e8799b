"""Parts in a package of somebody else's, installed for real, are there by name and take part in a grid."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from child_process import negbench

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "their-parts"
version = "1.0"

[project.entry-points."negbench.parts"]
last = "their_samplers:Last"
prime-steps = "their_refresh:PrimeSteps"
even = "their_estimators:Even"

[project.entry-points."negbench.methods"]
theirs = "their_methods"

[tool.setuptools]
py-modules = ["their_samplers", "their_refresh", "their_estimators"]
packages = ["their_methods"]

[tool.setuptools.package-data]
their_methods = ["*.yaml"]
"""
METHOD = """\
summary: The lowest of nine BM25 hits.
paper: Somebody, Unpublished
year: 2031
shows: That the last are easy.
candidates: bm25(depth=9)
selection: last
"""
MODULE = '''\
"""The lowest candidates."""

from typing import ClassVar

import numpy as np

from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Last(Sampler):
    """Take the last candidates."""

    name: ClassVar[str] = "last"

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Draw from below."""
        rank = np.broadcast_to(np.arange(pool.depth, dtype=np.float64), pool.documents.shape)
        return gumbel.best(rank, pool.available(), k)
'''
REFRESH = '''\
"""A search after every prime number of steps."""

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Refresh


class PrimeSteps(Refresh):
    """Search again after 2, 3, 5, 7, 11, ... steps."""

    name: ClassVar[str] = "prime-steps"

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return the primes."""
        return [step for step in range(2, epoch_ends[-1]) if all(step % other for other in range(2, step))]
'''
ESTIMATOR = '''\
"""The share of even rows."""

from typing import ClassVar

import numpy as np

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, TrainingNegatives, Rate


class Even(Estimator):
    """Take every document in an even row for relevant."""

    name: ClassVar[str] = "even"
    reads: ClassVar[tuple[str, ...]] = ()
    meanings: ClassVar[dict[str, str]] = {"even": "of the mined negatives, those in even rows of the corpus"}
    priority: ClassVar[int] = 1

    def estimate(self, handed: TrainingNegatives) -> dict[str, Rate]:
        """Return the share of negatives in even rows."""
        there = handed.documents >= 0
        if not there.any():
            return {}
        _, query = np.unique(handed.queries, return_inverse=True)
        even = there & (handed.documents % 2 == 0)
        hits, totals = (np.bincount(query, counted.sum(axis=1).astype(float)) for counted in (even, there))
        note = "rows are even by chance"
        return {"even": Rate.of(intervals.proportion(hits, totals), "negative", note, np.stack([hits, totals]))}
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "their_methods").mkdir()
    (source / "their_methods/__init__.py").write_text("")
    (source / "their_methods/lowest.yaml").write_text(METHOD)
    (source / "their_samplers.py").write_text(MODULE)
    (source / "their_refresh.py").write_text(REFRESH)
    (source / "their_estimators.py").write_text(ESTIMATOR)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "NEGBENCH_STORE": str(target / "store")}


@pytest.fixture(scope="module")
def run(installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder in which a grid with the sampler, the refresh and the estimator was run."""
    here = tmp_path_factory.mktemp("run")
    (here / "grid.yaml").write_text(
        f"""
name: theirs
collection: helpdesk(articles=100, queries=20, dev=5, test=8)
encoder: {tiny_encoder}
methods: ["bm25(selection=last, candidates.depth=9)", "naive(refresh=prime-steps)"]
train: {{batch_size: 8, epochs: 3, max_length: 16, precision: float32, positives: one}}
"""
    )
    done = negbench(installed, here, "run", "grid.yaml")
    assert done.returncode == 0, done.stderr
    return here


def test_it_runs_in_a_grid(installed: dict[str, str], run: Path) -> None:
    trials = json.loads((run / "runs/theirs/results.json").read_text())["trials"]
    (trial,) = [trial for trial in trials if trial["method"] == "bm25"]
    assert trial["status"] == "done"
    assert trial["draw"]["median_rank"] >= 7  # the last of nine
    _estimates_are_told_everywhere(run / "runs/theirs", trial)

    done = negbench(installed, run, "report", "grid.yaml")
    assert done.returncode == 0, done.stderr
    page = (run / "runs/theirs/report.html").read_text()
    assert "false negatives %, even [95 %]" in page
    assert MEANING in page


MEANING = "false negatives, even: of the mined negatives, those in even rows of the corpus"


def _estimates_are_told_everywhere(results: Path, trial: dict[str, Any]) -> None:
    """The estimator of the package goes before the one that ships, and is told in its own words."""
    rate = trial["false_negatives"]["even"]
    assert 0 < rate["low"] < rate["rate"] < rate["high"] < 1
    assert "exact" in trial["false_negatives"]  # which a table would have shown
    with (results / "false_negatives.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["estimator"] == "even"]
    (line,) = [line for line in lines if line["trial"] == trial["name"]]
    assert float(line["rate"]) == pytest.approx(rate["rate"], rel=1e-5)
    assert line["note"] == "rows are even by chance"
    table = (results / "table.md").read_text()
    assert "false negatives %, even [95 %]" in table
    assert f"| {100 * rate['rate']:.2f} [" in table
    assert MEANING in table
    assert "even: rows are even by chance." in table
    assert MEANING in json.loads((results / "results.json").read_text())["settings"]["legend"]


@pytest.mark.usefixtures("run")
def test_a_refresh_of_theirs_searches_at_its_own_steps(installed: dict[str, str]) -> None:
    (store,) = Path(installed["NEGBENCH_STORE"]).glob("training/*/rounds")
    curves = json.loads((store.parent / "curves.json").read_text())
    assert [step for step, _ in curves["refresh_staleness"]] == [2, 3, 5, 7]  # 3 epochs of 20 queries, 8 a step
    assert sorted(folder.name for folder in store.iterdir()) == ["1", "2", "3", "4"]


def test_a_method_of_theirs_goes_by_name(installed: dict[str, str], tmp_path: Path, tiny_encoder: Path) -> None:
    import jsonschema

    listed = json.loads(negbench(installed, tmp_path, "methods", "--json").stdout)
    assert listed["lowest"]["selection"] == {"name": "last", "parameters": {}}
    assert "The lowest of nine BM25 hits." in negbench(installed, tmp_path, "methods", "lowest").stdout
    parts = json.loads(negbench(installed, tmp_path, "parts", "last", "--json").stdout)
    assert [(it["kind"], it["name"], it["module"]) for it in parts] == [("sampler", "last", "their_samplers")]
    schema = json.loads(negbench(installed, tmp_path, "schema").stdout)
    grid = {"name": "a", "collection": "helpdesk", "encoder": str(tiny_encoder)}
    for methods in (["lowest"], [{"lowest": {"candidates.depth": 5}}], [{"bm25": {"selection": "last"}}]):
        jsonschema.validate({**grid, "methods": methods}, schema)
    (tmp_path / "grid.yaml").write_text(json.dumps({**grid, "methods": ["lowest(candidates.depth=5)"]}))
    plan = json.loads(negbench(installed, tmp_path, "plan", "grid.yaml", "--json").stdout)
    assert plan["trials"][-1]["name"] == "lowest(depth=5) seed 0"


@pytest.mark.parametrize(
    ("value", "file", "said"),
    [
        ("nowhere", "", "entry point negbench.methods broken of broken: expected a package with method files"),
        ("json.decoder", "", "found 'json.decoder'"),
        ("theirs", "bm25", "the method bm25 is there already, in "),
    ],
)
def test_a_broken_package_of_methods_is_one_line(value: str, file: str, said: str, tmp_path: Path) -> None:
    """Laid out as an installer does."""
    (tmp_path / "broken-1.0.dist-info").mkdir()
    (tmp_path / "broken-1.0.dist-info/METADATA").write_text("Name: broken\nVersion: 1.0\n")
    (tmp_path / "broken-1.0.dist-info/entry_points.txt").write_text(f"[negbench.methods]\nbroken = {value}\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/__init__.py").write_text("")
    (tmp_path / f"theirs/{file}.yaml").write_text(METHOD)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = negbench({**os.environ, "PYTHONPATH": path}, tmp_path, "methods")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_the_package_there_is_no_such_sampler(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "grid.yaml").write_text(
        f"name: a\ncollection: helpdesk\nencoder: {tiny_encoder}\nmethods: [bm25(selection=last)]\n"
    )
    done = negbench(dict(os.environ), tmp_path, "plan", "grid.yaml")
    assert done.returncode == 2
    assert "no sampler is called 'last'" in done.stderr
