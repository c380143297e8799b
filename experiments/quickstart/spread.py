"""Print how far differences to in-batch negatives spread over seeds and queries, and what could be detected.

    python experiments/quickstart/spread.py RUN ... > experiments/quickstart/spread.csv

RUN is a folder that a grid wrote. No mean of a method is printed: sizes are chosen by spread and time alone.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from negbench.evaluation.significance import detectable, estimate
from negbench.types import Float64

BASELINE = "in-batch"
SEEDS = (4, 5, 6, 8)
"""Numbers of seeds that are planned for."""


def by_method(folder: Path) -> dict[str, dict[str, Float64]]:
    """Return the values [Q] of the first measure by method and seed, of the trials that are done."""
    with (folder / "by_query.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[str, Float64]] = {}
    for name in rows[0]:
        method, between, seed = name.partition(" seed ")
        if between:
            found.setdefault(method, {})[seed] = np.array([float(row[name]) for row in rows])
    return found


def main() -> None:
    """Write one line a run and method."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    planned = [f"detectable with {seeds} seeds" for seeds in SEEDS]
    out.writerow(["run", "method", "seeds", "queries", "sd over seeds", "error of seeds", "error of queries", *planned])
    for folder in map(Path, sys.argv[1:]):
        values = by_method(folder)
        for method, own in values.items():
            seeds = [seed for seed in own if seed in values[BASELINE]]
            if method == BASELINE or len(seeds) < 2:
                continue
            differences = np.stack([own[seed] - values[BASELINE][seed] for seed in seeds])
            found = estimate(differences)
            errors = {freedom: variance**0.5 for variance, freedom in found.parts}
            line: list[object] = [folder.name, method, len(seeds), differences.shape[1]]
            few, many = (errors.get(float(size - 1), 0.0) for size in differences.shape)
            line += [f"{value:.4f}" for value in (differences.mean(axis=1).std(ddof=1), few, many)]
            for number in SEEDS:
                parts = tuple(
                    (variance * len(seeds) / number, number - 1.0) if freedom == len(seeds) - 1 else (variance, freedom)
                    for variance, freedom in found.parts
                )
                line.append(f"{detectable(replace(found, parts=parts)):.4f}")
            out.writerow(line)


if __name__ == "__main__":
    main()
