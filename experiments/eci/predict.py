"""Does a measure of negatives predict which of them train best? Rank correlations with quality over methods.

    python experiments/eci/predict.py RESULTS

RESULTS is the folder of a finished run. Writes ``prediction.json`` into it and prints the same as a table: Kendall's
tau-b between each measure and the grid's first measure of quality, means over seeds, with a 95 % bootstrap interval
over methods and seeds. Each point of the grid's axes has correlations of its own. Methods that have no mined negatives
are left out. The same follows for the methods that differ in their negatives alone: those that ship, train with InfoNCE
in one phase, and put rows into batches at random.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from negbench.batching.random import Random
from negbench.losses.infonce import InfoNCE
from negbench.methods import resolve
from negbench.report.results import write_json
from negbench.types import Float64

PREDICTORS = {
    "ECI": "negatives/eci",
    "false-negative rate": "",
    "mean hardness (cosine)": "negatives/cosine",
    "effective documents": "negatives/effective_documents",
}
"""The metric of each predictor; the false-negative rate is no metric."""
RESAMPLES = 2000


def tau(predictor: Float64, quality: Float64) -> float:
    """Return Kendall's tau-b of two arrays [methods, seeds] averaged over seeds, NaN where all methods are equal.

    NaN marks what is not known: such seeds, and methods without any other seed, are left out.
    """
    known = ~(np.isnan(predictor) | np.isnan(quality))
    kept = known.any(axis=1)
    if kept.sum() < 2:
        return math.nan
    means = (np.nanmean(np.where(known, values, math.nan)[kept], axis=1) for values in (predictor, quality))
    return float(kendalltau(*means).statistic)


def interval(predictor: Float64, quality: Float64) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of ``tau`` over methods and seeds, drawn independently.

    Seeds are the same ones for all methods. Resamples without a correlation are left out.
    """
    rng = np.random.default_rng(0)
    drawn = [np.ix_(*(rng.integers(size, size=size) for size in predictor.shape)) for _ in range(RESAMPLES)]
    found = [value for value in (tau(predictor[some], quality[some]) for some in drawn) if math.isfinite(value)]
    return tuple(np.quantile(found, [0.025, 0.975]).tolist()) if found else (math.nan, math.nan)


def predictions(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the correlation of each predictor at each point of the axes; ``data`` is the content of results.json."""
    found = []
    for axes in {json.dumps(row["axes"]): row["axes"] for row in data["rows"]}.values():
        estimators = {row["method"]: row["estimator"] for row in data["rows"] if row["axes"] == axes}
        trials = [it for it in data["trials"] if it["axes"] == axes and it["status"] == "done"]
        trials = [it for it in trials if it["form"] != "reference"]
        methods, seeds = (list(dict.fromkeys(it[key] for it in trials)) for key in ("spelling", "seed"))
        values = np.full((1 + len(PREDICTORS), len(methods), len(seeds)), np.nan)
        for it in trials:
            rate = it["false_negatives"].get(estimators[it["spelling"]], {}).get("rate")
            every = [it["metrics"].get(name) if name else rate for name in PREDICTORS.values()]
            told = [it["metrics"][data["settings"]["measure"]], *every]
            values[:, methods.index(it["spelling"]), seeds.index(it["seed"])] = np.array(told, float)
        quality, *each = values
        for name, predictor in zip(PREDICTORS, each, strict=True):
            known = ~(np.isnan(predictor) | np.isnan(quality)).all(axis=1)
            pair = predictor[known], quality[known]
            low, high = interval(*pair)
            one = {"predictor": name, "methods": int(known.sum()), "seeds": len(seeds), "tau": tau(*pair)}
            found.append({"axes": axes, **one, "low": low, "high": high})
    return found


def differ_in_negatives(data: dict[str, Any]) -> dict[str, Any]:
    """Return the results of methods that share loss, phases and batches: what differs is what they mine."""
    kept = {it["spelling"] for it in data["trials"] if it["form"] != "reference" and _mines_alone(it["spelling"])}
    return {**data, "trials": [it for it in data["trials"] if it["spelling"] in kept]}


def _mines_alone(spelt: str) -> bool:
    try:
        method = resolve(spelt)
    except ValueError:  # no method that ships
        return False
    return not method.phases and method.loss == InfoNCE() and method.batching == Random() and method.trains == "both"


def main() -> None:
    """Write and print the correlations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    folder = parser.parse_args().results
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    found = [{"set": "all", **one} for one in predictions(data)]
    found += [{"set": "negatives alone", **one} for one in predictions(differ_in_negatives(data))]
    write_json(folder / "prediction.json", found)
    for one in found:
        at = "".join(f", {key}={value}" for key, value in one["axes"].items())
        told = f"{one['tau']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}]" if math.isfinite(one["tau"]) else "none"
        print(f"{one['predictor'] + at:40s} {told:>22s}  {one['methods']} methods, {one['seeds']} seeds, {one['set']}")


if __name__ == "__main__":
    main()
