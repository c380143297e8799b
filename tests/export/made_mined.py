"""Mined rows spelled out by hand: what every format must hold."""

from __future__ import annotations

import numpy as np

from negbench.export.mined_rows import MinedRows
from negbench.types import Collection, Negatives, Qrels

TITLES = ["", "Tea", "", "Ice", "", "", "", ""]
TEXTS = [
    "Boil the\twater\nfirst.",
    "Green tea, at 80 degrees.",
    "Coffee is ground.",
    "melts at 0 degrees",
    'Snow is "white".',
    "Rain falls.",
    "Ein Glühwürmchen.",
    "Salt dissolves.",
]
QUERIES = ["how to make tea?", "when does ice melt?", "what is salt?"]
PASSAGES = [f"{title} {text}".strip() for title, text in zip(TITLES, TEXTS, strict=True)]
POSITIVES = {0: [0, 1], 1: [3], 2: [7]}
DRAWN = {0: [2, 5], 1: [4, 6], 2: [0, 3]}
"""The document rows of each query, in the order of drawing; document 6 is random fill unless all are scored."""


def made(*, scored: bool = False, teacher: bool = False, short: bool = False, ids: str = "d{}") -> MinedRows:
    """Return three queries with two negatives each; ``short``: the last has one."""
    documents = np.array([DRAWN[query] for query in range(3)], np.int32)
    ranks = np.array([[1, 4], [0, 2], [3, 5]], np.int32)
    scores = np.array([[0.75, 0.5], [0.875, 0.25], [0.625, 0.125]], np.float32)
    origins = np.zeros_like(documents)
    if not scored:
        ranks[1, 1], scores[1, 1], origins[1, 1] = -1, np.nan, 1
    if short:
        documents[2, 1] = -1
    positives = np.array([[0, 1], [3, -1], [7, -1]], np.int32)
    judged = [(query, document, 1) for query, of_query in POSITIVES.items() for document in of_query]
    return MinedRows(
        collection=Collection(
            name="drinks",
            document_ids=[ids.format(row) for row in range(8)],
            titles=TITLES,
            texts=TEXTS,
            query_ids=["q0", "q1", "q2"],
            queries=QUERIES,
            qrels={"train": Qrels.of(judged)},
        ),
        negatives=Negatives(
            queries=np.arange(3, dtype=np.int32),
            documents=documents,
            origins=origins,
            ranks=ranks,
            scores=scores,
            effective_size=np.ones(3, np.float32),
            positives=positives,
            positive_weights=np.ones((3, 2), np.float32),
            promoted=np.full((3, 0), -1, np.int32),
        ),
        positive_scores=np.array([[0.9375, 0.8125], [1.0, np.nan], [0.6875, np.nan]], np.float32),
        teacher=scores + 2 if teacher else None,
        positive_teacher=np.array([[5, 4.5], [4, np.nan], [3.5, np.nan]], np.float32) if teacher else None,
    )


PAIRS = {(QUERIES[query], PASSAGES[row]) for query, rows in DRAWN.items() for row in rows}
ABOUT = {"method": {"spelling": "made"}, "collection": {"name": "drinks"}, "notes": ["made by hand"]}
