"""Four ways to choose which relevant pairs keep their label."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from negbench.collections.pooler import similarities
from negbench.types import Bool, Float64, Int32, Int64, Qrels

Withhold = Literal["random", "pooling", "popularity", "similarity"]

SLOPE: Final = 1.5
"""Increase of a pair's log-weight per standard deviation of popularity or similarity."""


def visible(truth: Qrels, how: Withhold, rate: float, texts: tuple[list[str], list[str]], luck: Float64) -> Bool:
    """Tell for each pair of ``truth`` (one split) whether its label stays visible.

    Pairs are ordered by a priority; every query keeps its first pair, then pairs are added in that order until
    ``rate`` of all are visible. The priority is

    * random: a random number;
    * pooling: the rank of the document among all documents, for this query, by the pooler, so that besides each
      query's first pair exactly those within one depth are visible (the depth whose share is nearest to ``rate``);
    * popularity: random, with a weight that grows with the number of the split's queries that the document answers;
    * similarity: random, with a weight that grows with the pooler's similarity of document and query.

    ``texts`` are all queries and all documents as an encoder reads them, ``luck`` [n] a standard Gumbel number a pair.
    """
    if how == "pooling":
        return _within_depth(truth, rate, _ranks(truth, *texts))
    priority = luck.copy()
    if how == "popularity":
        priority += SLOPE * _standard(np.log(popularity(truth)))
    elif how == "similarity":
        priority += SLOPE * _standard(similarity(truth, *texts))
    order = np.argsort(-priority, kind="stable")
    shown = np.zeros(len(truth), bool)
    shown[order[_firsts(truth.queries[order])]] = True
    wanted = round(rate * len(truth))
    rest = order[~shown[order]]
    shown[rest[: max(wanted - int(shown.sum()), 0)]] = True
    return shown


def popularity(truth: Qrels) -> Int64:
    """Return for each pair the number of queries in ``truth`` that its document answers."""
    counts: Int64 = np.bincount(truth.documents)[truth.documents]
    return counts


def similarity(truth: Qrels, queries: list[str], documents: list[str]) -> Float64:
    """Return for each pair the pooler's cosine of query and document."""
    relevant = truth.by_query()
    cosines = similarities([queries[row] for row in relevant], documents)
    return np.concatenate([scores[rows] for scores, rows in zip(cosines, relevant.values(), strict=True)])


def _ranks(truth: Qrels, queries: list[str], documents: list[str]) -> Int64:
    """Return for each pair the zero-based rank of its document among all; ties go to the lower row."""
    relevant = truth.by_query()
    cosines = similarities([queries[row] for row in relevant], documents)
    ranks = []
    for scores, rows in zip(cosines, relevant.values(), strict=True):
        ranks += [(scores > scores[row]).sum() + (scores[:row] == scores[row]).sum() for row in rows]
    return np.array(ranks, np.int64)


def _within_depth(truth: Qrels, rate: float, ranks: Int64) -> Bool:
    first = np.zeros(len(truth), bool)
    order = np.lexsort((ranks, truth.queries))
    first[order[_firsts(truth.queries[order])]] = True
    depths = np.unique(np.append(ranks + 1, 0))
    shares = (first.sum() + np.searchsorted(np.sort(ranks[~first]), depths)) / len(truth)
    shown: Bool = first | (ranks < depths[np.argmin(np.abs(shares - rate))])
    return shown


def _firsts(queries: Int32) -> Int64:
    """Return the position of each query's first occurrence."""
    positions: Int64 = np.unique(queries, return_index=True)[1]
    return positions


def _standard(values: Float64) -> Float64:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
