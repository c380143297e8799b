"""A small corpus and its queries, as a retriever gets them."""

from __future__ import annotations

import numpy as np

from negbench.retrieval import Search
from negbench.rng import CounterRNG, keys
from negbench.types import GivenCandidates

WORDS = [
    "sun",
    "frost",
    "rain",
    "wind",
    "soil",
    "root",
    "leaf",
    "seed",
    "bloom",
    "stem",
    "bark",
    "moss",
    "fern",
    "pine",
]
DOCUMENTS, QUERIES = 60, 9


def small_search() -> Search:
    """Sixty texts of four words, nine questions of two, vectors that go with the words, one or two positives."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((len(WORDS), 8)).astype(np.float32)
    texts = [rng.choice(len(WORDS), 4) for _ in range(DOCUMENTS)]
    asked = [rng.choice(len(WORDS), 2) for _ in range(QUERIES)]
    vectors = [np.stack([table[words].mean(axis=0) for words in side]) for side in (texts, asked)]
    documents, queries = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in vectors]
    positives = np.stack([np.arange(QUERIES), np.where(np.arange(QUERIES) % 2, np.arange(QUERIES) + 20, -1)], axis=1)
    return Search(
        queries=[" ".join(WORDS[n] for n in words) for words in asked],
        documents=[" ".join(WORDS[n] for n in words) for words in texts],
        query_keys=keys([f"q{n}" for n in range(QUERIES)]),
        document_keys=keys([f"d{n}" for n in range(DOCUMENTS)]),
        positives=positives.astype(np.int32),
        rng=CounterRNG(0, "retrieval"),
        query_vectors=queries.astype(np.float32),
        document_vectors=documents.astype(np.float32),
        given=made_lists(),
    )


def made_lists() -> GivenCandidates:
    """Return a list of twelve candidates with falling scores for each query but the last."""
    rng = np.random.default_rng(1)
    queries = np.repeat(np.arange(QUERIES - 1), 12).astype(np.int32)
    documents = np.concatenate([rng.permutation(DOCUMENTS)[:12] for _ in range(QUERIES - 1)]).astype(np.int32)
    scores = np.concatenate([-np.sort(-rng.random(12)) for _ in range(QUERIES - 1)]).astype(np.float32)
    return GivenCandidates(queries, documents, np.tile(np.arange(12, dtype=np.int32), QUERIES - 1), scores)
