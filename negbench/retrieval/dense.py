"""Exact dense retrieval: every document is scored."""

from __future__ import annotations

import math
import os
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import has_native_bfloat16
from negbench.errors import InputError
from negbench.retrieval import Ranking, Search
from negbench.retrieval.blocks import BLOCK_BYTES, LARGE, in_blocks, pair_scores, refuse_overflow
from negbench.retrieval.two_pass import candidates, two_pass
from negbench.retrieval.vector_retriever import VectorRetriever
from negbench.types import Float32, Int32, Vectors

_WORTH = 128
"""Documents per candidate from which two passes pay: scoring a candidate again takes what bfloat16 saves on so many."""


_MEMORY = "NEGBENCH_SEARCH_GB"
_MEMORY_GB = 2.0


def memory_bytes() -> int:
    """Return the most memory of a search, by NEGBENCH_SEARCH_GB, 2 where it is not set; see ``exact``.

    Raises InputError where it is no number above 0.
    """
    asked = os.environ.get(_MEMORY) or str(_MEMORY_GB)
    try:
        number = float(asked)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"{_MEMORY}: expected a number of GB above 0, such as 2, found {asked!r}")
    return int(number * 1e9)


class Dense(VectorRetriever):
    """Exact search by dot product over the vectors of the starting encoder, or of another model."""

    name: ClassVar[str] = "dense"
    version: ClassVar[int] = 3

    def rank(self, search: Search) -> Ranking:
        """Rank by dot product of float32 vectors."""
        queries, documents = search.vectors()
        ranked, scores = exact(queries, documents, self.depth)
        return Ranking(ranked, scores, pair_scores(queries, documents, search.positives))


def exact(queries: Vectors, documents: Vectors, k: int, block_bytes: int = BLOCK_BYTES) -> tuple[Int32, Float32]:
    """Return document rows [Q, k] and dot products [Q, k], best first, ties in ascending row.

    ``queries`` [Q, d] and ``documents`` [N, d] are float32 or float16, in memory or memory-mapped; they are
    multiplied as float32, on a GPU where there is one; a CPU with bfloat16 units first finds candidates with these
    (``two_pass``). Rows are padded with -1 and NaN where N < k; documents whose vectors are NaN
    are left out. Raises InputError for infinite numbers. The
    documents are read block by block.

    Beside inputs and results this needs at most about ``block_bytes``, as a rule less than half of it, a copy of
    queries that are not float32, and about eight times the results, ``memory_bytes()`` at most: where there are more
    queries, some are searched for after the others. The size of
    a block does not change what is ranked how, except that a matrix product of another shape may round a
    score differently in its last bits, and so order scores that are that close.
    """
    refuse_overflow(queries, documents, block_bytes)
    at_once = max(1, memory_bytes() // (64 * candidates(k) + 8 * queries.shape[1]))
    if len(queries) <= at_once:
        return _searched(queries, documents, k, block_bytes)
    ranked, scores = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.float32)
    for some in (slice(first, first + at_once) for first in range(0, len(queries), at_once)):
        ranked[some], scores[some] = _searched(queries[some], documents, k, block_bytes)
    return ranked, scores


def _searched(queries: Vectors, documents: Vectors, k: int, block_bytes: int) -> tuple[Int32, Float32]:
    import torch

    many = len(queries) * documents.size >= LARGE and len(documents) >= _WORTH * candidates(k)
    if many and not torch.cuda.is_available() and has_native_bfloat16():
        return two_pass(queries, documents, k, block_bytes)
    return in_blocks(queries, documents, k, block_bytes)
