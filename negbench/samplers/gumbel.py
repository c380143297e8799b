"""Weighted draws without replacement, in log space, by counter-based noise."""

from __future__ import annotations

import numpy as np

from negbench.rng import CounterRNG
from negbench.types import Bool, CandidatePool, Draw, Float32, Float64


def window(pool: CandidatePool, depth: int | None) -> Bool:
    """Return [Q, K]: the available candidates among the first ``depth`` raw ranks, known positives counted."""
    available = pool.available()
    if depth is not None:
        available[:, depth:] = False
    return available


def draw(log_weights: Float64, allowed: Bool, k: int, pool: CandidatePool, rng: CounterRNG) -> Draw:
    """Draw ``k`` distinct positions a query with probability proportional to exp(``log_weights``) [Q, K].

    Successive draws without replacement are the k largest of log-weight plus Gumbel noise (Vieira 2014; Kool et
    al. 2019, arXiv 1903.06059). Log-weights of any size are safe, unlike weights, which underflow to 0.
    """
    gumbel = rng.gumbel(pool.query_keys[:, None], pool.document_keys)
    logits = _below_best(log_weights, allowed)
    return Draw(_largest(logits + gumbel, allowed, k), effective_size(logits, allowed))


def first(allowed: Bool, k: int) -> Draw:
    """Take the first ``k`` allowed positions of each query."""
    ranks = -np.arange(allowed.shape[1], dtype=np.float64)
    return best(np.broadcast_to(ranks, allowed.shape), allowed, k)


def best(values: Float64, allowed: Bool, k: int) -> Draw:
    """Take the ``k`` allowed positions of each query with the highest values [Q, K], ties by rank, NaN never."""
    possible = allowed & ~np.isnan(values)
    return Draw(_largest(values, possible, k), np.where(possible.any(axis=1), 1.0, 0.0).astype(np.float32))


def _largest(values: Float64, allowed: Bool, k: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    ranked = np.where(allowed & ~np.isnan(values), values, -np.inf)
    order = np.argsort(-ranked, axis=1, kind="stable")[:, :k].astype(np.int32)
    order[np.take_along_axis(ranked, order, axis=1) == -np.inf] = -1
    positions = np.full((len(ranked), k), -1, np.int32)
    positions[:, : order.shape[1]] = order
    return positions


def _below_best(log_weights: Float64, allowed: Bool) -> Float64:
    """Return the log-weights less each query's largest, so that rounding does not swallow the noise of the best."""
    best = np.where(allowed & ~np.isnan(log_weights), log_weights, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    return log_weights - np.where(np.isfinite(best), best, 0.0)


def effective_size(log_weights: Float64, allowed: Bool) -> Float32:
    """Return exp(entropy) [Q] of the first draw's distribution: 1 where it is certain, 0 where nothing is left."""
    logits = np.where(allowed & ~np.isnan(log_weights), log_weights, -np.inf)
    size = np.zeros(len(logits), np.float32)
    some = np.isfinite(logits).any(axis=1)
    if some.any():
        logits = logits[some] - logits[some].max(axis=1, keepdims=True)
        share = np.exp(logits)
        share /= share.sum(axis=1, keepdims=True)
        entropy = -(share * np.log(share, where=share > 0, out=np.zeros_like(share))).sum(axis=1)
        size[some] = np.exp(entropy)
    return size
