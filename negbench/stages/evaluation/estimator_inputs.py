"""Inputs of the false-negative estimators: negatives of a sequence of trainings with scores and judgments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from negbench.collections.duplicates import unlabelled_copies
from negbench.evaluation.false_negatives import HeldOut, Pairs, TrainingNegatives
from negbench.evaluation.false_negatives.rank_bins import count_labelled
from negbench.evaluation.shares import by_query
from negbench.stages.evaluation.judging import JudgeNegatives
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.negatives_stage import LocatedNegatives, NegativesStage
from negbench.store import load_arrays
from negbench.training.data import Instances
from negbench.types import Collection, Float32, Int32, Int64, Negatives


def training_negatives(data: Instances, seen: Int64, collection: Collection, split: str) -> TrainingNegatives:
    """Return the negatives of a training that used the rows ``seen`` [N] of ``data``, in that order."""
    truth = collection.truth.get(split)
    return TrainingNegatives(
        queries=data.queries[seen],
        documents=in_corpus(data, collection)[seen],
        weights=np.repeat(data.weights[seen, None], data.negatives.shape[1], axis=1).astype(np.float64),
        truth=truth,
        truth_kind=collection.truth_kind if truth is not None else "none",
        copies=None if collection.copies_known else unlabelled_copies(collection, split),
    )


def in_corpus(data: Instances, collection: Collection) -> Int32:
    """Return the negatives [R, k] of ``data`` with -1 for synthetic ones.

    No judgment covers these, and they must not count as true negatives.
    """
    return np.where(data.negatives < len(collection.document_ids), data.negatives, np.int32(-1))


def add(
    negatives: TrainingNegatives,
    path_of: PathOf,
    stage: NegativesStage,
    judging: JudgeNegatives | None,
    held_out: NegativesStage | None,
) -> TrainingNegatives:
    """Return ``negatives`` with its distinct pairs, the pool's labelled positives, and the held-out pass.

    Labelled positives have no fixed ranks in a pool that is searched again, and are then left out.
    """
    if not (negatives.documents >= 0).any():
        return negatives
    collection = read_collection(path_of(stage.pool.collection))
    judge = None if judging is None else np.load(path_of(judging) / "scores.npy", allow_pickle=False)
    located = stage.located(path_of)
    teacher = stage.teacher_scores(path_of, located.negatives)
    pool = stage.single_pool(path_of)
    return replace(
        negatives,
        pairs=_pairs(negatives, located, judge, teacher),
        labelled=None if pool is None else count_labelled(pool, len(collection.document_ids)),
        held_out=None if held_out is None else _held_out(negatives, path_of, held_out, collection, stage.pool.split),
    )


def _pairs(
    negatives: TrainingNegatives, located: LocatedNegatives, judge: Float32 | None, teacher: Float32 | None
) -> Pairs:
    """Return the distinct pairs, each with rank and scores of its first occurrence in the draw."""
    drawn = located.negatives
    is_drawn = negatives.documents >= 0
    keys = ((negatives.queries[:, None].astype(np.int64) << 32) + negatives.documents)[is_drawn]
    pairs, pair_index = np.unique(keys, return_inverse=True)
    weights = np.bincount(pair_index, weights=negatives.weights[is_drawn]).astype(np.float64)
    queries, documents = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    rows = np.searchsorted(drawn.queries, queries)
    columns = (drawn.documents[rows] == documents[:, None]).argmax(axis=1)
    positive_scores = located.positives[rows, columns]
    if located.sources is not None:  # distances from the positive in several pools are on no common scale
        positive_scores = np.full(len(rows), np.nan)
    return Pairs(
        queries=queries,
        documents=documents,
        weights=weights,
        ranks=drawn.ranks[rows, columns],
        scores=drawn.scores[rows, columns].astype(np.float64),
        positive_scores=positive_scores,
        judge=None if judge is None else judge[rows, columns].astype(np.float64),
        teacher=None if teacher is None else teacher[rows, columns].astype(np.float64),
    )


def _held_out(
    negatives: TrainingNegatives, path_of: PathOf, stage: NegativesStage, collection: Collection, split: str
) -> HeldOut:
    """Count hidden positives among negatives drawn under thinned labels, weighted as in training.

    A copy of a hidden positive counts as one, and a label that copies a shown positive is not hidden.
    """
    thinned = read_collection(path_of(stage.pool.collection))
    drawn = load_arrays(Negatives, path_of(stage))
    labels, copies = collection.qrels[split].at_least(1), collection.known_copies()
    shown = thinned.qrels[split].at_least(1).with_copies(copies)
    is_drawn = drawn.documents >= 0
    hidden = labels.with_copies(copies).contains(drawn.queries[:, None], drawn.documents)
    of_query = np.bincount(
        negatives.queries, weights=negatives.weights.mean(axis=1), minlength=int(drawn.queries.max()) + 1
    )
    weights = of_query[drawn.queries]
    n, units = len(weights), int(is_drawn[weights > 0].sum())
    hits, totals = by_query(np.arange(n), n, weights * hidden.sum(axis=1), weights * is_drawn.sum(axis=1), units)
    return HeldOut(hits, totals, 1 - float(shown.contains(labels.queries, labels.documents).mean()))
