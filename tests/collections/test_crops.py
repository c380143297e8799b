from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from negbench.collections.crops import Crops
from negbench.collections.helpdesk import Helpdesk
from negbench.types import Collection

SMALL = Helpdesk(articles=100, queries=120, dev=10, test=10, label_rate=1.0)


def crops(**changed: Any) -> Collection:
    return Crops(collection=SMALL, **changed).load()


@pytest.mark.parametrize("per", ["query", "pair"])
def test_every_query_is_a_span_of_its_document(per: str) -> None:
    full, found = SMALL.load(), crops(per=per)
    labels = full.qrels["train"].at_least(1)
    assert len(found.queries) == (len(labels) if per == "pair" else len(np.unique(labels.queries)))
    assert (found.passages(), found.document_ids) == (full.passages(), full.document_ids)
    assert list(found.qrels) == ["train"]
    assert (found.truth, found.truth_kind) == ({}, "none")
    pairs = found.qrels["train"]
    np.testing.assert_array_equal(pairs.queries, np.arange(len(found.queries)))
    for query, row in zip(found.queries, pairs.documents.tolist(), strict=True):
        words = len(full.texts[row].split())
        assert f" {query} " in f" {' '.join(full.texts[row].split())} "
        assert round(0.05 * words) <= len(query.split()) <= max(1, round(0.5 * words))


def test_every_document_is_used_before_one_is_used_twice() -> None:
    times = Counter(crops().qrels["train"].documents.tolist())
    assert len(times) == 100
    assert max(times.values()) - min(times.values()) <= 1
    assert len(set(crops().queries)) > 0.9 * len(crops().queries)  # of one document, other spans


def test_lengths_and_places_vary_evenly() -> None:
    found = crops(shortest=0.1, longest=0.9)
    texts = SMALL.load().texts
    lengths, starts = [], []
    for query, row in zip(found.queries, found.qrels["train"].documents.tolist(), strict=True):
        document = " ".join(texts[row].split())
        lengths.append(len(query.split()) / len(document.split()))
        free = len(document.split()) - len(query.split())
        starts.append(len(document[: f" {document} ".index(f" {query} ")].split()) / free)
    assert np.mean(lengths) == pytest.approx(0.5, abs=0.06)
    assert np.mean(starts) == pytest.approx(0.5, abs=0.08)


def test_a_seed_cuts_elsewhere_and_the_same_seed_there_again() -> None:
    assert crops().queries == crops().queries
    assert crops().queries != crops(seed=1).queries
    assert Crops(collection=SMALL).fingerprint() != Crops(collection=SMALL, seed=1).fingerprint()


def test_lengths_in_disorder_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"shortest must not exceed longest, found 0.6 and 0.5"):
        Crops(collection=SMALL, shortest=0.6)
