"""Ranked lists for tests of teachers that are trained."""

from __future__ import annotations

import numpy as np
from pools import candidate_pool

from negbench.retrieval.pool import pad
from negbench.types import CandidatePool, Collection, Qrels


def ranked_pool(
    documents: list[list[int]], positives: list[list[int]], names: list[int] | None = None
) -> CandidatePool:
    """Pool of ranked ``documents`` [Q, K] (-1 past the end), all of which score 1, as do the labelled positives."""
    table, labelled = np.array(documents, np.int32), pad([np.array(row, np.int32) for row in positives])
    return candidate_pool(
        np.where(table >= 0, 1.0, np.nan),
        documents=table,
        positives=labelled,
        positive_scores=np.where(labelled >= 0, 1.0, np.nan),
    )


def planted() -> tuple[Collection, CandidatePool]:
    """Return 16 queries whose positives speak of sun and whose other candidates speak of frost.

    What to learn is plain, and the same for queries that were never seen.
    """
    asked = [
        f"{plant} {care}" for plant in ("basil", "mint", "rose", "fern") for care in ("soil", "light", "pot", "leaf")
    ]
    bright, dark = ([f"{word} {word} {word}"] * 16 for word in ("sun", "frost"))
    positives = [[query] for query in range(16)]
    collection = Collection(
        name="planted",
        document_ids=[f"d{row}" for row in range(32)],
        titles=[""] * 32,
        texts=bright + dark,
        query_ids=[f"q{row}" for row in range(16)],
        queries=asked,
        qrels={"train": Qrels.of([(query, query, 1) for query in range(16)])},
    )
    ranked = [[query, *range(16, 32)] for query in range(16)]
    return collection, ranked_pool(ranked, positives)
