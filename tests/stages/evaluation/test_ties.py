"""The order of the corpus's file changes no measure, at the last rank that is looked at neither."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from negbench.collections.beir import Beir
from negbench.evaluation import ranking
from negbench.retrieval.bm25 import BM25
from negbench.stages.evaluation import quality as evaluation
from negbench.stages.evaluation.quality import EvaluateRetriever, whole_ties
from negbench.stages.inputs import LoadCollection
from negbench.store import Store
from negbench.types import Collection, Qrels


def collection(order: list[int]) -> Collection:
    names, nothing = [f"d{row}" for row in order], [""] * len(order)
    asked = [f"q{row}" for row in range(6)]
    return Collection(
        name="made",
        document_ids=names,
        titles=nothing,
        texts=nothing,
        query_ids=asked,
        queries=asked,
        qrels={"test": Qrels.of([(0, 0, 1)])},
    )


def test_ties_at_the_cut_are_those_of_a_sort_by_score_and_key() -> None:
    """Whole-number vectors tie often and exactly: 90 documents at 11 scores, of which the best 20 are kept."""
    random = np.random.default_rng(0)
    vectors = random.integers(-2, 3, (90, 4)).astype(np.float32)
    asked = random.integers(-2, 3, (6, 4)).astype(np.float32)
    rows = np.arange(6, dtype=np.int32)
    expected: list[list[str]] = []
    for order in (list(range(90)), random.permutation(90).tolist()):
        made = collection(order)
        documents, scores = whole_ties(made, rows, asked, vectors[order], 20)
        exact = asked @ vectors[order].T
        everything = np.tile(np.arange(90, dtype=np.int32), (6, 1))
        best = np.lexsort((ranking.tie_keys(made, rows, everything), -exact), axis=1)[:, :20]
        np.testing.assert_array_equal(scores, np.take_along_axis(exact, best, axis=1))
        sets = [sorted(made.document_ids[row] for row in mine) for mine in documents.tolist()]
        assert sets == [sorted(made.document_ids[row] for row in mine) for mine in best.tolist()]
        assert (np.partition(-exact, 20, axis=1)[:, 20] == -scores[:, -1]).any()  # else nothing ties at the cut
        assert not expected or sets == expected
        expected = sets


def test_a_short_corpus_is_ranked_whole() -> None:
    made = collection([0, 1, 2])
    documents, scores = whole_ties(
        made, np.array([0], np.int32), np.ones((1, 2), np.float32), np.eye(3, 2, dtype="f4"), 3
    )
    assert documents.tolist() == [[0, 1, 2]]
    assert scores.tolist() == [[1, 1, 0]]


def test_a_retriever_that_fills_its_last_rank_with_ties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 equal texts, of which 10 are looked at; the positive's place in the file decided whether it is one of them."""
    monkeypatch.setattr(evaluation, "DEPTH", 10)
    texts = [json.dumps({"_id": f"d{row}", "title": "", "text": f"a lamp {'here' * (row == 60)}"}) for row in range(61)]
    asked = [json.dumps({"_id": f"q{row}", "text": "lamp"}) for row in range(40)]
    found = []
    for name, lines in (("one", texts), ("other", texts[::-1])):
        (tmp_path / name / "qrels").mkdir(parents=True)
        (tmp_path / name / "corpus.jsonl").write_text("\n".join(lines) + "\n")
        (tmp_path / name / "queries.jsonl").write_text("\n".join(asked) + "\n")
        judged = "".join(f"q{row}\td{row}\t1\n" for row in range(40))
        (tmp_path / name / "qrels/test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
        source = Beir(path=str(tmp_path / name))
        stage = EvaluateRetriever(LoadCollection(source, source.fingerprint()), BM25(), "test", ("RR@10",))
        folder = Store(tmp_path / "store").ensure(stage)
        found.append(np.load(folder / "0.npy", allow_pickle=False).tolist())
    assert found[0] == found[1]
    assert 0 < sum(value > 0 for value in found[0]) < 20  # about a sixth of the forty
