"""Small grids whose negatives move, run as far as needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from negbench.config.grid import read
from negbench.plan.trials import Trial, trials
from negbench.store import Store

HELPDESK = "helpdesk(version=1, articles=120, queries=32, dev=6, test=6)"
TRAIN = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2, "max_length": 32, "precision": "float32"}


def plan(folder: Path, encoder: Path, methods: list[Any], **keys: Any) -> list[Trial]:
    grid = {"name": "g", "collection": HELPDESK, "encoder": {"model": str(encoder)}, "methods": methods}
    folder.mkdir(exist_ok=True)
    (folder / "grid.yaml").write_text(json.dumps({**grid, "negatives": 3, "train": TRAIN, **keys}))
    return [trial for trial in trials(read(folder / "grid.yaml")) if trial.training is not None]


def weights(store: Store, trial: Trial) -> bytes:
    assert trial.training is not None
    return (store.ensure(trial.training) / "model/model.safetensors").read_bytes()


def curves(store: Store, trial: Trial) -> dict[str, list[list[float]]]:
    assert trial.training is not None
    found: dict[str, list[list[float]]] = json.loads((store.ensure(trial.training) / "curves.json").read_text())
    return found
