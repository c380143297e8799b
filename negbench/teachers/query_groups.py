"""What a listwise loss learns from: queries with documents and the distribution wanted over them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from negbench import rng
from negbench.teachers.corpus_scores import CorpusScores
from negbench.teachers.trained import LabelledPairs
from negbench.types import Float32, Int64

NEAR, RANDOM = 3, 2
"""How many documents of a query without labels are near the top, and how many are any."""

_SPAN = (5, 20)
"""Fewest and most words of a span."""


@dataclass(frozen=True)
class Group:
    """A query, n documents, and the share [n] that each should have of the softmax; the shares add up to 1."""

    query: str
    documents: tuple[str, ...]
    targets: tuple[float, ...] = ()

    def towards(self, scores: Float32) -> Group:
        """Return the group with the softmax of ``scores`` [n] as its targets."""
        shares = np.exp(scores.astype(np.float64) - scores.max())
        return replace(self, targets=tuple((shares / shares.sum()).tolist()))


def contrasts(data: LabelledPairs, left_out: Collection[int]) -> list[Group]:
    """Return a group for each labelled positive: with its share of the query's negatives, which should have nothing.

    Queries ``left_out``, by row, have none.
    """
    found: list[Group] = []
    for query, pairs in groupby(data.pairs, key=lambda pair: pair[0]):
        labelled = [(data.passages[row], label) for _, row, label in pairs]
        positives, negatives = ([text for text, label in labelled if label == wanted] for wanted in (1.0, 0.0))
        if query in left_out:
            continue
        for place, positive in enumerate(positives):
            others = negatives[place :: len(positives)]
            if others:
                found.append(Group(data.queries[query], (positive, *others), (1.0, *[0.0] * len(others))))
    return found


def unlabelled(
    data: LabelledPairs, left_out: Collection[int], rows: Int64, known: CorpusScores, count: int
) -> list[Group]:
    """Return ``count`` groups without targets: half of them training queries, as far as there are, the others texts of
    the sampled documents ``rows`` [n], spans and titles by turns.

    A training query's near documents are unlabelled candidates, another text's those of the sample that BM25 ranks
    highest, its source among them. The groups' order is random.
    """
    luck = rng.CounterRNG(data.seed, "unlabelled")
    members = np.array(sorted({query for query, _, _ in data.pairs} - set(left_out)), np.int64)
    asked = members[luck.order(data.pool.query_keys[members])][: count // 2]
    available = data.pool.available()
    listed: list[tuple[str, list[int]]] = []
    for query in asked.tolist():
        ranks = np.flatnonzero(available[query])
        order = luck.order(data.pool.document_keys[query, ranks] ^ data.pool.query_keys[query])[:NEAR]
        listed.append((data.queries[query], data.pool.documents[query, ranks[order]].tolist()))
    sources = np.resize(rows[luck.order(rows)], max(0, count - len(asked))) if len(rows) else rows
    texts = [_text(data, int(row), turn, luck) for turn, row in enumerate(sources)]
    listed += [
        (text, rows[near].tolist()) for text, near in zip(texts, known.nearest(texts, NEAR), strict=True) if text
    ]
    found: list[Group] = []
    for turn, (text, near) in enumerate(listed):
        others = rows[(luck.uniform(turn, np.arange(RANDOM)) * len(rows)).astype(np.int64)].tolist()
        documents = dict.fromkeys(data.passages[row] for row in (*near, *others))
        found.append(Group(text, tuple(documents)))
    return [found[place] for place in luck.order(np.arange(len(found))).tolist()]


def _text(data: LabelledPairs, row: int, turn: int, luck: rng.CounterRNG) -> str:
    """Return the title of a document, or, every second time and where it has none, a span of it."""
    if turn % 2 and data.titles[row].strip():
        return data.titles[row]
    words: Sequence[str] = data.passages[row].split()
    chance, where = luck.uniform(row, turn, np.arange(2)).tolist()
    length = min(len(words), _SPAN[0] + int(chance * (_SPAN[1] - _SPAN[0] + 1)))
    start = int(where * (len(words) - length + 1))
    return " ".join(words[start : start + length])
