"""A grid on two hosts, which are namespaces of this machine: one training over both, and one that dies."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import grid, read_until, weights
from two_hosts import Host, two_hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("ip") and shutil.which("nsenter")), reason="iproute2 or util-linux is missing"
    ),
]

SOON = "from negbench.store import leases; leases.SECONDS = 20.0; from negbench.cli import main; main()"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    with two_hosts(tmp_path) as both:
        yield both


def test_a_training_over_both_has_the_weights_of_one_host(
    hosts: tuple[Host, Host], tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any], no_mlflow: None
) -> None:
    run = ["run", str(grid(tmp_path, tiny_encoder)), "--set", "methods=[in-batch]", "--set", "train.processes=2"]
    run += ["--models", "none", "--out"]
    own = negbench(*run, "own", cwd=tmp_path, store=tmp_path / "own-store")
    assert own.code == 0, own.err
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    torchrun += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{hosts[0].name}:29400", "-m", "negbench"]
    environment = {"NEGBENCH_STORE": str(tmp_path / "store"), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    both = [host.start([*torchrun, *run, "launched"], tmp_path, environment) for host in hosts]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert weights(tmp_path / "store") == weights(tmp_path / "own-store")
    assert len(weights(tmp_path / "store")) == 1


def test_a_stage_is_left_to_its_host_until_that_is_dead(
    hosts: tuple[Host, Host], tmp_path: Path, tiny_encoder: Path
) -> None:
    """Neither host sees the other's processes, so that none tells by their numbers who is alive."""
    path = grid(tmp_path, tiny_encoder, methods="[in-batch]", more="seeds: [0]")
    run = [sys.executable, "-c", SOON, "run", str(path), "--set", "train.epochs=1000", "--set", "train.batch_size=2"]
    run += ["--models", "none", "--out"]
    environment = {"NEGBENCH_STORE": str(tmp_path / "store")}
    one, two = hosts
    first = one.start([*run, "first"], tmp_path, environment)
    read_until(first, "train with in-batch")
    second = two.start([*run, "second"], tmp_path, environment)
    before = read_until(second, "wait for a stage that another process is making")
    assert not [line for line in before if "train with in-batch" in line]
    one.kill()
    read_until(second, "train with in-batch")
    two.kill()
    for process in (first, second):
        process.communicate()
