"""The record of a grid: ``results.json`` and ``manifest.json``."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from negbench.encoders.precision import ask_gpu, cpu_flags
from negbench.plan.graph import costs
from negbench.plan.trials import Trial
from negbench.store import Store
from negbench.types import Negatives

PACKAGES = ("negbench", "torch", "sentence-transformers", "transformers", "voyager", "bm25s", "ir-measures", "numpy")


def record(trial: Trial, trials: Sequence[Trial], store: Store, failure: str | None) -> dict[str, Any]:
    """Return one trial as plain data; a failed one has its reason and no figures.

    ``digests`` lists the keys of the trial's stages by kind, inputs first.
    """
    settings = trial.settings
    digests: dict[str, list[str]] = {}
    for stage in trial.stages:
        digests.setdefault(stage.kind, []).append(stage.key)
    row: dict[str, Any] = {
        "method": trial.method,
        "spelling": trial.spelling,
        "form": trial.form,
        "collection": trial.collection_name,
        "encoder": settings.encoder.spelling,
        "seed": trial.seed,
        "axes": trial.point,
        "metrics": {},
        "false_negatives": {},
        "draw": {},
        "cost": {},
        "digests": digests,
        "status": "failed" if failure else "done",
    }
    if failure:
        return {**row, "error": failure}
    row["metrics"] = json.loads((store.path(trial.evaluation) / "metrics.json").read_text())
    if trial.false_negatives is not None:
        row["false_negatives"] = json.loads((store.path(trial.false_negatives) / "rates.json").read_text())
    if trial.negatives is not None:
        row["draw"] = describe_draw(store.load(Negatives, trial.negatives))
        row["draw"]["recall"] = store.cost(trial.negatives.pool)["recall"]
        if trial.negatives.scores is not None:
            row["draw"]["teacher_auc"] = store.cost(trial.negatives.scores)["teacher_auc"]
    row["cost"] = costs(trial, trials, store)
    return row


def describe_draw(negatives: Negatives) -> dict[str, float]:
    """Return the share that was filled, and the median rank and effective sample size of what was drawn."""
    import numpy as np

    ranked = negatives.ranks[negatives.ranks >= 0]
    return {
        "filled": float((negatives.origins == 1).mean()) if negatives.origins.size else 0.0,
        "median_rank": float(np.median(ranked)) if len(ranked) else float("nan"),
        "effective_size": float(np.median(negatives.effective_size)) if len(negatives.effective_size) else 0.0,
    }


def manifest(command: Sequence[str], grid_text: str, precision: str) -> dict[str, Any]:
    """Return what is needed to make the results again: versions, commit, machine, command, the grid itself."""
    return {
        "command": list(command),
        "grid": grid_text,
        "precision": precision,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": _commit(),
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processors": os.cpu_count(),
            "bfloat16": sorted(cpu_flags() & {"amx_bf16", "avx512_bf16"}),
            "gpu": ask_gpu("name"),
        },
    }


def _commit() -> str | None:
    """Return the commit of the checkout that negbench runs from, with a + where it has local changes."""
    here = Path(__file__).parent
    try:
        # installed into an environment inside somebody's own checkout, the commit would be theirs
        ours = subprocess.run(
            ["git", "ls-files", "--error-unmatch", __file__], cwd=here, capture_output=True, check=False
        )
        if ours.returncode != 0:
            return None
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
        state = ["git", "status", "--porcelain", "--untracked-files=no", "--", "negbench", ":/negbench"]
        changed = subprocess.run(state, cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return None
    if found.returncode != 0:
        return None
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")


def write_json(path: Path, data: object) -> None:
    """Write ``data`` whole or not at all; a number that is not finite, which JSON does not have, becomes null."""
    write_text(path, json.dumps(_finite(data), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
