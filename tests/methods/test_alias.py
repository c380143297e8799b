"""Names of rows that a grid gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from planning import plan

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.methods import resolve, with_teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder

BASE = {"name": "made", "collection": "helpdesk", "encoder": "some"}


def test_a_name_changes_what_a_row_is_called_and_nothing_else(collection: Path, weights: Path) -> None:
    entry = {"rank-band": {"low": 10, "high": 60}}
    named = resolve({**entry, "name": "narrow  band"})
    assert (named.label, named.spelling) == ("narrow band", resolve(entry).spelling)
    assert resolve(entry).label == resolve(entry).spelling
    assert with_teacher(resolve({"denoised": None, "name": "d"}), TrainedCrossEncoder(folds=3)).label == "d"
    plain, called = (
        plan(collection, weights, ["in-batch", {**entry, **more}]) for more in ({}, {"name": "narrow band"})
    )
    assert [trial.stages for trial in plain] == [trial.stages for trial in called]
    assert [trial.spelling for trial in called][-1] == "narrow band"
    assert called[-1].name == "narrow band seed 1"


def test_the_baseline_goes_by_either_name() -> None:
    methods = [{"bm25": None, "name": "lexical"}, {"simans": {"a": 1.5}}]
    for written, shown in (("lexical", "lexical"), ("bm25", "lexical"), ("simans(a=1.5)", "simans(a=1.5)")):
        assert read({**BASE, "methods": methods, "baseline": written}).points[0][1].baseline == shown
    with pytest.raises(InputError, match="expected one of lexical, simans"):
        read({**BASE, "methods": methods, "baseline": "random"})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"bm25": {}, "name": "start"}, "is the name of a reference"),
        ({"bm25": {}, "name": "untouched"}, "is the name of a reference"),
        ({"bm25": {}, "name": "random"}, "is the name of a method"),
        ({"bm25": {}, "name": "bm25 (20)"}, "round brackets"),
        ({"bm25": {}, "name": "x" * 61}, "at most 60 characters"),
        ({"bm25": {}, "name": " "}, "expected a text"),
        ({"bm25": {}, "name": 3}, "expected a text"),
        ({"bm25": {}, "random": {}}, "expected a name, name(key=value) or a mapping"),
    ],
)
def test_what_could_be_mistaken_is_refused(entry: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        resolve(entry)


def test_two_rows_are_not_called_the_same() -> None:
    twice = [{"bm25": None, "name": "a"}, {"random": None, "name": "a"}]
    with pytest.raises(InputError, match="a is given twice; keep one"):
        read({**BASE, "methods": twice})
