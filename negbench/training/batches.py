"""Which training rows sit in which batch: a pure function of the seed, the epoch and the rows' ids."""

from __future__ import annotations

from typing import Literal

import numpy as np

from negbench.batching import Batching
from negbench.noise import Noise
from negbench.types import Int32, Int64, UInt64


def epoch_batches(
    queries: Int32,
    row_keys: UInt64,
    batch_size: int,
    seed: int,
    epoch: int,
    positives: Literal["each", "one"],
    batching: Batching,
    clusters: Int32 | None = None,
) -> list[Int64]:
    """Return the batches of one epoch, as row numbers; the last one may be short.

    ``queries`` [R] are the rows' query rows, ``row_keys`` [R] a stable hash of each row's (query id, document id),
    ``clusters`` [R] the clusters of their queries, if ``batching`` wants any. With ``one``, each query takes part with
    one of its rows, drawn afresh each epoch.
    """
    rows = np.arange(len(queries))
    if positives == "one":
        ticket = Noise(seed, "positive", epoch).bits(row_keys)
        by_query = np.lexsort((ticket, queries))
        first = np.flatnonzero(np.diff(queries[by_query], prepend=-1))
        rows = np.sort(by_query[first])
    chosen = None if clusters is None else clusters[rows]
    return [
        rows[batch] for batch in batching.batches(row_keys[rows], chosen, batch_size, Noise(seed, "batches", epoch))
    ]
