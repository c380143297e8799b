"""Vectors and pools of an encoder that is being trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from negbench.encoders.encode import frozen_copy
from negbench.encoders.tokens import Limits, set_limits
from negbench.retrieval.pool import PoolContext
from negbench.stages.inputs import Embed
from negbench.stages.mining.pool import BuildPool
from negbench.types import CandidatePool, Collection, Int32, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class LiveEncoder:
    """Vectors and pools of stored stages, computed again by the encoder as it stands; each is computed once.

    ``limit`` are the encoder's own limits of tokens, which a training may have lowered. ``given`` are vectors, by the
    key of what is stored, that the training does not move. ``cost`` counts what was encoded.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        limit: Limits,
        collection: Collection,
        given: Mapping[str, Vectors] | None = None,
    ) -> None:
        self.model, self.collection = frozen_copy(model), collection
        set_limits(self.model, limit)
        self.cost: Counter[str] = Counter()
        self._vectors = dict(given or {})

    def vectors(self, stored: Embed) -> Vectors:
        """Return the current vectors of the texts of ``stored``."""
        if stored.key not in self._vectors:
            self._vectors[stored.key], cost = stored.by(self.model, self.collection)
            self.cost.update(cost)
        return self._vectors[stored.key]

    def some_vectors(self, stored: Embed, rows: Int32) -> Vectors:
        """Return the current vectors of a few texts of ``stored``, by their rows in the collection."""
        if stored.side == "document" and stored.key in self._vectors:
            return self._vectors[stored.key][rows]
        vectors, cost = stored.by(self.model, self.collection, rows)
        self.cost.update(cost)
        return vectors

    def search(self, stored: BuildPool, asked: Int32 | None = None, ground: PoolContext | None = None) -> CandidatePool:
        """Return the pool of the same retriever for the same queries, or only for the rows that are ``asked``."""
        assert stored.queries is not None, "only a retriever that looks at vectors is asked again"
        assert stored.documents is not None
        documents = self.vectors(stored.documents)
        if asked is None:
            return stored.search(self.collection, self.vectors(stored.queries), documents)
        queries, cost = stored.queries.by(self.model, self.collection, asked)
        self.cost.update(cost)
        return stored.search(self.collection, queries, documents, asked, ground)
