from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from negbench.collections.beir import Beir
from negbench.evaluation import ranking
from negbench.retrieval import Ranking, Search
from negbench.retrieval import bm25 as module
from negbench.retrieval.bm25 import BM25, highest, terms
from negbench.retrieval.topk import top_k
from negbench.rng import CounterRNG, keys
from negbench.types import Collection

DATA = Path(__file__).parents[2].parent / "shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real collections are not here")

CORPUS = [
    "The kettle boils water quickly and the kettle whistles.",
    "Water runs down the mountain into a lake.",
    "A lake in winter freezes; skaters cross the frozen lake.",
    "Whistles and bells announce the train.",
    "",
    "the of and",
    "Boiling a kettle on the train is forbidden.",
    "Mountain trains climb slowly, and mountain water is cold.",
    "Water water water.",
    "A lake in winter freezes; skaters cross the frozen lake.",
]
QUERIES = ["boiling water in a kettle", "mountain lake", "water water train", "zebra", "zebra lake", "", "the of"]


def search(queries: list[str], documents: list[str], positives: list[list[int]] | None = None) -> Search:
    rows = np.zeros((len(queries), 0), np.int32) if positives is None else np.array(positives, np.int32)
    rng = CounterRNG(0, "bm25")
    return Search(
        queries=queries,
        documents=documents,
        query_keys=keys(queries),
        document_keys=keys([f"d{n}" for n in range(len(documents))]),
        positives=rows,
        rng=rng,
    )


def rank(queries: list[str], documents: list[str], **parameters: Any) -> Ranking:
    return BM25.model_validate(parameters).rank(search(queries, documents))


def scored(found: Ranking, query: int) -> dict[int, float]:
    rows, scores = found.documents[query].tolist(), found.scores[query].tolist()
    return {row: score for row, score in zip(rows, scores, strict=True) if row >= 0}


def assert_same(one: Ranking, other: Ranking) -> None:
    """The same documents, scores to rounding, and so the same order but for what rounding makes tie."""
    for query in range(len(one.documents)):
        mine, theirs = scored(one, query), scored(other, query)
        assert mine.keys() == theirs.keys()
        assert list(mine.values()) == pytest.approx([theirs[row] for row in mine], rel=1e-5)
        assert list(mine.values()) == pytest.approx(list(theirs.values()), rel=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"k1": 1.5, "b": 0.75}, {"k1": 0.01}, {"b": 1.0, "stem": False}])
def test_backends_agree_on_bm25_plus(parameters: dict[str, Any]) -> None:
    both = [
        rank(QUERIES, CORPUS, variant="bm25+", backend=backend, depth=20, **parameters)
        for backend in ("bm25s", "rank-bm25")
    ]
    assert len(scored(both[0], 0)) > 2
    assert_same(*both)


@pytest.mark.parametrize("variant", ["lucene", "bm25+", "rank-bm25"])
def test_documents_without_a_shared_term_are_not_retrieved(variant: str) -> None:
    chosen = {"variant": "bm25+", "backend": "rank-bm25"} if variant == "rank-bm25" else {"variant": variant}
    found = rank(QUERIES, CORPUS, depth=20, **chosen)
    assert set(scored(found, 1)) == {1, 2, 7, 9}  # mountain or lake, and no other
    assert set(scored(found, 2)) == {0, 1, 3, 6, 7, 8}
    assert set(scored(found, 4)) == {1, 2, 9}
    for query in (3, 5, 6):  # unknown word, no word, stop words only
        assert (found.documents[query] == -1).all()
        assert np.isnan(found.scores[query]).all()


def lucene(query: list[str], documents: list[list[str]], k1: float, b: float) -> list[float]:
    """BM25 in Lucene's form without its constant factor k1 + 1, written out."""
    count, mean = len(documents), sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        frequency, total = Counter(document), 0.0
        for term in query:
            if not frequency[term]:
                continue
            holders = sum(term in other for other in documents)
            idf = math.log(1 + (count - holders + 0.5) / (holders + 0.5))
            length = 1 - b + b * len(document) / mean
            total += idf * frequency[term] / (frequency[term] + k1 * length)
        scores.append(total)
    return scores


