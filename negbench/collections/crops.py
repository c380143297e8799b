"""Training pairs from the corpus alone: a span of a document is a query for that document."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.rng import CounterRNG, keys
from negbench.types import Collection, Qrels

SPLIT = "train"
"""The only split; evaluation uses labelled splits of the collection itself."""


class Crops(Source):
    """A collection whose queries are spans of its documents, each relevant to the document that it was cut from.

    To warm up on unlabelled text: the cropping of Contriever, Izacard et al. 2021, arXiv 2112.09118. Differs from the
    paper in: the positive is the whole document, since that is what will be searched (there a second span), and no
    word is deleted.

    A training on as many spans takes as many steps as on labels. Every document is used before one is used twice.
    """

    name: ClassVar[str] = "crops"

    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description="Collection whose documents are cropped, as a grid names it.", examples=["helpdesk"]
    )
    per: Literal["query", "pair"] = Field(
        default="pair",
        description=(
            "Number of spans: as many as the train split has labelled queries (`query`) or labelled pairs (`pair`)."
        ),
    )
    shortest: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Least length of a span, as a share of the document's words; the paper has 0.05.",
    )
    longest: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Greatest length of a span, as a share of the document's words; the paper has 0.5.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the draw of spans.")

    def model_post_init(self, _: object) -> None:
        if self.shortest > self.longest:
            raise ValueError(
                f"shortest must not exceed longest, found {self.shortest:g} and {self.longest:g}; lower it"
            )

    def fingerprint(self) -> str:
        """Return a digest of the inner collection's fingerprint and the other parameters."""
        inner = self.collection
        own = {name: value for name, value in self.parameters.items() if name != "collection"}
        content = {**own, "version": self.version, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and cut spans. Raises InputError if no document has two words."""
        full = self.collection.load()
        if SPLIT not in full.qrels:
            raise InputError(
                f"{full.name} has no {SPLIT} split, whose size is the number of crops; give a collection that has it"
            )
        labels = full.qrels[SPLIT].at_least(1)
        count = len(labels) if self.per == "pair" else len(np.unique(labels.queries))
        words = [text.split() for text in full.texts]
        usable = np.array([row for row, of_text in enumerate(words) if len(of_text) > 1], np.int32)
        if not len(usable):
            raise InputError(
                f"{full.name}: no document has a text of two or more words to cut a span from; give longer documents"
            )
        rng = CounterRNG(self.seed, "crops")
        order = usable[rng.order(keys([full.document_ids[row] for row in usable.tolist()]))]
        sources = np.resize(order, count)
        of_documents = keys([full.document_ids[row] for row in sources.tolist()])
        luck = rng.uniform(of_documents, np.arange(count) // len(order) * 2)
        start = rng.uniform(of_documents, np.arange(count) // len(order) * 2 + 1)
        shares = self.shortest + (self.longest - self.shortest) * luck
        queries = [
            _span(words[row], share, where)
            for row, share, where in zip(sources.tolist(), shares.tolist(), start.tolist(), strict=True)
        ]
        pairs = Qrels.of([(number, row, 1) for number, row in enumerate(sources.tolist())])
        return replace(
            full,
            name=f"{self.name}({full.name})",
            query_ids=[f"crop-{number + 1}" for number in range(count)],
            queries=queries,
            qrels={SPLIT: pairs},
            truth={},
            truth_kind="none",
            given=None,
        )


def _span(words: list[str], share: float, where: float) -> str:
    """Return a span with this share of ``words``, at least one and not all; ``where`` in [0, 1) is its position."""
    length = min(max(1, round(share * len(words))), len(words) - 1)
    start = int(where * (len(words) - length + 1))
    return " ".join(words[start : start + length])
