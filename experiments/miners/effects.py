"""What the choice of the miner moves, what the choice of the rule, and what a judge of the margins.

    python experiments/miners/effects.py RESULTS

RESULTS is the folder of a finished run of ``grid.yaml``. Writes ``effects.csv`` and ``effects.svg`` into it and prints
the former. An effect is a difference of means over several methods, paired by query and seed:

- of a miner: over all four rules, by the miner's own scores;
- of a rule: over all three miners, by their own scores;
- of the judge: margins on MiniLM's cosines less margins on the miner's own scores, over both margins.

``p`` is corrected by Holm over the effects of the file; ``detectable`` is the least difference that would have been
found with 80 % power. ``rate`` is the difference of the mean false-negative rates in percentage points, empty where
none is known.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from negbench.evaluation import significance
from negbench.report import stored
from negbench.types import Float64

MINERS = ("student", "MiniLM", "BM25")
RULES = ("naive", "shifted", "margin", "percent")
MARGINS = ("margin", "percent")
plt.rcParams["svg.hashsalt"] = "negbench"  # the same ids in the figure each time


@dataclass(frozen=True)
class Cell:
    """A miner, a rule, and who scores the pairs for it."""

    miner: str
    rule: str
    judge: str = "own scores"


@dataclass(frozen=True)
class Measured:
    """nDCG@10 by seed and query [S, Q], and the false-negative rate in %, NaN where it is not known."""

    quality: Float64
    rate: float


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A line of ``effects.csv``."""

    effect: str
    difference: float
    low: float
    high: float
    p: float
    detectable: float
    rate: float | None


def cell_of(spelling: str) -> Cell:
    """Return the cell of a method of ``grid.yaml``, by how it is spelt."""
    miner = "MiniLM" if "(encoder=" in spelling else "BM25" if "candidates=bm25" in spelling else "student"
    return Cell(miner, spelling.partition("(")[0], "MiniLM" if "teacher=" in spelling else "own scores")


def read(folder: Path) -> dict[Cell, Measured]:
    """Return what the run measured of each cell. Raises InputError for a folder that is none of a run."""
    results = stored.read(folder)
    trials = [it for it in results["trials"] if it["status"] == "done" and it["method"] in RULES]
    values = stored.by_query(folder, [it["name"] for it in results["trials"]])
    queries = sorted(next(iter(values.values())))
    by_cell: dict[Cell, list[dict[str, Any]]] = {}
    for trial in trials:
        by_cell.setdefault(cell_of(trial["spelling"]), []).append(trial)
    made = {}
    for cell, its in by_cell.items():
        its.sort(key=lambda trial: trial["seed"])
        rates = [100 * float(it["false_negatives"].get("exact", {}).get("rate", np.nan)) for it in its]
        quality = np.array([[values[it["name"]].get(query, np.nan) for query in queries] for it in its])
        made[cell] = Measured(quality, float(np.mean(rates)))
    return made


def contrasts() -> dict[str, tuple[list[Cell], list[Cell]]]:
    """Return the cells on either side of each effect."""
    found = {}
    for other, one in combinations(MINERS, 2):
        found[f"{one} - {other}"] = [Cell(one, rule) for rule in RULES], [Cell(other, rule) for rule in RULES]
    for other, one in combinations(RULES, 2):
        found[f"{one} - {other}"] = [Cell(it, one) for it in MINERS], [Cell(it, other) for it in MINERS]
    for miner in ("student", "BM25"):
        judged, own = ([Cell(miner, rule, judge) for rule in MARGINS] for judge in ("MiniLM", "own scores"))
        found[f"{miner}, judged by MiniLM - by own scores"] = judged, own
    return found


def effects(measured: dict[Cell, Measured]) -> list[Effect]:
    """Return every effect, with p corrected over all of them."""
    estimates, rates = {}, {}
    for name, sides in contrasts().items():
        ones, others = ([measured[cell] for cell in side] for side in sides)
        quality = [np.mean([it.quality for it in side], axis=0) for side in (ones, others)]
        estimates[name] = significance.estimate(quality[0] - quality[1])
        rate = float(np.mean([it.rate for it in ones]) - np.mean([it.rate for it in others]))
        rates[name] = rate if rate == rate else None
    adjusted = significance.holm([significance.p_value(it) for it in estimates.values()])
    return [
        Effect(
            effect=name,
            difference=it.mean,
            low=it.low,
            high=it.high,
            p=p,
            detectable=significance.detectable(it),
            rate=rates[name],
        )
        for (name, it), p in zip(estimates.items(), adjusted, strict=True)
    ]


def figure(measured: dict[Cell, Measured], path: Path) -> None:
    """Draw nDCG@10 of each rule, a colour a miner, with intervals, and its false-negative rate where it is known."""
    rated = all(it.rate == it.rate for it in measured.values())
    drawn, axes = plt.subplots(1, 1 + rated, figsize=(2.4 + 4 * (1 + rated), 3.2), squeeze=False)
    series = [(miner, "own scores") for miner in MINERS] + [("student", "MiniLM"), ("BM25", "MiniLM")]
    colours = dict(zip(MINERS, ("tab:blue", "tab:orange", "tab:green"), strict=True))
    for place, (miner, judge) in enumerate(series):
        cells = [Cell(miner, rule, judge) for rule in RULES]
        kept = [(at + 0.13 * (place - 2), measured[cell]) for at, cell in enumerate(cells) if cell in measured]
        found = [significance.estimate(it.quality) for _, it in kept]
        label = miner if judge == "own scores" else f"{miner}, judged by MiniLM"
        look: dict[str, Any] = {"color": colours[miner], "marker": "o", "markersize": 4, "linestyle": "none"}
        look["markerfacecolor"] = colours[miner] if judge == "own scores" else "white"
        at = [position for position, _ in kept]
        axes[0, 0].errorbar(at, [it.mean for it in found], [it.half for it in found], label=label, linewidth=1, **look)
        if rated:
            axes[0, 1].plot(at, [it.rate for _, it in kept], label=label, **look)
    for ax, title in zip(axes[0], ("nDCG@10, 95 %", "false negatives, %"), strict=False):
        ax.set_xticks(range(len(RULES)), RULES)
        ax.set_title(title, fontsize=9)
        ax.grid(axis="y", color="0.9")
    axes[0, -1].legend(title="miner", fontsize=7, title_fontsize=7, bbox_to_anchor=(1.02, 1), loc="upper left")
    drawn.tight_layout()
    drawn.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    folder: Path = parser.parse_args().results
    measured = read(folder)
    rows = [
        {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in asdict(effect).items()}
        for effect in effects(measured)
    ]
    with (folder / "effects.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    figure(measured, folder / "effects.svg")
    for row in rows:
        print(", ".join("" if value is None else str(value) for value in row.values()))


if __name__ == "__main__":
    main()
