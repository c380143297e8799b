"""MTEB's evaluation of a task whose data are on disk, and ``evaluate`` on the same collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import negbench as nb
from negbench.collections.beir import Beir
from negbench.types import Collection


def _task(made: Collection) -> Any:
    """Return a retrieval task of MTEB's with the documents and the test queries of a collection."""
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    judged: dict[str, dict[str, int]] = {}
    for query, document, grade in made.qrels["test"].triples():
        judged.setdefault(made.query_ids[query], {})[made.document_ids[document]] = grade

    class Local(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Local",
            description="Texts on disk.",
            dataset={"path": "local", "revision": "1"},
            type="Retrieval",
            category="t2t",
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            documents = zip(made.document_ids, made.titles, made.texts, strict=True)
            queries = zip(made.query_ids, made.queries, strict=True)
            self.corpus = {"test": {name: {"title": title, "text": text} for name, title, text in documents}}
            self.queries = {"test": {name: text for name, text in queries if name in judged}}
            self.relevant_docs = {"test": judged}
            self.data_loaded = True

    return Local()


def test_mteb_scores_an_encoder_as_evaluate_does(tiny_encoder: Path, tiny_collection: Path, tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_encoder), device="cpu")
    task = _task(Beir(path=str(tiny_collection)).load())
    found = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    (scores,) = found.task_results[0].scores["test"]
    here = nb.evaluate(tiny_encoder, tiny_collection, measures="nDCG@10 R@10", precision="float32", store=tmp_path)
    assert 0 < here.metrics["nDCG@10"] < 1
    rounded = {"abs": 6e-6}  # five digits are kept there
    assert scores["main_score"] == scores["ndcg_at_10"] == pytest.approx(here.metrics["nDCG@10"], **rounded)
    assert scores["recall_at_10"] == pytest.approx(here.metrics["R@10"], **rounded)
