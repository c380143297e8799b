"""Trials as ``results.record`` writes them, and the rows of their table."""

from __future__ import annotations

from typing import Any

import numpy as np

from negbench.evaluation.false_negatives import meanings
from negbench.report import rows as report
from negbench.report.rows import Evidence, Row

QUERIES = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
"""How far the queries of made trials lie from the mean."""


def rate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"rate": value, "low": low, "high": high, "unit": "negative", "note": "made up"}


def trial(method: str, seed: int | None, quality: float, **more: Any) -> dict[str, Any]:
    axes = more.get("axes", {})
    return {
        "name": f"{method} {seed} {axes}",
        "method": method.partition("(")[0],
        "spelling": method,
        "form": "reference" if method == "start" else "fixed",
        "seed": seed,
        "axes": {},
        "metrics": {"nDCG@10": quality, "R@100": more.pop("recall", 0.5), "AP": 0.25},
        "false_negatives": {},
        "draw": {},
        "cost": {"seconds": 10.0, "marginal_seconds": 1.0},
        "stability": {},
        "status": "done",
        **more,
    }


def failed(method: str, seed: int, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"metrics": {}, "false_negatives": {}, "draw": {}, "cost": {}}
    return {**trial(method, seed, 0.0), **empty, "status": "failed", "error": "the disk is full", **more}


def evidence(trials: tuple[dict[str, Any], ...]) -> Evidence:
    """Values of five queries around each trial's mean, and clusters of 100 negatives that give its rates."""
    done = [one for one in trials if one["status"] == "done"]
    values = {one["name"]: one["metrics"]["nDCG@10"] + QUERIES for one in done}
    clusters = {
        one["name"]: {
            name: np.array([[100 * found["rate"]] * 4, [100.0] * 4])
            for name, found in one["false_negatives"].items()
            if name in meanings() and found["rate"] is not None
        }
        for one in done
    }
    return Evidence(values, clusters)


def rows(*trials: dict[str, Any], baseline: str | None = "in-batch", measure: str = "nDCG@10") -> list[Row]:
    return report.rows({"name": "made", "trials": list(trials)}, measure, baseline, 0.01, evidence(trials))


RESULTS = (
    trial("start", None, 0.5),
    trial("in-batch", 0, 0.6),
    trial(
        "simans(a=1.0)",
        0,
        0.7,
        recall=0.9,
        false_negatives={
            "exact": rate(0.10, 0.05, 0.2),
            "exact/query": rate(0.9, 0.8, 1),
            "exact/in-batch": rate(0.01, 0, 0.02),
        },
        draw={"filled": 0.25, "median_rank": 3.0},
        cost={"seconds": 100.0, "marginal_seconds": 40.0, "steps": 5},
        stability={"loss_spikes": 2},
    ),
    trial("in-batch", 1, 0.64),
    trial(
        "simans(a=1.0)",
        1,
        0.72,
        recall=0.7,
        false_negatives={"exact": rate(0.14, 0.07, 0.3), "exact/in-batch": rate(0.03, 0, 0.05)},
        draw={"filled": 0.75, "median_rank": 5.0},
        cost={"seconds": 120.0, "marginal_seconds": 50.0, "steps": 5},
        stability={"loss_spikes": 0},
    ),
)
