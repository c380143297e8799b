"""Pairs made of the corpus alone: a span of a document asks for that document."""

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
from negbench.noise import Noise, keys
from negbench.types import Collection, Qrels

SPLIT = "train"
"""The only split; what is measured is measured on labels."""


class Crops(Source):
    """A collection whose queries are spans of its documents, each relevant to the document that it was cut from.

    To warm up on unlabelled text: the cropping of Contriever, Izacard et al. 2021, arXiv 2112.09118. Differs from the
    paper in: the positive is the whole document, since that is what will be searched (there a second span), and no
    word is deleted.

    collection: whose documents, written as a grid writes it. per: as many spans as its train split has labelled
    queries (``query``) or labelled pairs (``pair``), so that a training takes as many steps as on labels; every
    document is used before one is used twice. shortest, longest: length of a span, as a share of the document's words;
    the paper has 0.05 and 0.5. seed: other spans.
    """

    name: ClassVar[str] = "crops"

    collection: Annotated[Source, BeforeValidator(source_of)]
    per: Literal["query", "pair"] = "pair"
    shortest: float = Field(default=0.05, gt=0, le=1)
    longest: float = Field(default=0.5, gt=0, le=1)
    seed: int = Field(default=0, ge=0)

    def model_post_init(self, _: object) -> None:
        """Check that the lengths are in order."""
        if self.shortest > self.longest:
            raise ValueError(f"shortest must not exceed longest, found {self.shortest:g} and {self.longest:g}")

    def fingerprint(self) -> str:
        """Return a digest of what the collection is digested by, and of the other parameters."""
        inner = self.collection
        own = {name: value for name, value in self.parameters.items() if name != "collection"}
        content = {**own, "version": self.version, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and cut. Raises InputError where no document has two words."""
        full = self.collection.load()
        if SPLIT not in full.qrels:
            raise InputError(f"{full.name} has no {SPLIT} split, after which the number of crops goes")
        labels = full.qrels[SPLIT].at_least(1)
        count = len(labels) if self.per == "pair" else len(np.unique(labels.queries))
        words = [text.split() for text in full.texts]
        usable = np.array([row for row, found in enumerate(words) if len(found) > 1], np.int32)
        if not len(usable):
            raise InputError(f"{full.name}: no document has a text of two words to cut a span from")
        noise = Noise(self.seed, "crops")
        order = usable[noise.order(keys([full.document_ids[row] for row in usable.tolist()]))]
        sources = np.resize(order, count)
        of_documents = keys([full.document_ids[row] for row in sources.tolist()])
        luck = noise.uniform(of_documents, np.arange(count) // len(order) * 2)
        start = noise.uniform(of_documents, np.arange(count) // len(order) * 2 + 1)
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
        )


def _span(words: list[str], share: float, where: float) -> str:
    """Return so large a share of ``words``, at least one and not all; ``where`` from 0 to 1 it lies."""
    length = min(max(1, round(share * len(words))), len(words) - 1)
    start = int(where * (len(words) - length + 1))
    return " ".join(words[start : start + length])
