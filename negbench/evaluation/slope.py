"""How quality falls with the rate of false negatives: a regression within each query and seed."""

from __future__ import annotations

import numpy as np

from negbench.types import Float64


def slopes(rates: Float64, values: Float64) -> Float64:
    """Return the least-squares slopes [S, Q] of ``values`` [M, S, V, Q] on ``rates`` [M, S, V].

    M samplers were trained with S seeds in V variants each, and measured on Q queries. Every sampler has an intercept
    of its own in every seed and query, and one slope serves all samplers: what differs between them at the same rate
    does not enter. The mean of the slopes and its interval are for ``significance.estimate``, since queries and seeds
    were sampled: a training's luck, which moves all of its queries together, is a difference between seeds there. NaN
    where the rates of a seed do not vary.
    """
    centred = rates - rates.mean(axis=2, keepdims=True)
    varied = (rates.max(axis=2) > rates.min(axis=2)).any(axis=0)
    spread = np.where(varied, (centred**2).sum(axis=(0, 2)), np.nan)
    products = np.einsum("msv,msvq->sq", centred, values)
    by_seed: Float64 = products / spread[:, None]
    return by_seed
