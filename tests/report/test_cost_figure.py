from __future__ import annotations

from typing import Any

import pytest
from made_trials import rows, trial

import negbench.papers.run  # noqa: F401  (brings all stages)
from negbench.report.figures import costs
from negbench.store import Stage


def _kinds(stage: type[Stage]) -> set[str]:
    below = set().union(*(_kinds(one) for one in stage.__subclasses__()))
    own = {stage.kind} if hasattr(stage, "kind") and stage.__module__.startswith("negbench.") else set()
    return below | own


def _figure(**cost: float) -> Any:
    spent = {"seconds": 10.0, "marginal_seconds": 1.0, **{f"seconds/{kind}": value for kind, value in cost.items()}}
    return costs.draw(rows(trial("in-batch", 0, 0.4, cost=spent), trial("start", None, 0.2)))


def test_the_legend_has_a_word_for_each_kind_of_stage() -> None:
    words = {kind: work for work, kinds in costs.WORK.items() for kind in kinds}
    assert sum(map(len, costs.WORK.values())) == len(words)
    assert set(words) == _kinds(Stage)


def test_stages_of_one_kind_of_work_are_one_bar() -> None:
    figure = _figure(training=4, scores=2, targets=1.5, geometry=0.01, theirs=1)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == ["marginal seconds", "scores of teachers", "theirs", "training"]
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert sorted(widths) == pytest.approx([1, 3.5, 4])
