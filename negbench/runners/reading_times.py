"""Seconds of encodings and trainings by the tokens a second that `init` and `advise` measured."""

from __future__ import annotations

import math
from typing import Final

from negbench.runners.reading_costs import ReadingCosts, kept
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, start_of
from negbench.stages.training.train import Train
from negbench.store import Stage, Store
from negbench.types import Collection

PASSES: Final = 3
"""A training step takes about as long as encoding its texts so many times: forward once, backward twice."""


class ReadingTimes:
    """Seconds of the stages that read texts with an encoder, for the pairs of encoder and collection that were timed.

    ``speeds`` are the tokens a second that were used, by the names of encoder and collection.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._costs: dict[tuple[str, str], ReadingCosts | None] = {}
        self.speeds: dict[str, float] = {}

    def of(self, stage: Stage, rows: float | None, collection: Collection | None) -> float | None:
        """Return the seconds of an encoding or a training; None for another stage, and where nothing was timed.

        ``rows`` are the pairs that a training reads, over all epochs.
        """
        start = start_of(stage)
        if start is None or collection is None or not isinstance(stage, Embed | Train):
            return None
        costs = self._measured(start, stage.collection)
        if costs is None or costs.tokens_a_second is None:
            return None
        if isinstance(stage, Train):
            if rows is None:
                return None
            tokens = PASSES * rows * _row_tokens(stage, costs)
        else:
            tokens = _texts(stage, collection) * _cut(_of_side(stage, costs), stage.max_length)
        self.speeds[f"{start.spec.spelling} on {collection.name}"] = costs.tokens_a_second
        return tokens / costs.tokens_a_second

    def _measured(self, start: StartEncoder, loaded: LoadCollection) -> ReadingCosts | None:
        pair = start.key, loaded.fingerprint
        if pair not in self._costs:
            self._costs[pair] = kept(start, loaded.source, loaded.fingerprint, self._store)
        return self._costs[pair]


def documents_a_row(stage: Train) -> int:
    """Return how many documents a training reads for a pair: its positive and its mined negatives."""
    return 1 + (0 if stage.negatives is None else getattr(stage.negatives, "k", 1))


def _row_tokens(stage: Train, costs: ReadingCosts) -> float:
    limit = stage.recipe.max_length
    documents = documents_a_row(stage) * _cut(costs.document_tokens, limit.document)
    return _cut(costs.query_tokens, limit.query) + documents


def _texts(stage: Embed, collection: Collection) -> int:
    return len(collection.document_ids) if stage.split is None else len(collection.split_queries(stage.split))


def _of_side(stage: Embed, costs: ReadingCosts) -> float:
    return costs.document_tokens if stage.side == "document" else costs.query_tokens


def _cut(tokens: float, max_length: int | None) -> float:
    return min(tokens, math.inf if max_length is None else max_length)
