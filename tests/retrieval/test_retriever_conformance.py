"""What every retriever owes. A new one is in this suite by being registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_search import DOCUMENTS, QUERIES

from negbench.errors import InputError
from negbench.registry import registered
from negbench.retrieval import Ranking, Retriever, Search

OURS = {name: kind for name, kind in registered("retriever").items() if kind.__module__.startswith("negbench.")}


def write_run(path: Path, search: Search) -> None:
    """Write a run file with the ranking of BM25."""
    ranking = OURS["bm25"](depth=50).rank(search)
    lists = zip(ranking.documents.tolist(), ranking.scores.tolist(), strict=True)
    lines = [
        f"q{query} Q0 d{document} 1 {score} tag\n"
        for query, (documents, scores) in enumerate(lists)
        for document, score in zip(documents, scores, strict=True)
        if document >= 0
    ]
    path.write_text("".join(lines))


FILES: dict[str, Callable[[Path, Search], None]] = {"run-file": write_run}
"""What writes the file that a retriever reads beside the collection."""


@pytest.fixture
def make(tmp_path: Path, search: Search) -> Callable[..., Retriever]:
    """Return what makes a retriever by name; one whose file nobody can write here is skipped."""

    def made(name: str, **fields: object) -> Retriever:
        if name in FILES:
            fields["path"] = str(tmp_path / "beside")
            FILES[name](tmp_path / "beside", search)
        retriever = OURS[name].model_validate(fields)
        try:
            retriever.fingerprint()
        except InputError as error:
            pytest.skip(f"it reads what is not here, and its own tests have to bring it: {error}")
        return retriever

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
            given=None if search.given is None else search.given.of_queries(rows),
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
        given=None if search.given is None else search.given.of_queries(np.zeros(0, np.int32)),
    )  # fmt: skip
    assert retriever.rank(nobody).documents.shape == (0, 5)
