"""Several worker processes give the results of one, whatever happens to a worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from one_grid import grid, steady

import negbench
from negbench.errors import InputError
from negbench.executors import Job, worker, workers


def _contents(folder: Path, store: Path) -> dict[str, bytes]:
    """Return the bytes of all artifacts, without records, which hold times."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("stage.json", "system.json")
    }


@pytest.mark.parametrize("dies", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_workers_make_what_one_process_makes(
    alone: negbench.Results, dies: bool, tiny_encoder: Path, tmp_path: Path
) -> None:
    """The draws, the weights and the tables are equal to the byte, also if a worker dies and its stage is redone."""
    killed: list[int] = []

    def kill_one(progress: Any) -> None:
        children = [child for child in psutil.Process().children() if "negbench.executors.worker" in child.cmdline()]
        if " | " in progress.label and children and dies and not killed:
            killed.append(children[0].pid)
            children[0].kill()

    both = negbench.run(
        grid(tiny_encoder), tmp_path / "results", store=tmp_path / "store", workers=2, models="none", progress=kill_one
    )
    assert bool(killed) == dies
    assert both.failures == {}
    assert steady(both.data["rows"]) == steady(alone.data["rows"])
    for kind in ("negatives", "training", "evaluation"):
        theirs = alone.path.parent / "store"
        assert _contents(tmp_path / "store" / kind, tmp_path / "store") == _contents(theirs / kind, theirs)


@pytest.mark.slow
def test_a_stage_whose_workers_die_fails_alone(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ATTEMPTS", 1)
    killed: list[str] = []

    def kill_a_training(progress: Any) -> None:
        if "train with" in progress.label and not killed:
            killed.append(progress.label)
            for child in psutil.Process().children():
                if "negbench.executors.worker" in child.cmdline():
                    child.kill()

    results = negbench.run(
        grid(tiny_encoder), tmp_path / "out", store=tmp_path / "s", workers=2, models="none", progress=kill_a_training
    )
    assert results.failures
    assert all("its worker died" in why for why in results.failures.values())
    assert "start" in {row.method for row in results.rows}
    again = negbench.run(grid(tiny_encoder), tmp_path / "out", store=tmp_path / "s", workers=2, models="none")
    assert again.failures == {}


def test_the_processors_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert workers.threads_each(2) == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert [workers.threads_each(number) for number in (1, 2, 5, 40)] == [12, 6, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workers", "0"], "--workers"),
        (["--address", "10.0.0.1:6379"], "add --runner ray"),
        (["--runner", "slurm"], "'slurm' is not one of"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str], said: str, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "grid.yaml").write_text("name: x\ncollection: helpdesk\nencoder: some/model\nmethods: [random]\n")
    answer = negbench("run", "grid.yaml", *arguments, cwd=tmp_path)
    assert answer.code == 2
    assert said in answer.err


def test_an_unknown_runner_is_refused_in_python(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected local or ray"):
        negbench.run(grid(tiny_encoder), tmp_path, runner="slurm")  # type: ignore[arg-type]


def test_a_machine_without_the_collection_says_so(tmp_path: Path) -> None:
    """A worker plans the grid for itself; what it lacks is the failure of the stage, not the end of the worker."""
    manifest = tmp_path / "manifest.json"
    text = "name: x\ncollection: nowhere\nencoder: some/model\nmethods: [random]\n"
    manifest.write_text(json.dumps({"grid": text, "assignments": [], "folder": str(tmp_path)}))
    outcome = worker.carry_out(Job(str(manifest), str(tmp_path / "store"), str(tmp_path)), "0" * 32)
    assert outcome.failure is not None
    assert "nowhere" in outcome.failure
    assert not outcome.locked
