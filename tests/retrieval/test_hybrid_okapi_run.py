"""Fusion by hand, rank-bm25 itself, and run files as they come."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_search import DOCUMENTS, QUERIES
from rank_bm25 import BM25Okapi

from negbench.errors import InputError
from negbench.retrieval import Search
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.dense import Dense
from negbench.retrieval.hybrid import Hybrid
from negbench.retrieval.okapi import Okapi
from negbench.retrieval.run_file import RunFile
from negbench.rng import keys


def test_fusion_is_the_sum_of_reciprocal_ranks(search: Search) -> None:
    depth = 12
    lists = [part.rank(search).documents for part in (BM25(depth=depth), Dense(depth=depth))]
    found = Hybrid(depth=depth, k=10).rank(search)
    for row in range(QUERIES):
        sums = np.zeros(DOCUMENTS)
        for ranking in lists:
            for place, document in enumerate(ranking[row][ranking[row] >= 0].tolist()):
                sums[document] += 1 / (11 + place)
        order = np.lexsort((np.arange(DOCUMENTS), -sums))[: (sums > 0).sum()][:depth]
        assert found.documents[row, : len(order)].tolist() == order.tolist()
        np.testing.assert_allclose(found.scores[row, : len(order)], sums[order], rtol=1e-6)


def test_okapi_is_rank_bm25_over_white_space(search: Search) -> None:
    index = BM25Okapi([text.lower().split() for text in search.documents])
    found = Okapi(depth=DOCUMENTS).rank(search)
    for row, query in enumerate(search.queries):
        scores = index.get_scores(query.lower().split()).astype(np.float32)
        np.testing.assert_allclose(found.scores[row], np.sort(scores)[::-1], rtol=1e-6)
        np.testing.assert_allclose(scores[found.documents[row]], found.scores[row], rtol=1e-6)


def test_a_run_is_read_by_score_whatever_the_order_of_its_lines(search: Search, tmp_path: Path) -> None:
    lines = ["q0 Q0 d5 2 1.5 t", "q0 Q0 d4 1 9 t", "q9999 Q0 d4 1 9 t", "q0 Q0 gone 3 8 t", "", "q2 Q0 d1 1 -3e2 t"]
    for name, data in (("r.trec", "\n".join(lines).encode()), ("r.trec.gz", gzip.compress("\n".join(lines).encode()))):
        (tmp_path / name).write_bytes(data)
        found = RunFile(path=str(tmp_path / name), depth=3).rank(search)
        assert found.documents[0].tolist() == [4, 5, -1]
        assert found.scores[0, :2].tolist() == [9.0, 1.5]
        assert found.documents[1].tolist() == [-1, -1, -1]
        assert found.documents[2].tolist() == [1, -1, -1]
        assert (
            found.note == "1 of 5 lines name documents that are not in the collection (such as 'gone') and are left out"
        )


def test_a_run_goes_by_its_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_text("q Q0 d 1 2 t\n")
    other.write_text("q Q0 d 1 2 t\n")
    assert RunFile(path=str(one)).fingerprint() == RunFile(path=str(other)).fingerprint()
    other.write_text("q Q0 d 1 3 t\n")
    assert RunFile(path=str(one)).fingerprint() != RunFile(path=str(other)).fingerprint()


@pytest.mark.parametrize("line", ["q0 Q0 d5", "q0 Q0 d5 1 high t", "q0 Q0 doc 5 1 2.0 t", "q0 Q0 d5 1"])
def test_what_is_no_run_is_refused_by_line(search: Search, tmp_path: Path, line: str) -> None:
    path = tmp_path / "r"
    path.write_text(f"q0 Q0 d5 1 1 t\n{line}\n")
    with pytest.raises(InputError, match=r":2: expected 'query-id Q0 document-id rank score tag', found"):
        RunFile(path=str(path)).rank(search)
    with pytest.raises(InputError, match="give the path of a TREC run file"):
        RunFile(path=str(tmp_path / "none")).fingerprint()


def test_ids_with_spaces_stand_between_tabs(search: Search, tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text("a query\tQ0\tthe doc\t1\t2.5\ttag\na query\tQ0\td1\t2\t1.5\n")
    spaced = replace(
        search,
        query_keys=keys(["a query"]),
        positives=search.positives[:1],
        queries=search.queries[:1],
        document_keys=keys(["the doc", *[f"d{n}" for n in range(1, DOCUMENTS)]]),
    )
    found = RunFile(path=str(path), depth=2).rank(spaced)
    assert found.documents.tolist() == [[0, 1]]
    assert found.note == ""
    path.write_text("a query Q0 the doc 1 2.5 tag\n")
    with pytest.raises(InputError, match=r"r:1: .*ids that hold spaces need tabs"):
        RunFile(path=str(path)).rank(spaced)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("q0 Q0 x1 1 2 t\nq1 Q0 x2 1 2 t\n", "none of its documents is in the collection, the first is 'x1'"),
        ("x0 Q0 d1 1 2 t\n", "no line has one of the 9 queries"),
        ("q0 Q0 d1 1 2 t\nq0 Q0 d1 2 1 t\n", "r:2: document 'd1' is listed twice for query 'q0'"),
        ("q0 Q0 d1 1 2 t\nq0 Q0 d2 2 nan t\n", "r:2: expected a score that is a number, found nan"),
        ("q0 Q0 d1 1 inf t\n", "r:1: expected a score that is a number, found inf"),
        ("q0 Q0 d1 1 1e39 t\n", "r:1: expected a score that is a number, found 1e39"),  # infinite in float32
        ("q0 Q0 d1 1 1_0 t\n", "r:1: expected a score that is a number, found 1_0"),
    ],
)
def test_a_run_of_something_else_is_refused(search: Search, tmp_path: Path, lines: str, told: str) -> None:
    path = tmp_path / "r"
    path.write_text(lines)
    with pytest.raises(InputError, match=told):
        RunFile(path=str(path)).rank(search)
