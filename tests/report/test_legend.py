"""What is told below a table."""

from __future__ import annotations

from made_trials import rows, trial

from negbench.config.grid import Settings
from negbench.runners.outputs import legend


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
