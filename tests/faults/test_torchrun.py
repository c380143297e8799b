"""A grid run by torchrun: the weights of two processes that negbench starts; one that is killed ends all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from made_runs import ended, grid, read_until, weights


def launch(here: Path, store: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start two processes of a command by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "negbench"]
    environment = {**os.environ, "NEGBENCH_STORE": str(store), "MLFLOW_TRACKING_URI": f"sqlite:///{store}.db"}
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=here,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


BOTH = ("--set", "methods=[in-batch]", "--set", "train.processes=2", "--models", "none")


@pytest.mark.slow
def test_it_trains_what_processes_of_its_own_train(
    tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any], no_mlflow: None
) -> None:
    path = grid(tmp_path, tiny_encoder)
    own = negbench("run", path, *BOTH, "--out", "own", cwd=tmp_path, store=tmp_path / "own-store")
    assert own.code == 0, own.err
    process = launch(tmp_path, tmp_path / "store", "run", path, *BOTH, "--out", "launched")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.count("results in launched") == 1, "only the first process carries out the command"
    assert weights(tmp_path / "store") == weights(tmp_path / "own-store")
    assert len(weights(tmp_path / "store")) == 1


@pytest.mark.slow
def test_trainings_of_one_process_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    process = launch(tmp_path, tmp_path / "store", "run", grid(tmp_path, tiny_encoder), "--out", "launched")
    _, err = process.communicate()
    assert process.returncode == 1
    (line,) = [line for line in err.splitlines() if line.startswith("negbench: ")]
    assert line.startswith("negbench: train.processes is 1, but 2 processes were started; --set train.processes=2")
    assert not (tmp_path / "launched").exists()


@pytest.mark.slow
def test_a_killed_process_ends_all(tmp_path: Path, tiny_encoder: Path) -> None:
    long = ("--set", "train.epochs=1000")
    process = launch(
        tmp_path, tmp_path / "store", "run", grid(tmp_path, tiny_encoder), *BOTH, *long, "--out", "launched"
    )
    read_until(process, "train with in-batch")
    both = psutil.Process(process.pid).children()
    (helper,) = [it for it in both if it.environ().get("RANK") == "1"]
    helper.kill()
    _, err = process.communicate()
    assert process.returncode == 1
    assert ended([it.pid for it in both])
    assert "(SIGKILL)" in err
    (line,) = [line for line in err.splitlines() if line.startswith("negbench: ")]
    assert line.startswith("negbench: stopped by SIGTERM; every finished stage is kept in ")
    assert weights(tmp_path / "store") == {}
