"""What is told below a table."""

from __future__ import annotations

from typing import Any

from made_trials import rows, trial

from negbench.config.grid import Settings
from negbench.runners.outputs import legend, notes


def settings(*methods: str, negatives: int = 3) -> Settings:
    return Settings.model_validate(
        {"name": "g", "collection": "helpdesk", "encoder": "e", "methods": list(methods), "negatives": negatives}
    )


def test_more_documents_are_told_from_more_pairs() -> None:
    found = rows(trial("in-batch", 0, 0.5))
    wide = "in-batch-wide reads 4 times the labelled pairs, too; "
    assert wide + "random reads as many documents at equal pairs" in legend(found, settings("in-batch-wide", "random"))
    assert wide + "add random, which reads as many documents, at equal pairs" in legend(
        found, settings("in-batch-wide")
    )
    assert not any("labelled pairs" in line for line in legend(found, settings("in-batch", "random")))


def test_the_recall_of_an_index_is_told() -> None:
    index, exact = trial("rank-band", 0, 0.5), trial("rank-band-exact", 0, 0.5)
    index["draw"], exact["draw"] = {"filled": 0.0, "index_recall": 0.9876}, {"filled": 0.0}
    (line,) = [line for line in legend(rows(index, exact), settings("in-batch")) if "recall" in line]
    assert line.endswith("candidates: rank-band 98.76 %")
    assert not any("recall" in line for line in legend(rows(exact), settings("in-batch")))


def test_what_is_estimated_beside_the_column_is_told_by_method() -> None:
    """A lower bound is no column where fuller judgments give one, and is not to be lost."""

    def drawn(method: str, seed: int, share: float) -> dict[str, Any]:
        told = {"low": 0.0, "high": 1.0, "unit": "negative"}
        both = {
            "exact-proxy": {"rate": 0.5, "note": "a proxy", **told},
            "equal-texts": {"rate": share, "note": "a bound", **told},
        }
        return {**trial(method, seed, 0.5), "false_negatives": both}

    made = [drawn("bm25", 0, 0.01), drawn("bm25", 1, 0.02), drawn("naive", 0, 0.25)]
    told = notes({"trials": made}, rows(*made), settings("bm25", "naive"))
    assert "exact-proxy: a proxy." in told
    assert "equal-texts: a bound. In %: bm25 1.50; naive 25.00." in told
