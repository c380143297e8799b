"""Another collection with known mismatched training pairs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from negbench.collections import Source
from negbench.collections.hidden import all_known, complete, without
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.rng import CounterRNG, keys
from negbench.types import Collection, Qrels

TRIES = 100
"""Most draws of a document for a pair."""


class Mismatched(Source):
    """A collection that gives a share of its training pairs the document of another pair, which does not answer.

    A pair for which no such document is found stays. The pairs of a lower rate are among those of a higher. The truth
    is as in ``hidden``: what a pair lost is relevant and unlabelled. Dev and test are left as they are. As in the Noisy
    Pair Corrector, Zhang et al. 2023, arXiv 2311.03798, whose noise ratio is the rate; differs from the paper in: a
    document that is known to answer is never taken for a mismatch.
    """

    name: ClassVar[str] = "mismatched"

    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description="Collection whose training pairs are mixed up, as a grid names it.", examples=["helpdesk"]
    )
    rate: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Share of the training pairs that get the document of another pair."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the draw of mismatched pairs.")

    def fingerprint(self) -> str:
        """Return a digest of the inner collection's fingerprint and the other parameters."""
        inner = self.collection
        own = {"version": self.version, "rate": self.rate, "seed": self.seed}
        content = {**own, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and mismatch pairs. Raises InputError without training pairs, or for invalid data."""
        full = self.collection.load()
        if not len(full.qrels.get("train", ())):
            raise InputError(f"collection {full.name} has no training pairs to mismatch; choose one with a split train")
        truth = all_known(full)
        pairs, relevant = full.qrels["train"].at_least(1), truth["train"].at_least(1)
        documents = keys(full.document_ids)
        identity = CounterRNG(0, "pairs").bits(keys(full.query_ids)[pairs.queries], documents[pairs.documents])
        order = CounterRNG(self.seed, "mismatched/pairs").order(identity)
        chosen = order[: round(self.rate * len(pairs))]
        others = np.unique(pairs.documents)
        others = others[np.argsort(documents[others])]  # by id, so that the order of the files does not matter
        given = set(zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True))
        replaced, gone = [], np.zeros(len(pairs), np.bool_)
        for number in range(TRIES):
            luck = CounterRNG(self.seed, "mismatched/documents", number).bits(identity[chosen])
            drawn = others[(luck % np.uint64(len(others))).astype(np.int64)]
            wrong = ~relevant.contains(pairs.queries[chosen], drawn)
            for place, document in zip(chosen[wrong].tolist(), drawn[wrong].tolist(), strict=True):
                pair = (int(pairs.queries[place]), document)
                if pair not in given:
                    given.add(pair)
                    gone[place] = True
                    replaced.append((*pair, int(pairs.grades[place])))
            chosen = chosen[~gone[chosen]]
        left = without(full.qrels["train"], pairs.where(gone))
        kept = left.triples()
        return replace(
            full,
            name=f"{self.name}({full.name})",
            qrels={**full.qrels, "train": Qrels.of([*kept, *replaced])},
            truth=truth,
            truth_kind="complete" if complete(full, full.qrels) else "proxy",
        )
