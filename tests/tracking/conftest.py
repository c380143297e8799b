"""No server of the user's, and one empty store for all."""

from __future__ import annotations

import os

import pytest

# No test may call home, and MLflow decides on that when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty SQLite store, shared by tests whose grids have other names."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/shared.db"
