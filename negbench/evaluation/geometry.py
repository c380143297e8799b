"""Geometry of embeddings: alignment, uniformity, and the gap between positives and their neighbours."""

from __future__ import annotations

import numpy as np

from negbench.retrieval.dense import exact
from negbench.types import Float32, Int32, Qrels, Vectors

NEIGHBOURS = 16
"""Number of nearest neighbours of a positive among which one without a label is looked for."""


def alignment(queries: Float32, positives: Float32) -> float:
    """Return the mean squared distance of unit vectors ``queries`` [n, d] to their ``positives`` [n, d]; 0 to 4.

    Wang and Isola 2020, Understanding contrastive representation learning through alignment and uniformity on the
    hypersphere, arXiv 2005.10242, with their exponent of 2. NaN where there is no pair.
    """
    return float(((queries - positives) ** 2).sum(axis=1).mean()) if len(queries) else float("nan")


def uniformity(vectors: Float32) -> float:
    """Return the log of the mean of exp(-2 |x - y|²) over all pairs of ``vectors`` [n, d]; the lower, the evener.

    From the same paper, with their t of 2. 0 where all vectors are the same; NaN for fewer than two.
    """
    if len(vectors) < 2:
        return float("nan")
    distances = np.maximum(2 - 2 * (vectors @ vectors.T).astype(np.float64), 0)
    pairs = np.triu_indices(len(vectors), 1)
    return float(np.log(np.exp(-2 * distances[pairs]).mean()))


def neighbour_gap(queries: Float32, rows: Int32, positives: Int32, documents: Vectors, known: Qrels) -> float:
    """Return by how much queries prefer their positives to the document that lies next to it and is not labelled.

    ``queries`` [n, d] and ``documents`` [N, d] are unit vectors, ``rows`` [n] and ``positives`` [n] pairs of query and
    document rows. The neighbour is the nearest by this encoder among the 16 nearest that is no positive of the query
    in ``known``; a pair without one is left out. Mean difference of cosines; NaN where no pair is left.
    """
    of_positives = unit(documents[positives])
    nearest, _ = exact(of_positives, documents, min(NEIGHBOURS, len(documents)))
    free = (nearest >= 0) & (nearest != positives[:, None]) & ~known.contains(rows[:, None], nearest)
    kept = free.any(axis=1)
    if not kept.any():
        return float("nan")
    neighbours = nearest[kept, free[kept].argmax(axis=1)]
    difference = of_positives[kept] - unit(documents[neighbours])
    return float(np.einsum("nd,nd->n", queries[kept], difference).mean())


def unit(vectors: Vectors) -> Float32:
    """Return ``vectors`` [n, d] at length 1, in float32; those of length 0 stay."""
    as_float32 = vectors.astype(np.float32)
    lengths = np.linalg.norm(as_float32, axis=1, keepdims=True)
    return np.asarray(as_float32 / np.where(lengths > 0, lengths, np.float32(1)))
