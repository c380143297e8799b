"""What estimators are told of the negatives that a training is handed, beside which they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from negbench.collections.duplicates import unlabelled_copies
from negbench.evaluation.false_negatives import Handed, HeldOut, Pairs
from negbench.evaluation.false_negatives.propensity import counted
from negbench.evaluation.shares import by_query
from negbench.plan.answers import ScorePool
from negbench.plan.draw import DrawNegatives
from negbench.plan.handed import Drawn, GatherNegatives, Handing, read_drawn
from negbench.plan.judging import JudgeNegatives
from negbench.plan.sources import At, read_collection
from negbench.store import load_arrays
from negbench.training.data import Instances
from negbench.types import CandidatePool, Collection, Float32, Int32, Int64, Negatives


def handed(data: Instances, seen: Int64, collection: Collection, split: str) -> Handed:
    """Return what a training was handed that saw the rows ``seen`` [N] of ``data``, one after another."""
    truth = collection.truth.get(split)
    return Handed(
        queries=data.queries[seen],
        documents=in_corpus(data, collection)[seen],
        weights=np.repeat(data.weights[seen, None], data.negatives.shape[1], axis=1).astype(np.float64),
        truth=truth,
        truth_kind=collection.truth_kind if truth is not None else "none",
        copies=None if collection.copies_known else unlabelled_copies(collection, split),
    )


def in_corpus(data: Instances, collection: Collection) -> Int32:
    """Return the negatives of ``data`` without those that were written.

    These stand in no judgment, and must not be taken for true negatives.
    """
    return np.where(data.negatives < len(collection.document_ids), data.negatives, np.int32(-1))


def add(
    handed: Handed, at: At, stage: Handing, judging: JudgeNegatives | None, held_out: DrawNegatives | None
) -> Handed:
    """Return ``handed`` with its distinct pairs, the pool's labelled positives, and the held-out pass.

    A pool that is searched again has no fixed ranks that labelled positives could lie at.
    """
    if not (handed.documents >= 0).any():
        return handed
    collection = read_collection(at(stage.pool.collection))
    judge = None if judging is None else np.load(at(judging) / "scores.npy", allow_pickle=False)
    scored = next((answer for answer in stage.answers if isinstance(answer, ScorePool)), None)
    teacher = None if scored is None else np.load(at(scored) / "candidates.npy", allow_pickle=False)
    pool = None if isinstance(stage, GatherNegatives) else load_arrays(CandidatePool, at(stage.pool))
    return replace(
        handed,
        pairs=_pairs(handed, read_drawn(stage, at), judge, teacher),
        labelled=None if pool is None else counted(pool, len(collection.document_ids)),
        held_out=None if held_out is None else _held_out(handed, at, held_out, collection, stage.pool.split),
    )


def _pairs(handed: Handed, found: Drawn, judge: Float32 | None, teacher: Float32 | None) -> Pairs:
    """Return the distinct pairs; each is told by its first place in the draw."""
    drawn = found.negatives
    there = handed.documents >= 0
    keys = ((handed.queries[:, None].astype(np.int64) << 32) + handed.documents)[there]
    pairs, of = np.unique(keys, return_inverse=True)
    weights = np.bincount(of, weights=handed.weights[there]).astype(np.float64)
    queries, documents = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    rows = np.searchsorted(drawn.queries, queries)
    columns = (drawn.documents[rows] == documents[:, None]).argmax(axis=1)
    ranks = drawn.ranks[rows, columns]
    taught = None
    if teacher is not None:
        taught = np.where(ranks >= 0, teacher[rows, np.maximum(ranks, 0)], np.nan).astype(np.float64)
    return Pairs(
        queries,
        documents,
        weights,
        ranks,
        drawn.scores[rows, columns].astype(np.float64),
        found.positives[rows, columns],
        None if judge is None else judge[rows, columns].astype(np.float64),
        taught,
    )


def _held_out(handed: Handed, at: At, stage: DrawNegatives, collection: Collection, split: str) -> HeldOut:
    """Return hidden positives among what is drawn under thinned labels, as training would weigh them."""
    thinned = read_collection(at(stage.pool.collection))
    drawn = load_arrays(Negatives, at(stage))
    labels, shown = collection.qrels[split].at_least(1), thinned.qrels[split].at_least(1)
    there = drawn.documents >= 0
    hidden = labels.contains(drawn.queries[:, None], drawn.documents)
    of_query = np.bincount(handed.queries, weights=handed.weights.mean(axis=1), minlength=int(drawn.queries.max()) + 1)
    weights = of_query[drawn.queries]
    n, units = len(weights), int(there[weights > 0].sum())
    hits, totals = by_query(np.arange(n), n, weights * hidden.sum(axis=1), weights * there.sum(axis=1), units)
    return HeldOut(hits, totals, 1 - len(shown) / len(labels))
