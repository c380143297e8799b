"""Processes that are killed or asked to end, and several at once on one grid."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from made_runs import Finished, copied, ended, figures, grid, read_until, start

from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.runners import schedule
from negbench.store import Store, upkeep

MOMENTS = ("load encoder", "encode the documents with", "re-ranking", "train with in-batch", "train with top", "locate")
"""What a run says before a stage at whose beginning it is killed."""


@pytest.mark.slow
def test_kills_lose_nothing_and_leave_nothing(tmp_path: Path, tiny_encoder: Path, finished: Finished) -> None:
    """Every stage that was whole stays; the last run finishes the grid, with the results of one that was not killed."""
    path, store = grid(tmp_path, tiny_encoder), tmp_path / "store"
    kept: dict[Path, int] = {}
    for moment in MOMENTS:
        with start(tmp_path, store, "run", path, "--out", "results") as process:
            read_until(process, moment)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        now = records(store)
        assert kept.items() <= now.items()
        kept = now
        assert upkeep.verify(Store(store)).damaged == {}
    with start(tmp_path, store, "run", path, "--out", "results") as process:
        _, err = process.communicate()
    assert process.returncode == 0, err
    assert kept.items() <= records(store).items()
    assert figures(tmp_path / "results") == figures(finished.out)
    assert not list((store / "drafts").iterdir())
    assert not list((tmp_path / "results").glob("*.draft"))


def records(store: Path) -> dict[Path, int]:
    """Return the record of each artifact, with a number that changes where it is written anew."""
    return {folder: (folder / "stage.json").stat().st_ino for folder in Store(store).folders()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_cleans_up_and_says_what_is_kept(name: str, tmp_path: Path, tiny_encoder: Path) -> None:
    path, store = grid(tmp_path, tiny_encoder, "[in-batch]"), tmp_path / "store"
    with start(tmp_path, store, "run", path, "--out", "results") as process:
        read_until(process, "train with")
        process.send_signal(getattr(signal, name))
        out, err = process.communicate()
    assert process.returncode == 128 + getattr(signal, name)
    assert out == ""
    (line,) = [line for line in err.splitlines() if "left)" not in line]
    assert line == (
        f"negbench: stopped by {name}; every finished stage is kept in {store}, and the same command goes on from there"
    )
    assert not list((store / "drafts").iterdir())
    assert [path.suffix for path in (store / "grids").iterdir()] == [".json"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_children_end_with_their_parent(name: str, tmp_path: Path, tiny_encoder: Path) -> None:
    """A second process that searches for new negatives."""
    path = grid(tmp_path, tiny_encoder, '[in-batch, {rank-band: {refresh: "every(steps=2, lag=1)"}}]')
    with start(tmp_path, tmp_path / "store", "run", path, "--out", "results", "--set", "train.epochs=50") as process:
        read_until(process, "lag=1)) seed 0: train with")
        parent = psutil.Process(process.pid)
        while not any("search_process" in " ".join(it.cmdline()) for it in parent.children()):
            assert process.poll() is None, process.stderr and process.stderr.read()
        children = [child.pid for child in parent.children()]
        process.send_signal(getattr(signal, name))
        process.communicate()
    assert ended(children)


@pytest.mark.slow
def test_six_processes_share_a_grid_and_its_folder(tmp_path: Path, tiny_encoder: Path, finished: Finished) -> None:
    """Each stage is made once, and the table is that of one process."""
    path, store = grid(tmp_path, tiny_encoder), tmp_path / "store"
    processes = [start(tmp_path, store, "run", path, "--out", "results") for _ in range(6)]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, [err for _, err in said]
    assert not [err for _, err in said if "Traceback" in err]
    trainings = [line for _, err in said for line in err.splitlines() if "train with" in line]
    assert len(trainings) == 2
    assert figures(tmp_path / "results") == figures(finished.out)
    assert not list((tmp_path / "results").glob("*.draft"))
    assert not list((store / "drafts").iterdir())


@pytest.mark.usefixtures("no_mlflow")
def test_while_a_stage_is_locked_other_trials_go_on(
    finished: Finished, tmp_path: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trial's evaluation is being made elsewhere, until everything else is done."""
    store = Store(copied(finished.store, tmp_path / "store"))
    ends = [trial.evaluation for trial in trials(read(finished.grid)) if trial.sequence is not None]
    for stage in ends:
        shutil.rmtree(store.path(stage))
    held = ExitStack()
    held.enter_context(store.lease(ends[0].key).hold())
    waited: list[bool] = []

    def release(_: float) -> None:
        waited.append(store.has(ends[1]) and not store.has(ends[0]))
        held.close()

    monkeypatch.setattr(schedule.time, "sleep", release)
    said = negbench("run", finished.grid, "--out", "results", cwd=tmp_path, store=store.root)
    assert said.code == 0, said.err
    assert waited == [True]
    assert said.err.count("wait for a stage that another process is making") == 1
    assert figures(tmp_path / "results") == figures(finished.out)
