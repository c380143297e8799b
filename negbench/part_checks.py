"""Checks of the output of parts: a wrong part fails its trial by name, and publishes no number."""

from __future__ import annotations

import numpy as np

from negbench.errors import PartError
from negbench.registry import Part
from negbench.types import Bool, CandidatePool, Float32, Int32


def check_positions(part: Part, positions: Int32, pool: CandidatePool, k: int, leaves_slots: bool = False) -> None:
    """Check what a sampler drew: ``positions`` [Q, k] of available candidates, each once, -1, or -2
    from a sampler that ``leaves_slots``.

    Raises PartError with the part's name and the first row that is wrong.
    """
    if positions.shape != (len(pool.queries), k) or not np.issubdtype(positions.dtype, np.integer):
        raise PartError(
            part, f"returned {positions.dtype} {list(positions.shape)}; expected integers [{len(pool.queries)}, {k}]"
        )
    outside = (positions < -2) | (positions >= pool.depth)
    _refuse(part, outside, positions, f"is outside of the pool's {pool.depth} columns")
    _refuse(part, (positions == -2) & (not leaves_slots), positions, "is a slot for the batch, and it leaves none")
    drawn = positions >= 0
    columns = np.maximum(positions, 0)
    if pool.depth:
        known = drawn & np.take_along_axis(pool.known, columns, axis=1)
        _refuse(part, known, positions, "is a known positive")
        unavailable = drawn & ~np.take_along_axis(pool.available(), columns, axis=1)
        _refuse(part, unavailable, positions, "was taken out by a filter or has no score")
    _refuse_repeated(part, positions, "was drawn twice")


def check_labels(part: Part, promoted: Bool, weights: Float32, pool: CandidatePool) -> None:
    """Check what a label rule returned: a mask of candidates [Q, K], and weights [Q, P] from 0 on. Raises PartError."""
    check_mask(part, promoted, pool.documents.shape)
    _refuse(part, promoted & (pool.documents < 0), pool.documents, "is no document, and was promoted")
    if weights.shape != pool.positives.shape:
        raise PartError(part, f"returned weights {list(weights.shape)}; expected {list(pool.positives.shape)}")
    _refuse(part, ~(np.isfinite(weights) & (weights >= 0)), weights, "is no weight")


def check_mask(part: Part, mask: Bool, shape: tuple[int, ...]) -> None:
    """Check that a part returned booleans of ``shape``. Raises PartError."""
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise PartError(part, f"returned {mask.dtype} {list(mask.shape)}; expected bool {list(shape)}")


def check_ranking(part: Part, documents: Int32, corpus_size: int) -> None:
    """Check the rows that a retriever found, [Q, K]: documents of the corpus, each once a query. Raises PartError."""
    _refuse(part, (documents < -1) | (documents >= corpus_size), documents, f"is none of {corpus_size} documents")
    _refuse_repeated(part, documents, "was found twice")


def _refuse_repeated(part: Part, values: Int32, why: str) -> None:
    """Raise PartError for a value of 0 or more that occurs twice in its row of ``values`` [Q, K]."""
    order = np.sort(values, axis=1)
    twice = np.zeros(values.shape, np.bool_)
    twice[:, 1:] = (order[:, 1:] == order[:, :-1]) & (order[:, 1:] >= 0)
    _refuse(part, twice, order, why)


def _refuse(part: Part, wrong: Bool, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], why: str) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise PartError(part, f"query {row}: {values[row, column]} {why}")
