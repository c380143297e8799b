"""Another collection with some of its labels hidden, so that false negatives are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.collections.withholding import Withhold, visible
from negbench.rng import CounterRNG, keys
from negbench.types import Collection, Qrels

SPLITS = ("train", "dev")
"""Splits that lose labels; test keeps all, so that its measures do not change."""


class Hidden(Source):
    """A collection that keeps a share of its labels in train and dev, and knows the others as truth.

    Labels are hidden as in ``helpdesk``; every query keeps one, so a very low rate is not reached. The truth is every
    label, and the fuller judgments that the collection had. It is called a proxy, unless those were complete. Test is
    left as it is, and so is what is judged not relevant.
    """

    name: ClassVar[str] = "hidden"

    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description="Collection whose labels are hidden, as a grid names it.", examples=["helpdesk"]
    )
    withhold: Withhold = Field(
        default="random",
        description=(
            "How hidden labels are chosen: at `random`, by a pooler's depth (`pooling`), by `popularity` or "
            "`similarity`."
        ),
    )
    label_rate: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="Share of the relevant pairs that stays labelled in train and dev; each query keeps at least one.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the draw of hidden labels.")

    def fingerprint(self) -> str:
        """Return a digest of the inner collection's fingerprint and the other parameters."""
        inner = self.collection
        own = {"version": self.version, "withhold": self.withhold, "label_rate": self.label_rate, "seed": self.seed}
        content = {**own, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and hide labels. Raises InputError for invalid data."""
        full = self.collection.load()
        texts = full.queries, full.passages()
        of_queries, of_documents = keys(full.query_ids), keys(full.document_ids)
        qrels = dict(full.qrels)
        for split in [split for split in SPLITS if len(full.qrels.get(split, ()))]:
            labels = qrels[split].at_least(1)
            luck = CounterRNG(self.seed, "hidden/labels").gumbel(
                of_queries[labels.queries], of_documents[labels.documents]
            )
            shown = visible(labels, self.withhold, self.label_rate, texts, luck)
            qrels[split] = without(qrels[split], labels.where(~shown))
        return replace(
            full,
            name=f"{self.name}({full.name})",
            qrels=qrels,
            truth=all_known(full),
            truth_kind="complete" if complete(full, SPLITS) else "proxy",
        )


def without(judgments: Qrels, gone: Qrels) -> Qrels:
    """Return ``judgments`` without the pairs that are in ``gone``."""
    return judgments.where(~gone.contains(judgments.queries, judgments.documents))


def all_known(collection: Collection) -> dict[str, Qrels]:
    """Return all known judgments by split: the relevant pairs and the truth, which takes precedence."""
    qrels = {}
    for split, labels in collection.qrels.items():
        tables = [labels.at_least(1), *([collection.truth[split]] if split in collection.truth else [])]
        qrels[split] = Qrels.of([judgment for table in tables for judgment in table.triples()])
    return qrels


def complete(collection: Collection, splits: Iterable[str]) -> bool:
    """Tell whether the truth is complete and covers those of ``splits`` that the collection has."""
    return collection.truth_kind == "complete" and set(splits) & collection.qrels.keys() <= collection.truth.keys()
