"""Exact dense retrieval: every document is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from negbench.retrieval import Ranking, Retriever, Search
from negbench.retrieval.topk import GROUP, Best, top_k
from negbench.types import Float32, Int32, Vectors

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_BYTES = 64 * 2**20
"""How much memory a search may use beside its inputs and its results."""

_LARGE = 2**30
"""From so many multiplications on, numpy's OpenBLAS beats torch's MKL on processors that Intel did not make; a small
product it delays by waiting for its threads."""


class Dense(Retriever):
    """Exact search by dot product over the starting encoder's vectors."""

    name: ClassVar[str] = "dense"
    version: ClassVar[int] = 2
    needs_vectors: ClassVar[bool] = True

    def rank(self, search: Search) -> Ranking:
        """Rank by dot product of float32 vectors."""
        queries, documents = search.vectors()
        found, scores = exact(queries, documents, self.depth)
        return Ranking(found, scores, pair_scores(queries, documents, search.positives))


def exact(queries: Vectors, documents: Vectors, k: int, block_bytes: int = BLOCK_BYTES) -> tuple[Int32, Float32]:
    """Return document rows [Q, k] and dot products [Q, k], best first, ties in ascending row.

    ``queries`` [Q, d] and ``documents`` [N, d] are float32 or float16, in memory or memory-mapped; they are
    multiplied as float32, on a GPU where there is one. Rows are padded with -1 and NaN where N < k; scores that are
    not finite are left out. The documents are read once, block by block.

    Beside inputs and results this needs at most about ``block_bytes``, as a rule less than half of it, and a copy of
    queries that are not float32. The size of a block does not change what is ranked how, except that a matrix product
    of another shape may round a score differently in its last bits, and so order scores that are that close.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    vectors = torch.from_numpy(np.require(queries, np.float32, "W")).to(device)
    kept = min(k, len(documents))
    size, width = _block(len(queries), len(documents), documents.shape[1], kept, block_bytes)
    scores = torch.empty(size * width, device=device)
    found = np.full((len(queries), k), -1, np.int32)
    values = np.full((len(queries), k), np.nan, np.float32)
    best = Best(len(queries), kept, device)
    at_once = len(documents) <= min(size, GROUP * k)
    for first in range(0, len(documents), size):
        block = torch.from_numpy(np.require(documents[first : first + size], np.float32, "W")).to(device)
        for start in range(0, len(queries), width):
            some = vectors[start : start + width]
            product = scores[: len(some) * len(block)].view(len(some), len(block))
            _multiply(some, block, product)
            if at_once:  # too few to pass any over
                rows = slice(start, start + width)
                found[rows], values[rows] = top_k(product.cpu().numpy(), k)
            else:
                best.offer(product, first, start)
    if not at_once:
        found[:, :kept], values[:, :kept] = best.ranking()
    return found, values


def _block(queries: int, documents: int, dimensions: int, k: int, block_bytes: int) -> tuple[int, int]:
    """Return how many documents and how many queries go into one matrix product."""
    scores = max(1, block_bytes // 40)  # 4 bytes of score, and what ``Best.offer`` may need of working memory
    vectors = max(1, block_bytes // (16 * max(1, dimensions)))
    # Many documents for few queries.
    size = min(max(4096, GROUP * k, scores // max(1, queries)), 65536, max(1, documents), scores, vectors)
    slices = -(-queries // max(1, scores // max(size, k, 1)))
    return size, max(1, -(-queries // max(1, slices)))


def _multiply(queries: Tensor, documents: Tensor, out: Tensor) -> None:
    """Write the dot products [q, B] into ``out``."""
    import torch

    if out.is_cuda or out.numel() * queries.shape[1] < _LARGE:
        torch.mm(queries, documents.T, out=out)
        return
    with np.errstate(all="ignore"):  # infinite and NaN products are dropped later
        np.matmul(queries.numpy(), documents.numpy().T, out=out.numpy())


def pair_scores(queries: Vectors, documents: Vectors, rows: Int32, block_bytes: int = BLOCK_BYTES) -> Float32:
    """Return the dot product of each query with its own ``rows`` [Q, P] of documents; NaN where the row is -1.

    Vectors as in ``exact``. Beside inputs and result this needs at most about ``block_bytes``.
    """
    scores = np.full(rows.shape, np.nan, np.float32)
    real = np.nonzero(rows >= 0)
    step = max(1, block_bytes // (16 * max(1, queries.shape[1])))
    for first in range(0, len(real[0]), step):
        at, slot = (axis[first : first + step] for axis in real)
        mine = np.asarray(queries[at], np.float32), np.asarray(documents[rows[at, slot]], np.float32)
        scores[at, slot] = np.einsum("nd,nd->n", *mine)
    return scores
