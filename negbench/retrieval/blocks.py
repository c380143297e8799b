"""Dot products of many vectors in bounded memory: the best documents of each query, and of given pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from negbench.errors import InputError
from negbench.retrieval.mapped import release
from negbench.retrieval.topk import GROUP, Best, top_k
from negbench.types import Float32, Float64, Int32, Vectors

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_BYTES = 64 * 2**20
"""Bytes of memory that a search may use besides its inputs and results."""

LARGE = 2**30
"""From so many multiplications on, numpy's OpenBLAS beats torch's MKL on processors that Intel did not make; a small
product it delays by waiting for its threads."""

_CACHED = 2**24
"""Bytes of vectors that fit into a processor's cache while they are worked on."""


_LARGE_MAP = 2**28
"""Bytes of a mapped file above which rows that are read here and there are released."""

_SCATTERED = 128
"""Such rows that are read before they are released: Linux may map two megabytes around each."""


@dataclass
class Rounding:
    """What bfloat16 does to a product: the length of each query's rounding error [Q], and over all documents the
    largest length of a rounding error and the largest length.
    """

    queries: Float64
    error: float = 0.0
    length: float = 0.0


def in_blocks(
    queries: Vectors, documents: Vectors, k: int, block_bytes: int = BLOCK_BYTES, rounding: Rounding | None = None
) -> tuple[Int32, Float32]:
    """Return document rows [Q, k] and dot products [Q, k], best first, ties in ascending row; see ``dense.exact``.

    With ``rounding``, vectors and products are rounded to bfloat16, and it is filled in.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float32 if rounding is None else torch.bfloat16
    vectors = torch.from_numpy(np.require(queries, np.float32, "W")).to(device)
    if rounding is not None:
        vectors, rounding.queries, _ = _rounded(vectors)
    kept = min(k, len(documents))
    size, width = block_shape(len(queries), len(documents), documents.shape[1], kept, block_bytes)
    scores = torch.empty(size * width, device=device, dtype=dtype)
    ranked = np.full((len(queries), k), -1, np.int32)
    values = np.full((len(queries), k), np.nan, np.float32)
    best = Best(len(queries), kept, device)
    at_once = len(documents) <= min(size, GROUP * k)
    for first in range(0, len(documents), size):
        block = torch.from_numpy(np.require(documents[first : first + size], np.float32, "W")).to(device)
        if rounding is not None:
            block, errors, lengths = _rounded(block)
            rounding.error = float(np.maximum(rounding.error, errors.max()))  # NaN stays
            rounding.length = float(np.maximum(rounding.length, lengths.max()))
        for start in range(0, len(queries), width):
            some = vectors[start : start + width]
            product = scores[: len(some) * len(block)].view(len(some), len(block))
            _multiply(some, block, product)
            if at_once:  # too few to pass any over
                rows = slice(start, start + width)
                ranked[rows], values[rows] = top_k(product.float().cpu().numpy(), k)
            else:
                best.offer(product, first, start)
        release(documents, first, first + size)
    if not at_once:
        ranked[:, :kept], values[:, :kept] = best.ranking()
    return ranked, values


def refuse_overflow(queries: Vectors, documents: Vectors, block_bytes: int = BLOCK_BYTES) -> None:
    """Raise InputError where a dot product may not fit into float32, or a vector is infinite.

    NaN may stand for documents that are not held; encoding refuses it (``encoders.encode``).
    """
    size = max(1, block_bytes // (8 * max(1, queries.shape[1])))

    def largest(vectors: Vectors) -> float:
        most = 0.0
        for first in range(0, len(vectors) if vectors.size else 0, size):
            with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, which is refused below
                part = vectors[first : first + size].astype(np.float32, copy=False)  # numpy reduces float16 slowly
            ends = float(np.fmax.reduce(part, axis=None)), -float(np.fmin.reduce(part, axis=None))
            most = float(np.fmax.reduce([most, *ends]))
            release(vectors, first, first + size)
        return most

    highest = queries.shape[1] * largest(queries) * largest(documents)
    if not highest <= float(np.finfo(np.float32).max):  # NaN: infinite vectors of one side, the other's are 0
        raise InputError(
            f"scores up to {highest:.2g} would be infinite: the vectors are too large for float32; check the "
            "encoder's weights"
        )


def _rounded(vectors: Tensor) -> tuple[Tensor, Float64, Float64]:
    """Return bfloat16 vectors, the length of what each lost, and of each before, never too small."""
    import torch

    narrow = vectors.bfloat16()
    lost = torch.linalg.vector_norm(narrow.float().sub_(vectors), dim=1)
    norms = torch.linalg.vector_norm(vectors, dim=1)
    errors, lengths = (1.001 * norm.double().cpu().numpy() for norm in (lost, norms))
    return narrow, errors, lengths


def block_shape(queries: int, documents: int, dimensions: int, k: int, block_bytes: int) -> tuple[int, int]:
    """Return how many documents and how many queries go into one matrix product."""
    scores = max(1, block_bytes // 40)  # 4 bytes of score, and what ``Best.offer`` may need of working memory
    vectors = max(1, block_bytes // (16 * max(1, dimensions)))
    # Many documents for few queries.
    size = min(max(4096, GROUP * k, scores // max(1, queries)), 65536, max(1, documents), scores, vectors)
    slices = -(-queries // max(1, scores // max(size, k, 1)))
    return size, max(1, -(-queries // max(1, slices)))


def _multiply(queries: Tensor, documents: Tensor, out: Tensor) -> None:
    """Write the dot products of q queries and B documents into ``out`` [q, B]."""
    import torch

    if out.is_cuda or out.dtype != torch.float32 or out.numel() * queries.shape[1] < LARGE:
        torch.mm(queries, documents.T, out=out)
        return
    with np.errstate(all="ignore"):  # infinite and NaN products are dropped later
        np.matmul(queries.numpy(), documents.numpy().T, out=out.numpy())


def pair_scores(queries: Vectors, documents: Vectors, rows: Int32, block_bytes: int = BLOCK_BYTES) -> Float32:
    """Return the dot product of each query with its own ``rows`` [Q, P] of documents; NaN where the row is -1.

    Vectors as in ``dense.exact``. Beside inputs and result this needs at most about ``block_bytes``.
    """
    scores = np.full(rows.shape, np.nan, np.float32)
    real = np.nonzero(rows >= 0)
    step = max(1, min(block_bytes, _CACHED) // (8 * max(1, queries.shape[1])))
    large = isinstance(documents, np.memmap) and documents.nbytes > _LARGE_MAP
    step = min(step, _SCATTERED) if large else step
    for first in range(0, len(real[0]), step):
        row, slot = (axis[first : first + step] for axis in real)
        of_queries, of_documents = queries.take(row, axis=0), documents.take(rows[row, slot], axis=0)
        scores[row, slot] = np.einsum(
            "nd,nd->n", of_queries.astype(np.float32, copy=False), of_documents.astype(np.float32, copy=False)
        )
        if large:
            release(documents)
    return scores
