"""A run of a tiny grid that nothing has damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import Finished, grid

from negbench import tracking


@pytest.fixture(scope="session")
def finished(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]) -> Finished:
    here = tmp_path_factory.mktemp("finished")
    path = grid(here, tiny_encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        said = negbench("run", path, "--out", "results", cwd=here, store=here / "store")
    assert said.code == 0, said.err
    return Finished(path, here / "results", here / "store")


@pytest.fixture
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
