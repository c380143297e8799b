"""Kendall's tau of ECI with nDCG@10, and of the ease of negatives with it, by seed, from results that are published.

Over the methods of ``results/methods`` (a transformer) and ``results/screening`` (a static student) that differ in
their negatives alone. Ease is the mean cosine of negatives with their query, negated.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "helpdesk": "methods/helpdesk",
    "scifact": "methods/scifact",
    "static-helpdesk": "screening/helpdesk",
    "static-scifact": "screening/scifact",
}
MEASURES = {"eci": ("negatives/eci", 1), "ease": ("negatives/cosine", -1)}


def _predict() -> ModuleType:
    spec = importlib.util.spec_from_file_location("predict", ROOT / "experiments" / "eci" / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_seed(predict: ModuleType, data: dict[str, Any], metric: str, sign: int) -> dict[int, float]:
    """Return tau of the metric, times ``sign``, with nDCG@10 over methods, by seed; ``data`` is a results.json."""
    pairs: dict[int, list[tuple[float, float]]] = {}
    for trial in predict.differ_in_negatives(data)["trials"]:
        if trial["status"] == "done" and metric in trial["metrics"]:
            pair = sign * trial["metrics"][metric], trial["metrics"]["nDCG@10"]
            pairs.setdefault(trial["seed"], []).append(pair)
    return {
        seed: predict.tau(*(np.array(side)[:, None] for side in zip(*of_seed, strict=True)))
        for seed, of_seed in pairs.items()
    }


def main(path: str) -> None:
    """Write them."""
    predict = _predict()
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "measure", "seed", "query", "value"])
        for row, folder in FOLDERS.items():
            data = json.loads((ROOT / "results" / folder / "results.json").read_text(encoding="utf-8"))
            for name, (metric, sign) in MEASURES.items():
                for seed, value in by_seed(predict, data, metric, sign).items():
                    if not math.isnan(value):
                        writer.writerow([row, name, seed, "", f"{value:.6f}"])


if __name__ == "__main__":
    main(sys.argv[1])
