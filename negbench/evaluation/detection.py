"""Precision and recall of a detector of mismatched training pairs."""

from __future__ import annotations

import numpy as np

from negbench.evaluation.shares import Share, by_query
from negbench.types import Bool, Int32


def detection(queries: Int32, flagged: Bool, mismatched: Bool) -> dict[str, dict[str, Share]]:
    """Return ``detector-precision`` and ``detector-recall`` of each epoch in which anything was flagged, from 1.

    ``queries`` [R] are those of the rows of an epoch; ``flagged`` and ``mismatched`` bool [E, R] tell which rows a
    detector takes for mismatched, and which are. Precision is the share of mismatched ones in what is flagged;
    ``reference`` it, the share in all, which flagging by chance would reach. Recall is the share of the mismatched ones
    that is flagged; ``reference`` it, the share of all. A row is a unit.
    """
    precision: dict[str, Share] = {}
    recall: dict[str, Share] = {}
    rows, of = np.unique(queries, return_inverse=True)
    for epoch in np.flatnonzero(flagged.any(axis=1)).tolist():
        out, wrong = flagged[epoch], mismatched[epoch]
        for shares, considered, reference in ((precision, out, wrong), (recall, wrong, out)):
            hits, totals = (out & wrong).astype(np.float64), considered.astype(np.float64)
            clusters = by_query(of, len(rows), hits, totals, int(considered.sum()))
            shares[str(epoch + 1)] = Share(clusters, float(reference.mean()))
    return {"detector-precision": precision, "detector-recall": recall}
