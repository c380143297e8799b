"""What a collection is like before anything is trained: sizes, lengths, shared positives, near-duplicates, overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.collections.duplicates import groups, normalised
from negbench.rng import CounterRNG, keys
from negbench.types import Collection, Int32, Passages

MOST_DOCUMENTS = 2000
"""Number of documents that are compared or tokenised; of a larger corpus, a seeded sample."""

NEAR = 0.8
"""Jaccard similarity of three-word shingles from which documents are near-duplicates here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positives:
    """Queries of a split, the mean of their positives, and the share of queries with exactly one."""

    queries: int
    mean: float
    single: float

    @classmethod
    def of(cls, collection: Collection, split: str) -> Positives:
        """Count the positives, judgments with a grade above 0; NaN for a split without queries."""
        counts = np.array([len(rows) for rows in collection.qrels[split].at_least(1).by_query().values()], np.float64)
        if not len(counts):
            return cls(queries=0, mean=float("nan"), single=float("nan"))
        return cls(queries=len(counts), mean=float(counts.mean()), single=float((counts == 1).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """Share of positives with a near-duplicate among the ``documents`` that were compared, and how many these are.

    ``sampled``: these are a part of the corpus. The share is then too low, since both of a pair must be in it.
    """

    share: float
    positives: int
    documents: int
    sampled: bool


def sample_documents(collection: Collection) -> Int32:
    """Return the rows of all documents, or of a sample of ``MOST_DOCUMENTS`` by a hash of their ids; ascending."""
    order = CounterRNG(0, "advise").order(keys(collection.document_ids))
    return np.sort(order[:MOST_DOCUMENTS]).astype(np.int32)


def passages_of(collection: Collection, rows: Int32) -> list[str]:
    """Return title and text of the documents at ``rows``."""
    some = rows.tolist()
    return list(Passages([collection.titles[row] for row in some], [collection.texts[row] for row in some]))


def near_duplicates(collection: Collection, split: str) -> NearDuplicates:
    """Compare documents with one another (``duplicates.groups``); the share is NaN where no positive is among them."""
    rows = sample_documents(collection)
    leaders = groups(passages_of(collection, rows), NEAR)
    in_group = np.bincount(leaders, minlength=len(rows))[leaders]
    positive = np.isin(rows, collection.qrels[split].at_least(1).documents)
    share = float((in_group[positive] > 1).mean()) if positive.any() else float("nan")
    return NearDuplicates(
        share=share,
        positives=int(positive.sum()),
        documents=len(rows),
        sampled=len(rows) < len(collection.document_ids),
    )


def median_words(texts: list[str]) -> float:
    """Return the median number of words a text, white space between them; NaN for no texts."""
    return float(np.median([len(text.split()) for text in texts])) if texts else float("nan")


def copies(collection: Collection) -> int:
    """Return the number of documents whose text another one has too; 0 where texts were not compared."""
    return len(collection.copies())


def sharing(collection: Collection, split: str) -> float:
    """Return the share of a split's queries with a positive that is another one's too; NaN for no queries."""
    labels = collection.qrels[split].at_least(1)
    if not len(labels):
        return float("nan")
    shared = np.bincount(labels.documents)[labels.documents] > 1
    return len(np.unique(labels.queries[shared])) / len(np.unique(labels.queries))


def trained_on(collection: Collection, training: str, split: str) -> int:
    """Return how many queries of ``split`` have a positive that is a positive of ``training`` too."""
    labels = collection.qrels[split].at_least(1)
    seen = np.isin(labels.documents, collection.qrels[training].at_least(1).documents)
    return len(np.unique(labels.queries[seen]))


def lexical_overlap(collection: Collection, split: str) -> float:
    """Return the median over queries of the share of a query's distinct words that its positive has.

    Words are as in ``duplicates.normalised``; a query with several positives counts with their mean. NaN for none.
    """
    labels = collection.qrels[split].at_least(1)
    texts = passages_of(collection, np.unique(labels.documents))
    words_of = dict(zip(np.unique(labels.documents).tolist(), map(_words, texts), strict=True))
    shares = []
    for query, documents in labels.by_query().items():
        asked = _words(collection.queries[query])
        if asked:
            found = [len(asked & words_of[document]) / len(asked) for document in documents.tolist()]
            shares.append(sum(found) / len(found))
    return float(np.median(shares)) if shares else float("nan")


def _words(text: str) -> set[str]:
    return set(normalised(text).split())
