"""Another collection with some of its labels hidden, so that false negatives are known where they were not."""

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
from negbench.noise import Noise, keys
from negbench.types import Collection, Qrels

SPLITS = ("train", "dev")
"""What loses labels; test keeps all, so that it measures the same as before."""


class Hidden(Source):
    """A collection that keeps a share of its labels in train and dev, and knows the others as truth.

    collection: the one whose labels are hidden, written as a grid writes it. withhold, label_rate: as in ``helpdesk``,
    which labels stay (``random``, ``pooling``, ``popularity``, ``similarity``) and what share of them; a query always
    keeps one, so a very low rate is not reached. seed: hides others. The truth is every label, and the fuller
    judgments that the collection had. It is called a proxy, unless those were complete. Test is left as it is, and so
    is what is judged not relevant.
    """

    name: ClassVar[str] = "hidden"

    collection: Annotated[Source, BeforeValidator(source_of)]
    withhold: Withhold = "random"
    label_rate: float = Field(default=0.5, gt=0.0, le=1.0)
    seed: int = Field(default=0, ge=0)

    def fingerprint(self) -> str:
        """Return a digest of what the collection is digested by, and of the other parameters."""
        inner = self.collection
        own = {"version": self.version, "withhold": self.withhold, "label_rate": self.label_rate, "seed": self.seed}
        content = {**own, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and hide the labels. Raises InputError for what is broken in it."""
        full = self.collection.load()
        texts = full.queries, full.passages()
        of_queries, of_documents = keys(full.query_ids), keys(full.document_ids)
        qrels = dict(full.qrels)
        for split in [split for split in SPLITS if len(full.qrels.get(split, ()))]:
            labels = qrels[split].at_least(1)
            luck = Noise(self.seed, "hidden/labels").gumbel(of_queries[labels.queries], of_documents[labels.documents])
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
    """Return the judgments of the pairs that are not among those that are gone."""
    return judgments.where(~gone.contains(judgments.queries, judgments.documents))


def all_known(collection: Collection) -> dict[str, Qrels]:
    """Return by split the relevant pairs and the truth; where both judge a pair, the truth."""
    found = {}
    for split, labels in collection.qrels.items():
        tables = [labels.at_least(1), *([collection.truth[split]] if split in collection.truth else [])]
        found[split] = Qrels.of([judgment for table in tables for judgment in table.triples()])
    return found


def complete(collection: Collection, splits: Iterable[str]) -> bool:
    """Tell whether all relevant pairs are known of those of ``splits`` that are there."""
    return collection.truth_kind == "complete" and set(splits) & collection.qrels.keys() <= collection.truth.keys()
