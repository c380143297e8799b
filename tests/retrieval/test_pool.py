from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from negbench import rng
from negbench.collections.beir import Beir
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.corpus import Corpus
from negbench.retrieval.dense import Dense
from negbench.retrieval.pool import build, pad
from negbench.types import CandidatePool, Collection, Qrels

DATA = Path(__file__).parents[2].parent / "shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real collections are not here")

DOCUMENTS = 12
QUERY_IDS = ["q0", "d9", "d4", "q3"]
COLLECTION = Collection(
    name="small",
    document_ids=[f"d{n}" for n in range(DOCUMENTS)],
    titles=[f"Heading{n}" for n in range(DOCUMENTS)],
    texts=[f"text number{n} of many" for n in range(DOCUMENTS)],
    query_ids=QUERY_IDS,
    queries=["something", "Text  NUMBER9 of", "words that document 4 lacks", "heading7 number8"],
    qrels={
        "train": Qrels.of([(0, 0, 1), (0, 11, 2), (0, 5, 1), (0, 6, 0), (1, 2, 1), (2, 4, 0), (2, 3, 1), (3, 7, 1)]),
        "test": Qrels.of([(0, 1, 1), (1, 1, 1)]),
    },
)
# Dense over these ranks the documents 11, 10, 9, ... for the first query and 0, 1, 2, ... for the others.
DOCUMENT_VECTORS = np.arange(DOCUMENTS, dtype=np.float32)[:, None]
QUERY_VECTORS = np.array([[1], [-1], [-1], [-1]], np.float32)


def dense(queries: list[int], depth: int, split: str = "train") -> CandidatePool:
    rows = np.array(queries, np.int32)
    return build(Dense(depth=depth), COLLECTION, rows, split, 0, QUERY_VECTORS[rows], DOCUMENT_VECTORS)


def known(pool: CandidatePool, row: int) -> set[int]:
    return set(pool.documents[row][pool.known[row]].tolist())


def test_all_positives_are_known_wherever_they_stand() -> None:
    pool = dense([0, 1, 2, 3], DOCUMENTS)
    assert pool.documents[0].tolist() == list(range(DOCUMENTS))[::-1]
    assert known(pool, 0) == {0, 5, 11}  # first, amid, last; the judged but irrelevant 6 is none
    assert known(pool, 1) == {2, 9}  # 9 is the document that the query was taken from
    assert known(pool, 2) == {3}  # document d4 has the query's id, but not its text
    assert known(pool, 3) == {7}
    assert pool.positives.tolist() == [[0, 5, 11], [2, -1, -1], [3, -1, -1], [7, -1, -1]]
    nan = np.nan
    np.testing.assert_array_equal(pool.positive_scores, [[0, 5, 11], [-2, nan, nan], [-3, nan, nan], [-7, nan, nan]])


def test_a_shallow_pool_still_scores_every_positive() -> None:
    pool = dense([0, 3], 3)
    assert pool.documents.tolist() == [[11, 10, 9], [0, 1, 2]]
    assert pool.known.tolist() == [[True, False, False], [False, False, False]]
    assert pool.positives.tolist() == [[0, 5, 11], [7, -1, -1]]
    assert pool.positive_scores[0].tolist() == [0, 5, 11]
    assert pool.recall == 1.0


def test_a_deep_pool_ends_with_padding() -> None:
    pool = dense([0], DOCUMENTS + 3)
    assert pool.documents[0, DOCUMENTS:].tolist() == [-1] * 3
    assert not pool.known[0, DOCUMENTS:].any()
    assert not pool.available()[0, DOCUMENTS:].any()
    assert pool.document_keys[0, DOCUMENTS:].tolist() == [0] * 3


def test_keys_are_those_of_the_ids_in_any_order_of_queries() -> None:
    pool = dense([2, 0, 3], 5)
    assert pool.queries.tolist() == [2, 0, 3]
    assert pool.query_keys.tolist() == [rng.key(QUERY_IDS[row]) for row in (2, 0, 3)]
    expected = [[rng.key(f"d{document}") for document in mine] for mine in pool.documents.tolist()]
    assert pool.document_keys.tolist() == expected
    whole = dense([0, 1, 2, 3], 5)
    for field in ("documents", "scores", "known", "document_keys", "query_keys"):
        assert getattr(pool, field).tolist() == getattr(whole, field)[[2, 0, 3]].tolist()


def test_labels_are_those_of_the_split() -> None:
    pool = dense([0, 1], DOCUMENTS, "test")
    assert (known(pool, 0), known(pool, 1)) == ({1}, {1, 9})
    assert pool.positives.tolist() == [[1], [1]]


def test_no_queries() -> None:
    pool = dense([], 4)
    assert pool.documents.shape == (0, 4)
    assert pool.positives.shape == pool.positive_scores.shape == (0, 0)


def test_a_query_without_positives() -> None:
    pool = dense([2, 3], DOCUMENTS, "test")
    assert not pool.known.any()
    assert pool.positives.shape == (2, 0)


def test_retrievers_read_titles_and_texts_and_the_seed() -> None:
    rows = np.array([3], np.int32)
    assert build(BM25(depth=3), COLLECTION, rows, "train", 0).documents.tolist() == [[7, 8, -1]]
    drawn = [build(Corpus(depth=6), COLLECTION, rows, "train", seed).documents.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_pad() -> None:
    assert pad([]).shape == (0, 0)
    rows = [np.array(row, np.int32) for row in ([], [3, 1], [2])]
    assert pad(rows).tolist() == [[-1, -1], [3, 1], [2, -1]]
    assert pad(rows).dtype == np.int32


@real
def test_many_positives_of_nfcorpus() -> None:
    collection = Beir(path=str(DATA / "nfcorpus")).load()
    queries = collection.split_queries("train")[:60]
    pool = build(BM25(depth=100), collection, queries, "train", 0)
    labels: dict[int, set[int]] = {}
    judged = collection.qrels["train"]
    for query, document, grade in zip(judged.queries, judged.documents, judged.grades, strict=True):
        if grade >= 1:
            labels.setdefault(int(query), set()).add(int(document))
    assert max(map(len, labels.values())) > 100
    hits = 0
    for row, query in enumerate(queries.tolist()):
        found = pool.documents[row].tolist()
        assert pool.known[row].tolist() == [document in labels[query] for document in found]
        score_of = dict(zip(found, pool.scores[row].tolist(), strict=True))
        mine = pool.positives[row][pool.positives[row] >= 0].tolist()
        assert set(mine) == labels[query]
        assert len(mine) == len(set(mine))
        for document, score in zip(mine, pool.positive_scores[row].tolist(), strict=False):
            assert score == score_of.get(document, score)
            hits += document in score_of
    assert hits > 200
