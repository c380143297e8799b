"""Ranks of the mined negatives in the candidate pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from negbench.report.figures import style
from negbench.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(rows: Sequence[Row], trials: style.Trials) -> Figure | None:
    """Draw a heat map of the shares of each method's negatives by rank, in percent."""
    shares, ranked = [], []
    bins: list[str] = []
    for row in style.trained(rows):
        counts = [trial["ranks"] for trial in style.of(row, trials) if trial.get("ranks")]
        if counts:
            bins = list(counts[0])
            summed = np.array([sum(count[name] for count in counts) for name in bins], np.float64)
            shares.append(100 * summed / max(summed.sum(), 1.0))
            ranked.append(row)
    if not shares:
        return None
    table = np.stack(shares)
    used = table.sum(axis=0) > 0
    table, bins = table[:, used], [name for name, keep in zip(bins, used, strict=True) if keep]
    figure, axes = style.single(0.9 + 0.32 * len(ranked))
    axes.imshow(table, aspect="auto", cmap="Greys", vmin=0, vmax=100)
    for row_at, line in enumerate(table):
        for column, share in enumerate(line):
            if share >= 0.5:
                color = "white" if share > 55 else "black"
                axes.text(column, row_at, f"{share:.0f}", ha="center", va="center", color=color)
    shown = ["random fill" if name == "filled" else name for name in bins]
    axes.set_xticks(range(len(bins)), shown, rotation=30, ha="right")
    axes.set_yticks(range(len(ranked)), style.labels(ranked))
    axes.set_xlabel("rank in the candidate pool; % of the method's negatives")
    axes.grid(visible=False)
    return figure
