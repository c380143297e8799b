"""The collection as an encoder sees it that is being trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from negbench.encoders.encode import still
from negbench.encoders.tokens import Limits, set_limits
from negbench.plan.mining import BuildPool
from negbench.plan.sources import Embed
from negbench.retrieval.pool import Ground
from negbench.types import CandidatePool, Collection, Int32, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Current:
    """What stored vectors and pools would be, had the encoder made them as it stands; each is made once.

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
        self.model, self.collection = still(model), collection
        set_limits(self.model, limit)
        self.cost: Counter[str] = Counter()
        self._vectors = dict(given or {})

    def vectors(self, stored: Embed) -> Vectors:
        """Return vectors of the same texts."""
        if stored.key not in self._vectors:
            self._vectors[stored.key], cost = stored.by(self.model, self.collection)
            self.cost.update(cost)
        return self._vectors[stored.key]

    def search(self, stored: BuildPool, asked: Int32 | None = None, ground: Ground | None = None) -> CandidatePool:
        """Return the pool of the same retriever for the same queries, or only for the rows that are ``asked``."""
        assert stored.queries is not None, "only a retriever that looks at vectors is asked again"
        assert stored.documents is not None
        documents = self.vectors(stored.documents)
        if asked is None:
            return stored.search(self.collection, self.vectors(stored.queries), documents)
        queries, cost = stored.queries.by(self.model, self.collection, asked)
        self.cost.update(cost)
        return stored.search(self.collection, queries, documents, asked, ground)
