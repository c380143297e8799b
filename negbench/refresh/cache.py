"""Refresh before every step, over cached document vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Mode, Refresh


class Cache(Refresh):
    """Search for the queries of each batch just before its step, among vectors of documents as they were last seen.

    Negative Cache, Lindgren et al., NeurIPS 2021. The cache begins with the vectors that first candidates are searched
    in. What a step reads, negatives and positives, goes back into it with the vectors that the step has of them, and
    with the noise of dropout, if there is any. So as many documents are encoded as with negatives that stay, and each
    batch's queries once more. The curve ``cache_staleness`` is the mean of |old - new|^2 / |new|^2 over the distinct
    documents that were drawn for a step.

    Differs from the paper in: which documents it holds is decided once; there, a queue takes in each batch's positives
    for the oldest. With the whole corpus inside there is nothing to take in.
    """

    name: ClassVar[str] = "cache"
    mode: ClassVar[Mode] = "cached-vectors"
    before_first_step: ClassVar[bool] = True

    size: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Number of documents in the cache, chosen at random from the corpus; null takes all. The code's example "
            "has 131,072."
        ),
    )

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return all steps, the first one too: the first candidates do not come from the cache."""
        return list(range(epoch_ends[-1]))
