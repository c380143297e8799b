"""What is tested on SciFact and NFCorpus, where these are, on collections that are made on the spot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from negbench.collections.helpdesk import Helpdesk
from negbench.evaluation import ranking
from negbench.retrieval import Ranking, Search
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.pool import build
from negbench.rng import CounterRNG, keys
from negbench.types import Collection, Qrels


@pytest.fixture(scope="module")
def helpdesk() -> Collection:
    return Helpdesk(articles=300, queries=10, dev=4, test=12).load()


def rank(collection: Collection, queries: np.ndarray, retriever: BM25) -> Ranking:
    asked = [collection.queries[row] for row in queries]
    none = np.zeros((len(asked), 0), np.int32)
    search = Search(
        queries=asked,
        documents=collection.passages(),
        query_keys=keys([collection.query_ids[row] for row in queries]),
        document_keys=keys(collection.document_ids),
        positives=none,
        rng=CounterRNG(0, "bm25"),
    )
    return retriever.rank(search)


def test_backends_agree_on_helpdesk(helpdesk: Collection) -> None:
    rows = helpdesk.split_queries("test")
    both = [
        rank(helpdesk, rows, BM25.model_validate({"variant": "bm25+", "backend": backend, "depth": 300}))
        for backend in ("bm25s", "rank-bm25")
    ]
    for query in range(len(rows)):
        mine, theirs = (
            {row: score for row, score in zip(found.documents[query], found.scores[query], strict=True) if row >= 0}
            for found in both
        )
        assert len(mine) > 20
        assert mine.keys() == theirs.keys()
        assert list(mine.values()) == pytest.approx([theirs[row] for row in mine], rel=1e-5)


def test_ndcg_of_bm25_is_that_of_its_formula(helpdesk: Collection) -> None:
    """A gain of 1 for a relevant document over the logarithm of its place, against the best order of all labels."""
    rows = helpdesk.split_queries("test")
    found = rank(helpdesk, rows, BM25(depth=50))
    relevant = helpdesk.qrels["test"].at_least(1).by_query()
    by_hand = []
    for at, query in enumerate(rows.tolist()):
        places = [place for place, row in enumerate(found.documents[at, :10].tolist()) if row in relevant[query]]
        best = range(min(10, len(relevant[query])))
        by_hand.append(sum(1 / math.log2(place + 2) for place in places) / sum(1 / math.log2(n + 2) for n in best))
    measured = ranking.evaluate(found.documents, found.scores, rows, helpdesk, "test", ["nDCG@10"])
    assert measured.mean["nDCG@10"] == pytest.approx(np.mean(by_hand))
    assert 0.05 < np.mean(by_hand) < 0.95


def test_more_positives_than_a_pool_is_deep() -> None:
    """150 positives a query in pools of 40: marked where they are found, and scored wherever they stand."""
    words = ["amber", "birch", "cedar"]
    texts = [f"{words[row % 3]} {'leaf ' * (row % 7)}{'bark ' * (row % 5)}number{row}" for row in range(600)]
    judged = [(query, row, 1 + row % 2) for query in range(3) for row in range(600) if row % 4 == query]
    judged += [(query, 3 + 4 * query, 0) for query in range(3)]  # a grade of 0 makes no positive
    collection = Collection(
        name="many",
        document_ids=[f"d{row}" for row in range(600)],
        titles=[""] * 600,
        texts=texts,
        query_ids=[f"q{row}" for row in range(3)],
        queries=[f"{word} leaf bark" for word in words],
        qrels={"train": Qrels.of(judged)},
    )
    rows = np.arange(3, dtype=np.int32)
    pool = build(BM25(depth=40), collection, rows, "train", 0)
    everything = rank(collection, rows, BM25(depth=600))
    labels = {query: {row for asked, row, grade in judged if asked == query and grade} for query in range(3)}
    hits = 0
    for query in range(3):
        found = pool.documents[query].tolist()
        assert pool.known[query].tolist() == [row in labels[query] for row in found]
        mine = pool.positives[query].tolist()
        assert sorted(mine) == sorted(labels[query])
        whole = zip(everything.documents[query].tolist(), everything.scores[query].tolist(), strict=True)
        score_of = {row: score for row, score in whole if row >= 0}
        assert pool.positive_scores[query].tolist() == [score_of.get(row, 0.0) for row in mine]
        hits += sum(row in labels[query] for row in found)
    assert 10 < hits < 110
