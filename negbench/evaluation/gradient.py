"""Share of the loss's gradient that falls on false negatives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from negbench.evaluation.shares import Share, by_query
from negbench.losses import Loss, ScoredBatch
from negbench.types import Float64, Int32, Qrels

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of B training rows: their ``queries`` [B], its distinct ``documents`` [D], and what the loss sees.

    ``weights`` float32 [B] is what each row weighs in the loss.
    """

    queries: Int32
    documents: Int32
    scored: ScoredBatch
    weights: Tensor


def pull(loss: Loss, batch: Batch) -> Float64:
    """Return |dL/ds| float64 [B, D], L being the batch's training loss and s its scores."""
    scores = batch.scored.scores.detach().clone().requires_grad_()
    loss.mean(replace(batch.scored, scores=scores), batch.weights).backward()  # type: ignore[no-untyped-call]
    if scores.grad is None:
        return np.zeros(tuple(scores.shape))
    return np.asarray(scores.grad.abs().numpy().astype(np.float64))


def on_false_negatives(loss: Loss, batches: Iterable[Batch], truth: Qrels) -> dict[str, Share]:
    """Return the share of |dL/ds| that falls on relevant ones, among ``mined`` and among ``in-batch`` negatives.

    It is summed over all batches. Documents that the loss masks, being known positives, are no negatives; a row's own
    mined ones are mined, all others in-batch. ``reference`` is the share of false ones in number, weighted by rows.
    Kinds of which there is none, or on which no gradient falls, are left out.
    """
    relevant = truth.at_least(1)
    rows: list[Int32] = []
    sums: dict[str, list[Float64]] = {"mined": [], "in-batch": []}
    units = dict.fromkeys(sums, 0)
    pairs = []
    for batch in batches:
        weights = batch.weights.numpy().astype(np.float64)[:, None]
        false = relevant.contains(batch.queries[:, None], batch.documents)
        masked, own = batch.scored.known_mask.numpy(), batch.scored.mined_mask.numpy()
        pulled = pull(loss, batch)
        rows.append(batch.queries)
        for kind, here in (("mined", own & ~masked), ("in-batch", ~own & ~masked)):
            summed = [pulled * false, pulled, weights * false, np.broadcast_to(weights, pulled.shape)]
            sums[kind].append(np.stack([(values * here).sum(axis=1) for values in summed]))
            units[kind] += int(here.sum())
        row, column = np.nonzero(own & ~masked)
        pairs.append((batch.queries[row].astype(np.int64) << 32) + batch.documents[column])
    if not rows:
        return {}
    units["mined"] = len(np.unique(np.concatenate(pairs)))
    distinct, cluster = np.unique(np.concatenate(rows), return_inverse=True)
    shares = {}
    for kind, parts in sums.items():
        false_pull, all_pull, false_weight, all_weight = np.concatenate(parts, axis=1)
        if all_pull.sum() > 0 and all_weight.sum() > 0:
            clusters = by_query(cluster, len(distinct), false_pull, all_pull, units[kind])
            shares[kind] = Share(clusters, float(false_weight.sum() / all_weight.sum()))
    return shares
