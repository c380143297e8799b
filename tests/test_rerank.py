"""The script that measures a teacher as a re-ranker, against nDCG summed by hand."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scripts

from negbench.collections.resolve import source_of
from negbench.retrieval import pool as pools
from negbench.retrieval.bm25 import BM25
from negbench.teachers.bi_encoder import BiEncoder
from negbench.types import Float32

TEACHER = Path(__file__).parents[1] / "experiments" / "teacher"
COLLECTION = "helpdesk(articles=100, queries=20, dev=5, test=12)"


@pytest.fixture(scope="module")
def rerank() -> ModuleType:
    sys.path.append(str(TEACHER))
    return scripts.load("teacher/rerank.py")


def said_of(query: str, passage: str) -> float:
    """A score that has nothing to do with relevance; none for some pairs."""
    number = sum(map(ord, query + passage)) % 97
    return math.nan if number < 10 else number / 97 + len(passage) * 1e-6


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(self: BiEncoder, pairs: Sequence[tuple[str, str]], *_: object) -> Float32:
        return np.array([said_of(*pair) for pair in pairs], np.float32)

    monkeypatch.setattr(BiEncoder, "score", score)
    monkeypatch.setattr(BiEncoder, "may_refuse", True)


def ndcg(ranked: list[int], relevant: set[int]) -> float:
    gain = sum(1 / math.log2(place + 2) for place, row in enumerate(ranked[:10]) if row in relevant)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant))))


def test_the_order_is_the_teacher_s(
    rerank: ModuleType, scored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["rerank.py", COLLECTION, str(tmp_path / "out.json"), "--teacher", "bi-encoder"])
    rerank.main()
    written = json.loads((tmp_path / "out.json").read_text())
    collection = source_of(COLLECTION).load()
    queries, passages = collection.split_queries("test"), collection.passages()
    hits = pools.build(BM25(depth=100), collection, queries, "test", 0)
    relevant = {row: set(it.tolist()) for row, it in collection.qrels["test"].at_least(1).by_query().items()}
    plain, ordered = [], []
    for row, listed in zip(queries.tolist(), hits.documents.tolist(), strict=True):
        found = [it for it in listed if it >= 0]
        said = {it: said_of(collection.queries[row], passages[it]) for it in found}
        best = sorted((it for it in found if not math.isnan(said[it])), key=lambda it: -said[it])
        assert len(best) >= 10
        plain.append(ndcg(found, relevant[row]))
        ordered.append(ndcg(best, relevant[row]))
    assert written["BM25"] == pytest.approx(np.mean(plain), abs=0.01)  # articles with equal scores may change places
    assert written["re-ranked"] == pytest.approx(np.mean(ordered), abs=1e-4)
    assert written["difference"] == pytest.approx(written["re-ranked"] - written["BM25"], abs=2e-4)
    assert written["difference, low"] < written["difference"] < written["difference, high"]
    assert (written["queries"], written["pairs"]) == (12, int((hits.documents >= 0).sum()))
    assert written["re-ranked"] != written["BM25"]
