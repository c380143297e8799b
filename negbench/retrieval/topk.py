"""Exact top-k with a defined order of ties."""

from __future__ import annotations

import numpy as np

from negbench.types import Float32, Int32


def top_k(scores: Float32, k: int) -> tuple[Int32, Float32]:
    """Return the columns and values of the ``k`` largest of each row of ``scores`` [Q, N], best first.

    Equal scores come in ascending column, at the cut too: the result is the first k of a stable sort. Rows are
    padded with -1 and NaN where N < k. Only finite scores are returned: NaN and infinities say nothing of a rank.
    """
    rows, width = scores.shape
    k_here = min(k, width)
    documents = np.full((rows, k), -1, np.int32)
    values = np.full((rows, k), np.nan, np.float32)
    if k_here == 0 or rows == 0:
        return documents, values
    clean = np.where(np.isfinite(scores), scores, -np.inf)
    found = np.argpartition(-clean, k_here - 1, axis=1)[:, :k_here]
    cut = np.take_along_axis(clean, found, axis=1).min(axis=1, keepdims=True)
    tied = (clean == cut).sum(axis=1) != (np.take_along_axis(clean, found, axis=1) == cut).sum(axis=1)
    for row in np.flatnonzero(tied):  # argpartition took arbitrary ones of those that tie at the cut
        above = np.flatnonzero(clean[row] > cut[row])
        at_cut = np.flatnonzero(clean[row] == cut[row])
        found[row] = np.concatenate([above, at_cut[: k_here - len(above)]])
    found.sort(axis=1)
    chosen = np.take_along_axis(clean, found, axis=1)
    order = np.argsort(-chosen, axis=1, kind="stable")
    found, chosen = np.take_along_axis(found, order, axis=1), np.take_along_axis(chosen, order, axis=1)
    real = np.isfinite(chosen)
    documents[:, :k_here] = np.where(real, found, -1)
    values[:, :k_here] = np.where(real, chosen, np.nan)
    return documents, values
