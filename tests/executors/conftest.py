"""The grid made by this process alone, with one thread."""

from __future__ import annotations

from pathlib import Path

import pytest
from one_grid import grid

import negbench
from negbench import tracking


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="package")
def alone(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> negbench.Results:
    here = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        return negbench.run(grid(tiny_encoder), here / "results", store=here / "store", models="none")
