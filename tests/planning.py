"""Plans over a small collection and an encoder that is never loaded."""

from __future__ import annotations

import json
from pathlib import Path

from negbench.config.grid import read
from negbench.plan.trials import Trial, trials

METHODS = ["in-batch", "random", "bm25", "rank-band", "simans", "denoised"]


def text_of(collection: Path, weights: Path, methods: list[object] | None = None, **keys: object) -> str:
    """A grid as JSON, which is YAML."""
    teacher = {"trained-cross-encoder": {"model": str(weights)}}
    named = [{"denoised": {"teacher": teacher}} if name == "denoised" else name for name in methods or METHODS]
    data = {
        "name": "g",
        "collection": str(collection),
        "encoder": {"model": str(weights)},
        "methods": named,
        "seeds": [0, 1],
        "train": {"precision": "float32"},
        **keys,
    }
    return json.dumps(data)


def plan(collection: Path, weights: Path, methods: list[object] | None = None, **keys: object) -> list[Trial]:
    path = collection.parent / "grid.yaml"
    path.write_text(text_of(collection, weights, methods, **keys))
    return trials(read(path))


def by(found: list[Trial], method: str, seed: int | None = 0) -> Trial:
    (trial,) = [trial for trial in found if trial.method == method and trial.seed == seed]
    return trial


def pool_key(trial: Trial) -> str:
    assert trial.negatives is not None
    return trial.negatives.pool.key


def keys(trial: Trial, *kinds: str) -> set[str]:
    """What a trial's own work rests on, without what is measured beside."""
    return {stage.key for stage in trial.result_stages if not kinds or stage.kind in kinds}
