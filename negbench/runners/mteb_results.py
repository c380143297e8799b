"""The scores of a grid's rows as result files of MTEB, so that its tools load them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from negbench.plan.trials import Trial
from negbench.report.results import write_json
from negbench.runners.file_names import collection_files, evaluated_on, file_name
from negbench.stages.evaluation.quality import EvaluateEncoder
from negbench.store import Store

FOLDER = "mteb"
NAMES = {"nDCG": "ndcg_at_{}", "R": "recall_at_{}", "P": "precision_at_{}", "RR": "mrr_at_{}", "AP": "map_at_{}"}
"""MTEB's names of measures with a cutoff; the others keep the names of ir-measures."""


def write(trials: Sequence[Trial], store: Store, out: Path) -> list[Path]:
    """Write ``mteb/ROW/REVISION/COLLECTION.json`` for each encoder and collection; return the files.

    The revision of an encoder is the digest of its training, that of a data set the collection's digest. ``main_score``
    is the first measure. The language is not known and left empty.
    """
    written: list[Path] = []
    names = collection_files(evaluated_on(trials))
    for trial in trials:
        revision = "start" if trial.training is None else trial.training.key
        for stage in (trial.evaluation, *trial.extra_evaluations.values()):
            if isinstance(stage, EvaluateEncoder):
                name = names[stage.collection.fingerprint]
                path = out / FOLDER / file_name(trial.name) / revision / f"{name}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, _result(stage, name, store))
                written.append(path)
    return written


def _result(stage: EvaluateEncoder, name: str, store: Store) -> dict[str, Any]:
    values: dict[str, float] = json.loads((store.path(stage) / "metrics.json").read_text())
    scores = {measure_name(measure): value for measure, value in values.items() if math.isfinite(value)}
    scores["main_score"] = values[stage.measures[0]]
    return {
        "dataset_revision": stage.collection.fingerprint,
        "task_name": name,
        "mteb_version": _installed(),
        "scores": {stage.split: [{**scores, "hf_subset": "default", "languages": []}]},
        "evaluation_time": store.cost(stage)["seconds"],
        "kg_co2_emissions": None,
    }


def measure_name(measure: str) -> str:
    """Return MTEB's name of a measure of ir-measures: ``ndcg_at_10`` for ``nDCG@10``."""
    found = re.fullmatch(r"(\w+)@(\d+)", measure)
    return NAMES[found[1]].format(found[2]) if found and found[1] in NAMES else measure


def _installed() -> str | None:
    """Return the version of mteb; None where it is not installed."""
    try:
        return metadata.version("mteb")
    except metadata.PackageNotFoundError:
        return None
