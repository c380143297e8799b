"""What a refresh interval does, from the results of a grid and its store.

python experiments/refresh/sweep.py RESULTS GRID [--set ASSIGNMENT ...]

Writes ``sweep.md`` and ``sweep.svg`` into RESULTS. NEGBENCH_STORE is the store that the grid ran in.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import matplotlib.pyplot as plt
import numpy as np

from negbench.config.grid import read
from negbench.plan.trials import Trial, trials
from negbench.stages.evaluation.quality import EvaluateEncoder
from negbench.stages.inputs import read_collection, read_vectors
from negbench.stages.refresh.rounds import found_in, read_rounds
from negbench.store import Store
from negbench.types import Bool, CandidatePool

MEASURES = {
    "nDCG@10": "nDCG@10",
    "rate": "false negatives, %",
    "in_top": "still in the current top, %",
    "staleness": "staleness, 1 - cosine",
    "forgotten": "found at some search, lost at the end, %",
    "dip": "deepest fall of the dev curve",
    "seconds": "seconds, from nothing",
}


@dataclass(frozen=True)
class Found:
    """Which training queries have a labelled positive in their first ten ranks, [Q] each, by step; the end as -1."""

    by_step: dict[int, Bool]

    @property
    def forgotten(self) -> float:
        """The share of queries found at the start or a refresh that the trained encoder does not find."""
        ever = np.any([found for step, found in self.by_step.items() if step >= 0], axis=0)
        return float((~self.by_step[-1][ever]).mean())

    def lost(self, begin: int, end: int) -> float | None:
        """The share of those found after ``begin`` steps that are not after ``end``; None where one is not known."""
        if begin not in self.by_step or end not in self.by_step:
            return None
        return float((~self.by_step[end][self.by_step[begin]]).mean())


def found(trial: Trial, store: Store, steps: list[int]) -> Found:
    """Return who is found at the start, at each refresh (``steps``) and by the trained encoder."""
    training, evaluation = trial.training, trial.evaluation
    assert training is not None
    assert training.negatives is not None
    assert isinstance(evaluation, EvaluateEncoder)
    collection = read_collection(store.path(training.collection))
    asked = replace(evaluation.queries, split=training.split)
    queries, documents = (read_vectors(store.ensure(it)) for it in (asked, evaluation.documents))
    scores = np.asarray(queries, np.float32) @ np.asarray(documents, np.float32).T
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    labels = collection.qrels[training.split].at_least(1)
    rows = collection.split_queries(training.split)
    made = {0: found_in(store.load(CandidatePool, training.negatives.pool))}
    if training.refresh.searches:  # a redraw finds what the start found
        rounds = read_rounds(store.path(training) / "rounds")
        made |= {step: one.found for step, one in zip(steps, rounds, strict=True)}
    made[-1] = labels.contains(rows[:, None], top).any(axis=1)
    return Found(made)


def measured(results: Path, grid: Path, assignments: list[str], store: Store) -> dict[str, list[dict[str, float]]]:
    """Return the measures of every seed, by the spelling of the refresh."""
    records = {row["name"]: row for row in json.loads((results / "results.json").read_text())["trials"]}
    curves: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    with (results / "curves.csv").open() as file:
        for row in csv.DictReader(file):
            curves[row["trial"]][row["curve"]].append((int(row["step"]), float(row["value"])))
    made: dict[str, list[dict[str, float]]] = defaultdict(list)
    for trial in trials(read(grid, assignments)):
        record, mine = records[trial.name], curves[trial.name]
        if trial.training is None or trial.training.negatives is None or record["status"] != "done":
            continue
        status = found(trial, store, [step for step, _ in mine["refresh_found"]])
        dev = [value for _, value in sorted(mine["dev_nDCG@10"])]
        best = np.maximum.accumulate(dev)
        values = {
            "nDCG@10": record["metrics"]["nDCG@10"],
            "rate": 100 * record["false_negatives"]["exact"]["rate"],
            "in_top": 100 * mean([value for _, value in mine["refresh_in_top"]] or [float("nan")]),
            "staleness": mean([value for _, value in mine["refresh_staleness"]] or [float("nan")]),
            "forgotten": 100 * status.forgotten,
            "dip": float((best - dev).max()),
            "seconds": record["cost"]["seconds"],
        }
        for begin in (40, 80):
            if (lost := status.lost(begin, begin + 40)) is not None:
                values[f"lost {begin} to {begin + 40}"] = 100 * lost
        made[str(trial.training.refresh)].append(values)
    return made


def table(made: dict[str, list[dict[str, float]]]) -> str:
    """Return the means with standard deviations over seeds, as Markdown."""
    columns = list(dict.fromkeys(name for seeds in made.values() for one in seeds for name in one))
    lines = ["| refresh | " + " | ".join(MEASURES.get(name, f"{name} steps, %") for name in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for refresh, seeds in made.items():
        cells = []
        for name in columns:
            values = [one[name] for one in seeds if name in one and one[name] == one[name]]
            digits = 4 if name in ("nDCG@10", "staleness", "dip") else 1
            spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.{digits}f}{spread}" if values else "")
        lines.append(f"| `{refresh}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(made: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw each measure against the refresh, seeds as dots and their mean as a bar."""
    names = list(made)
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(2.2 * len(MEASURES), 0.4 * len(names) + 1.4), sharey=True)
    for ax, (name, title) in zip(axes, MEASURES.items(), strict=True):
        for at, refresh in enumerate(names):
            values = [one[name] for one in made[refresh] if one[name] == one[name]]
            ax.plot(values, [at] * len(values), "o", color="0.6", markersize=4)
            if values:
                ax.plot([mean(values)], [at], "|", color="black", markersize=16)
        ax.set_title(title.replace(", ", ",\n"), fontsize=8)
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.tick_params(axis="x", labelsize=7)
        ax.grid(axis="x", color="0.9")
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("grid", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    given = parser.parse_args()
    made = measured(given.results, given.grid, given.assignments, Store.default())
    (given.results / "sweep.md").write_text(table(made))
    figure(made, given.results / "sweep.svg")
    print(table(made))


if __name__ == "__main__":
    main()