def test_closed_form_on_three_documents() -> None:
    documents = ["red fox", "red red hen fox", "blue whale sings loud songs"]
    found = rank(["red fox", "whale"], documents, stem=False, depth=3)
    # By hand: 3 documents of mean length 11/3; "red" and "fox" in 2 each: idf log(1 + 1.5/2.5) = 0.4700036.
    # Document 0: length factor 0.6 + 0.4 * 2 / (11/3) = 0.8181818, each term 0.4700036 / (1 + 0.9 * 0.8181818).
    assert scored(found, 0)[0] == pytest.approx(2 * 0.4700036 / 1.7363636, rel=1e-6)
    # Document 1: factor 0.6 + 0.4 * 4 / (11/3) = 1.0363636; red twice, fox once.
    assert scored(found, 0)[1] == pytest.approx(0.4700036 * (2 / 2.9327273 + 1 / 1.9327273), rel=1e-6)
    assert found.documents.tolist() == [[1, 0, -1], [2, -1, -1]]
    tokens = [text.split() for text in documents]
    for k1, b in ((0.9, 0.4), (1.2, 0.75), (0.0, 0.0), (2.0, 1.0)):
        got = scored(rank(["red fox"], documents, stem=False, depth=3, k1=k1, b=b), 0)
        expected = lucene(["red", "fox"], tokens, k1, b)
        assert got == pytest.approx({row: score for row, score in enumerate(expected) if score > 0}, rel=1e-6)


def test_a_repeated_query_word_counts_twice_and_ties_come_in_row_order() -> None:
    found = rank(["water", "water water", "lake"], CORPUS, depth=5)
    once, twice = scored(found, 0), scored(found, 1)
    assert list(once) == list(twice)
    assert list(twice.values()) == pytest.approx([2 * score for score in once.values()], rel=1e-6)
    assert found.documents[2, :2].tolist() == [2, 9]  # the same text
    assert found.scores[2, 0] == found.scores[2, 1]


def test_positives_have_scores_wherever_they_stand() -> None:
    positives = [[1, 8, -1], [4, 0, -1]]
    found = BM25(depth=1).rank(search(["mountain lake", "zebra"], CORPUS, positives))
    everywhere = scored(rank(["mountain lake"], CORPUS, depth=10), 0)
    assert found.positive_scores[0, 0] == np.float32(everywhere[1])
    assert found.positive_scores[0, 1] == 0.0  # no shared term: BM25 says 0, though it does not retrieve it
    assert found.positive_scores[1, :2].tolist() == [0.0, 0.0]
    assert np.isnan(found.positive_scores[:, 2]).all()


def pieces(texts: list[str], stem: bool = True) -> list[list[str]]:
    stemmer = Stemmer.Stemmer("english") if stem else None
    return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)  # type: ignore[no-any-return]


@pytest.mark.parametrize("variant", ["lucene", "robertson", "atire", "bm25+"])
def test_scores_are_those_of_bm25s_to_the_last_bit(variant: str) -> None:
    index = bm25s.BM25(k1=0.9, b=0.4, method=variant)
    index.index(pieces(CORPUS), show_progress=False)
    index.nonoccurrence_array = None
    found = BM25(variant=variant, depth=1).rank(search(QUERIES, CORPUS, [list(range(len(CORPUS)))] * len(QUERIES)))
    assert (found.positive_scores > 0).sum() > 10
    for query, scores in zip(pieces(QUERIES), found.positive_scores, strict=True):
        known = [term for term in query if term in index.vocab_dict]
        expected = index.get_scores(known) if known else np.zeros(len(CORPUS), np.float32)
        np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("backend", ["bm25s", "rank-bm25"])
