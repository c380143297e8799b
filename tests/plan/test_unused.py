"""Keys of a grid that change nothing: each is told where no point needs it, and not where one does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from planning import plan, text_of

from negbench.api.plans import plan_run
from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.plan.unused import unused_axes, unused_keys

TEACHER = {"bi-encoder": {"model": "WEIGHTS", "temperature": 0.05}}
UNUSED: dict[str, tuple[list[object], dict[str, Any]]] = {
    "teacher": (["random", "in-batch"], {"teacher": TEACHER}),
    "judge": (["random"], {"judge": "llm", "estimators": ["exact"]}),
    "held_out": (["random"], {"held_out": 0.2, "estimators": ["exact"]}),
    "repair": (["in-batch"], {"repair": "replaced"}),
    "negatives": (["in-batch", {"random": {"negatives": 2}}], {"negatives": 3}),
    "train.warmup": (["random"], {"train": {"precision": "float32", "warmup": 0.2, "schedule": "constant"}}),
}
"""By key: methods and keys of a grid in which it changes nothing."""

USED: dict[str, tuple[list[object], dict[str, Any]]] = {
    "teacher": (["in-batch", {"denoised": {}}], {"teacher": TEACHER}),
    "judge": (["random"], {"judge": "llm", "estimators": ["exact", "judge"]}),
    "held_out": (["in-batch", "random"], {"held_out": 0.2}),
    "gradient": (["in-batch", "random"], {"gradient": True}),
    "repair": (["random"], {"axes": {"repair": [None, "replaced"]}}),
    "negatives": (["in-batch-wide"], {"negatives": 3}),
    "train.warmup": (
        ["random"],
        {"train": {"precision": "float32", "warmup": 0.2}, "axes": {"train.schedule": ["constant", "linear"]}},
    ),
    "encoder.revision": (["random"], {}),
}
"""By key: the same, where it changes something at one point at least."""


def _filled(keys: dict[str, Any], weights: Path) -> dict[str, Any]:
    if "teacher" not in keys:
        return keys
    return {**keys, "teacher": {"bi-encoder": {**TEACHER["bi-encoder"], "model": str(weights)}}}


@pytest.mark.parametrize("key", UNUSED)
def test_a_key_that_changes_nothing_is_told(key: str, collection: Path, weights: Path) -> None:
    methods, keys = UNUSED[key]
    (sentence,) = unused_keys(plan(collection, weights, methods, **_filled(keys, weights)))
    assert sentence.startswith(f"{key} has no effect: ")
    assert sentence.endswith("; leave it out")


@pytest.mark.parametrize("key", USED)
def test_a_key_that_changes_something_is_not(key: str, collection: Path, weights: Path) -> None:
    methods, keys = USED[key]
    assert not unused_keys(plan(collection, weights, methods, **_filled(keys, weights)))


def test_a_revision_of_weights_from_a_package_is_told(
    collection: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from negbench.encoders import weights as places

    monkeypatch.setattr(places, "_offline_folder", lambda: weights)
    encoder = {"model": "all-MiniLM-L6-v2", "revision": "0" * 40}
    (sentence,) = unused_keys(plan(collection, weights, ["in-batch"], encoder=encoder))
    assert sentence.startswith("encoder.revision has no effect: ")


FIXED = {"random": {"negatives": 2}}
ORDERED = (["bm25", "random"], ["random", "bm25"])


@pytest.mark.parametrize(
    ("methods", "axes", "told"),
    [
        ([{"random": {"negatives": 2}}], {"negatives": [1, 4]}, ["negatives 1 4"]),
        (
            [{"random": {"negatives": 2}}],
            {"train.epochs": [1, 2], "negatives": [1, 2, 3]},
            ["negatives 1 2", "negatives 1 3"],
        ),
        (
            ["random"],
            {"methods": [["random", "bm25"], ["bm25", "random"]]},
            ["methods ['random', 'bm25'] ['bm25', 'random']"],
        ),
        (["random"], {"methods": [["random", "bm25"], ["random"]]}, []),
        (["in-batch", "random"], {"negatives": [1, 4]}, []),
        (["random"], {"seeds": [[0], [1]], "held_out": [None, 0.2]}, []),
        (["random"], {"curve_points": [0, 2]}, []),
    ],
)
def test_an_axis_that_changes_nothing_is_told(
    methods: list[object], axes: dict[str, list[object]], told: list[str], collection: Path, weights: Path
) -> None:
    found = unused_axes(plan(collection, weights, methods, axes=axes))
    parts = [
        sentence.removeprefix("axes.").removesuffix(": all rows are the same; leave one out") for sentence in found
    ]
    assert [it.replace("has no effect between ", "").replace(" and ", " ") for it in parts] == told


def test_a_collection_under_another_path_is_the_same_collection(
    collection: Path, weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(collection, tmp_path / "again")
    again = {"collection": str(tmp_path / "again"), "name": "again"}
    path = tmp_path / "grid.yaml"
    text = json.loads(text_of(collection, weights, ["random"], collections=[str(collection), again]))
    path.write_text(json.dumps({key: value for key, value in text.items() if key != "collection"}))
    (sentence,) = unused_axes(trials(read(path)))
    assert sentence.startswith(f"axes.collection has no effect between '{collection.name}' and 'again'")


def test_plan_says_so(collection: Path, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text_of(collection, weights, ["in-batch"], negatives=2))
    assert [
        note for note in plan_run(path, store=tmp_path / "store").notes if note.startswith("negatives has no effect")
    ]
