"""What every retriever owes. A new one is in this suite by being registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from negbench.noise import Noise, keys
from negbench.parts import registered
from negbench.retrieval import Ranking, Retriever, Search

OURS = {name: kind for name, kind in registered("retriever").items() if kind.__module__.startswith("negbench.")}
WORDS = [
    "sun",
    "frost",
    "rain",
    "wind",
    "soil",
    "root",
    "leaf",
    "seed",
    "bloom",
    "stem",
    "bark",
    "moss",
    "fern",
    "pine",
]
DOCUMENTS, QUERIES = 60, 9


@pytest.fixture
def search() -> Search:
    """Sixty texts of four words, nine questions of two, vectors that go with the words, one or two positives."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((len(WORDS), 8)).astype(np.float32)
    texts = [rng.choice(len(WORDS), 4) for _ in range(DOCUMENTS)]
    asked = [rng.choice(len(WORDS), 2) for _ in range(QUERIES)]
    vectors = [np.stack([table[words].mean(axis=0) for words in side]) for side in (texts, asked)]
    documents, queries = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in vectors]
    positives = np.stack([np.arange(QUERIES), np.where(np.arange(QUERIES) % 2, np.arange(QUERIES) + 20, -1)], axis=1)
    return Search(
        queries=[" ".join(WORDS[n] for n in words) for words in asked],
        documents=[" ".join(WORDS[n] for n in words) for words in texts],
        query_keys=keys([f"q{n}" for n in range(QUERIES)]),
        document_keys=keys([f"d{n}" for n in range(DOCUMENTS)]),
        positives=positives.astype(np.int32),
        noise=Noise(0, "retrieval"),
        query_vectors=queries.astype(np.float32),
        document_vectors=documents.astype(np.float32),
    )


@pytest.fixture
def make(tmp_path: Path, search: Search) -> Callable[..., Retriever]:
    """Return what makes a retriever by name; a run file holds the ranking of BM25."""

    def made(name: str, **fields: object) -> Retriever:
        if name == "run-file":
            path = tmp_path / "run.trec"
            ranking = OURS["bm25"](depth=50).rank(search)
            path.write_text(
                "".join(
                    f"q{query} Q0 d{document} 1 {score} tag\n"
                    for query in range(QUERIES)
                    for document, score in zip(
                        ranking.documents[query].tolist(), ranking.scores[query].tolist(), strict=True
                    )
                    if document >= 0
                )
            )
            fields["path"] = str(path)
        return OURS[name].model_validate(fields)

    return made


def check(ranking: Ranking, depth: int) -> None:
    found, scores = ranking.documents, ranking.scores
    assert (found.shape, found.dtype) == ((QUERIES, depth), np.int32)
    assert (scores.shape, scores.dtype) == ((QUERIES, depth), np.float32)
    assert (np.isnan(scores) == (found < 0)).all()
    assert (found < DOCUMENTS).all()
    assert 0 < ranking.recall <= 1
    for row in range(QUERIES):
        mine = found[row][found[row] >= 0].tolist()
        assert len(set(mine)) == len(mine)
        assert found[row, len(mine) :].tolist() == [-1] * (depth - len(mine))
        values = scores[row, : len(mine)].tolist()
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("depth", [1, 7, 200])
def test_a_ranking_by_contract(name: str, depth: int, make: Callable[..., Retriever], search: Search) -> None:
    retriever = make(name, depth=depth)
    ranking = retriever.rank(search)
    check(ranking, depth)
    again = retriever.rank(search)
    assert again.documents.tolist() == ranking.documents.tolist()
    np.testing.assert_array_equal(again.scores, ranking.scores)
    assert ranking.positive_scores.shape == search.positives.shape
    assert np.isnan(ranking.positive_scores[search.positives < 0]).all()


@pytest.mark.parametrize("name", OURS)
def test_a_positive_has_the_score_that_it_is_ranked_by(
    name: str, make: Callable[..., Retriever], search: Search
) -> None:
    ranking = make(name, depth=60).rank(search)
    for row, positives in enumerate(search.positives.tolist()):
        for column, document in enumerate(positives):
            place = np.flatnonzero(ranking.documents[row] == document)
            if document >= 0 and len(place) and not np.isnan(ranking.positive_scores[row, column]):
                assert ranking.positive_scores[row, column] == pytest.approx(ranking.scores[row, place[0]], rel=1e-5)


@pytest.mark.parametrize("name", OURS)
def test_queries_do_not_depend_on_one_another(name: str, make: Callable[..., Retriever], search: Search) -> None:
    retriever = make(name, depth=10)
    everyone = retriever.rank(search)
    rows = np.array([6, 2, 3])
    assert search.query_vectors is not None
    some = retriever.rank(
        replace(
            search,
            queries=[search.queries[row] for row in rows],
            query_keys=search.query_keys[rows],
            positives=search.positives[rows],
            query_vectors=search.query_vectors[rows],
        )
    )
    assert some.documents.tolist() == everyone.documents[rows].tolist()


@pytest.mark.parametrize("name", OURS)
def test_nothing_asked_and_nothing_there(name: str, make: Callable[..., Retriever], search: Search) -> None:
    retriever = make(name, depth=5)
    assert search.query_vectors is not None
    nobody = replace(
        search, queries=[], query_keys=search.query_keys[:0], positives=search.positives[:0],
        query_vectors=search.query_vectors[:0],
    )  # fmt: skip
    assert retriever.rank(nobody).documents.shape == (0, 5)
