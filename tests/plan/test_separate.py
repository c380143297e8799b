"""Which axes change the start or the test, by the digests of what a plan makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from planning import plan

from negbench.plan.separate import separate_axes


@pytest.mark.parametrize(
    ("axes", "separate"),
    [
        ({"start": {"weak": {"encoder.reinit_layers": 1}, "strong": {"train.epochs": 2}}}, ["start"]),
        ({"start": {"short": {"train.epochs": 1}, "long": {"train.epochs": 2}}}, []),
        ({"encoder.query_prompt": ["", "query: "]}, ["encoder.query_prompt"]),
        ({"train.epochs": [1, 2], "encoder.reinit_layers": [0, 1]}, ["encoder.reinit_layers"]),
        ({"negatives": [1, 2], "train.learning_rate": [1e-5, 1e-4]}, []),
        ({"split": ["dev", "test"]}, ["split"]),
        ({"warm_up": [None, {"epochs": 1}]}, ["warm_up"]),
    ],
)
def test_an_axis_is_separate_where_it_changes_the_start_or_the_test(
    collection: Path, weights: Path, axes: dict[str, Any], separate: list[str]
) -> None:
    assert separate_axes(plan(collection, weights, ["in-batch"], axes=axes)) == separate


def test_a_rate_that_a_warm_up_takes_over_changes_the_start(collection: Path, weights: Path) -> None:
    axes = {"train.learning_rate": [1e-5, 1e-4]}
    follows, has_its_own = ({"epochs": 1}, {"epochs": 1, "learning_rate": 1e-5})
    assert separate_axes(plan(collection, weights, ["in-batch"], axes=axes, warm_up=follows)) == [*axes]
    assert separate_axes(plan(collection, weights, ["in-batch"], axes=axes, warm_up=has_its_own)) == []


def test_a_collection_is_separate_whatever_its_axis_is_called(collection: Path, weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(collection, other)
    (other / "queries.jsonl").write_text((other / "queries.jsonl").read_text().replace("where", "in which drawer"))
    axes = {"of": {"one": {"collection": str(collection)}, "two": {"collection": str(other)}}}
    assert separate_axes(plan(collection, weights, ["in-batch"], axes=axes)) == ["of"]
