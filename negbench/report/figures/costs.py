"""Costs of the methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from negbench.report.figures import style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORK = {
    "loading": ("collection", "encoder"),
    "training": ("training",),
    "encoding texts": ("embeddings", "embeddings-shard"),
    "candidate search": ("pool",),
    "training teachers": ("teacher",),
    "scores of teachers": ("scores", "targets"),
    "properties of candidates": ("adapter", "duplicates", "judged-ranks", "similarity"),
    "drawing negatives": ("negatives", "source-negatives", "repaired", "handed", "generated-pairs", "pair-noise"),
    "generating negatives": ("written",),
    "grouping rows for batches": ("clusters", "pair-groups"),
    "evaluation": ("evaluation",),
    "judging negatives": ("judged",),
    "false-negative rates": ("false-negatives", "in-batch-false-negatives"),
    "other measurements": (
        "added-positives",
        "denoising",
        "detection",
        "geometry",
        "gradient",
        "measured-negatives",
        "overlap-with-top",
        "probe",
        "script",
        "where",
    ),
}
"""What a reader calls the work of each kind of stage; that of a package keeps its own name."""
_WORK_OF = {kind: work for work, kinds in WORK.items() for kind in kinds}


def draw(rows: Sequence[Row]) -> Figure | None:
    """Seconds by kind of work when nothing is shared, as bars; a diamond marks the marginal seconds."""
    trained = style.trained(rows)
    seconds = [_by_work(row) for row in trained]
    works = list(dict.fromkeys(work for one in seconds for work in one))
    works = [work for work in works if any(one.get(work, 0) >= 0.05 for one in seconds)]
    if not works:
        return None
    figure, axes = style.single(0.9 + 0.3 * len(trained))
    places = np.arange(len(trained))[::-1]
    left = np.zeros(len(trained))
    for index, work in enumerate(works):
        width = np.array([one.get(work, 0.0) for one in seconds])
        axes.barh(
            places, width, left=left, height=0.7, color=style.COLOURS[index % len(style.COLOURS)], edgecolor="white",
            linewidth=0.5, hatch=style.HATCHES[index % len(style.HATCHES)], label=work,
        )  # fmt: skip
        left += width
    added = [row.added if row.added is not None else math.nan for row in trained]
    axes.plot(added, places, "D", color="black", markersize=5, label="marginal seconds")
    axes.set_yticks(places, style.labels(trained))
    axes.set_xlabel("seconds per seed, nothing shared")
    axes.grid(visible=False, axis="y")
    style.legend(figure)
    return figure


def _by_work(row: Row) -> dict[str, float]:
    """Return the seconds of a row's stages, added up by work."""
    found: dict[str, float] = {}
    for name, value in row.costs.items():
        if name.startswith("seconds/"):
            kind = name.removeprefix("seconds/")
            work = _WORK_OF.get(kind, kind)
            found[work] = found.get(work, 0.0) + value
    return found
