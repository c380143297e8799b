"""A Ray cluster of two nodes on this machine gives the results of one process; left out without the extra ``ray``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from one_grid import grid, steady

import negbench
from negbench.errors import InputError


def test_without_ray_one_line_says_what_to_install(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'negbench\[ray\]'"):
        negbench.run(grid(tiny_encoder), tmp_path / "out", store=tmp_path / "store", runner="ray")
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.fixture
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_a_node_that_dies_costs_nothing_but_time(
    alone: negbench.Results,
    tiny_encoder: Path,
    tmp_path: Path,
    cluster: Any,
) -> None:
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    killed: list[str] = []

    def kill_the_second(progress: Any) -> None:
        if "train with" in progress.label and " | " in progress.label and not killed:
            killed.append(progress.label)
            cluster.remove_node(second, allow_graceful=False)

    results = negbench.run(
        grid(tiny_encoder),
        tmp_path / "results",
        store=tmp_path / "store",
        models="none",
        runner="ray",
        address=cluster.address,
        progress=kill_the_second,
    )
    assert killed
    assert results.failures == {}
    assert steady(results.data["rows"]) == steady(alone.data["rows"])


@pytest.mark.slow
def test_an_address_where_nothing_answers_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="no Ray cluster answers there"):
        negbench.run(grid(tiny_encoder), tmp_path / "out", store=tmp_path / "s", runner="ray", address="127.0.0.1:9")
