"""Keys of a grid that change nothing: each is told where no point needs it, and not where one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planning import plan, text_of

from negbench.api.plans import plan_run
from negbench.plan.unused import unused_keys

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


def test_plan_says_so(collection: Path, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text_of(collection, weights, ["in-batch"], negatives=2))
    assert [
        note for note in plan_run(path, store=tmp_path / "store").notes if note.startswith("negatives has no effect")
    ]
