"""A folder with a collection, an encoder, a grid and mined negatives, in which the API works as a user would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_workplace import EXPECT, GRID, PAPER

from negbench import tracking


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_collection: Path) -> Path:
    """Return the folder; what one test stores there, the next one finds."""
    folder = tmp_path_factory.mktemp("workplace")
    shutil.copytree(tiny_collection, folder / "garden")
    shutil.copytree(tiny_encoder, folder / "tiny")
    (folder / "garden.yaml").write_text(GRID)
    (folder / "garden-paper").mkdir()
    for name, text in (("paper.yaml", PAPER), ("expect.yaml", EXPECT)):
        (folder / "garden-paper" / name).write_text(text)
    rows = [
        {"query": f"query {at}", "pos": [f"positive {at}"], "neg": [f"document {at} {rank}" for rank in range(5)]}
        for at in range(40)
    ]
    (folder / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder and work in it, with a store of its own and no MLflow."""
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("NEGBENCH_STORE", str(workplace / ".negbench"))
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    yield workplace
    shutil.rmtree(workplace / "audits", ignore_errors=True)