def test_neither_block_nor_other_queries_change_a_ranking(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    positives = [[row, -1] for row in range(len(QUERIES))]
    retriever = BM25(variant="bm25+", backend=backend, depth=4)
    whole = retriever.rank(search(QUERIES, CORPUS, positives))
    monkeypatch.setattr(module, "_BLOCK", 3 * len(CORPUS))  # three queries at a time, and one at the end
    blocks = retriever.rank(search(QUERIES, CORPUS, positives))
    alone = [retriever.rank(search([QUERIES[row]], CORPUS, [positives[row]])) for row in range(len(QUERIES))]
    for name in ("documents", "scores", "positive_scores"):
        assert getattr(blocks, name).tobytes() == getattr(whole, name).tobytes()
        assert b"".join(getattr(one, name).tobytes() for one in alone) == getattr(whole, name).tobytes()


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 130), st.integers(0, 2**32 - 1))
def test_highest_is_top_k_of_the_positive_scores(k: int, rows: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.choice(np.array([0.0, -1.0, 1e-42, 0.5, 1.5, 3.25], np.float32), (rows, width))
    scores = np.where(random.random(scores.shape) < 0.3, random.random(scores.shape), scores).astype(np.float32)
    found, values = highest(scores, k)
    expected = top_k(np.where(scores > 0, scores, -np.inf), k)
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(values, expected[1])
    assert (found.dtype, values.dtype) == (np.int32, np.float32)


@given(st.lists(st.text(st.characters(codec="ascii")) | st.sampled_from([*CORPUS, "don't x y_z 42"])), st.booleans())
def test_terms_of_english_are_those_of_the_documented_tokenizer(texts: list[str], stem: bool) -> None:
    words = BM25(stem=stem, language="en").tokenizer(texts)
    ids = terms(words, texts, learn=True)
    spelled = {number: term for term, number in words.get_vocab_dict().items()}
    assert [[spelled[number] for number in text] for text in ids] == pieces(texts, stem)
    queries = ["Kettles boiling in Zanzibar", *texts]
    known = set(spelled.values())
    read = [[spelled[number] for number in query] for query in terms(words, queries)]
    assert read == [[term for term in query if term in known] for query in pieces(queries, stem)]


@pytest.mark.parametrize("backend", ["bm25s", "rank-bm25"])
@pytest.mark.parametrize(("queries", "documents"), [([], CORPUS), (["lake"], []), (["lake"], ["", "the"]), ([], [])])
def test_nothing_to_rank(backend: str, queries: list[str], documents: list[str]) -> None:
    found = rank(queries, documents, variant="bm25+", backend=backend, depth=4)
    assert found.documents.shape == found.scores.shape == (len(queries), 4)
    assert (found.documents == -1).all()


def test_formulas_that_do_not_exist() -> None:
    with pytest.raises(ValidationError, match=r"rank-bm25 has variant bm25\+ only"):
        BM25(backend="rank-bm25")
    with pytest.raises(ValidationError, match="k1=0 divides by 0"):
        BM25(variant="bm25+", k1=0)


@pytest.fixture(scope="module")
def scifact() -> Collection:
    return Beir(path=str(DATA / "scifact")).load()


@real
def test_backends_agree_on_scifact(scifact: Collection) -> None:
    queries = [scifact.queries[row] for row in scifact.split_queries("test")[:8]]
    passages = scifact.passages()
    both = [rank(queries, passages, variant="bm25+", backend=each, depth=6000) for each in ("bm25s", "rank-bm25")]
    assert_same(*both)


def ndcg(collection: Collection) -> float:
    rows = collection.split_queries("test")
    found = rank([collection.queries[row] for row in rows], collection.passages(), depth=100)
    measured = ranking.evaluate(found.documents, found.scores, rows, collection, "test", ["nDCG@10"])
    return measured.mean["nDCG@10"]


@real
def test_scifact_as_published(scifact: Collection) -> None:
    assert ndcg(scifact) == pytest.approx(0.676, abs=0.005)


@real
def test_nfcorpus_as_published() -> None:
    assert ndcg(Beir(path=str(DATA / "nfcorpus")).load()) == pytest.approx(0.318, abs=0.005)
