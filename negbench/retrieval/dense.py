"""Exact dense retrieval: every document is scored."""

from __future__ import annotations

from typing import ClassVar

from negbench.encoders.precision import has_native_bfloat16
from negbench.retrieval import Ranking, Search
from negbench.retrieval.blocks import BLOCK_BYTES, LARGE, in_blocks, pair_scores, refuse_overflow
from negbench.retrieval.two_pass import candidates, two_pass
from negbench.retrieval.vector_retriever import VectorRetriever
from negbench.types import Float32, Int32, Vectors

_WORTH = 128
"""Documents per candidate from which two passes pay: scoring a candidate again takes what bfloat16 saves on so many."""


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

    Beside inputs and results this needs at most about ``block_bytes``, as a rule less than half of it, and a copy of
    queries that are not float32; in two passes also half of the queries and about four times the results. The size of
    a block does not change what is ranked how, except that a matrix product of another shape may round a
    score differently in its last bits, and so order scores that are that close.
    """
    import torch

    refuse_overflow(queries, documents, block_bytes)
    many = len(queries) * documents.size >= LARGE and len(documents) >= _WORTH * candidates(k)
    if many and not torch.cuda.is_available() and has_native_bfloat16():
        return two_pass(queries, documents, k, block_bytes)
    return in_blocks(queries, documents, k, block_bytes)
