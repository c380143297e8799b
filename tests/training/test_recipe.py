"""The recipe as the store sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from negbench.losses.infonce import InfoNCE
from negbench.stages.training.train import Train
from negbench.store import Stage
from negbench.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Given(Stage):
    """A stage that is there."""

    kind: ClassVar[str] = "given"
    name: str

    def run(self, at: Any, out: Path) -> dict[str, float]:
        raise AssertionError


def key(**changes: Any) -> str:
    collection: Any = Given("collection")
    recipe = Recipe(precision="float32", **changes)
    train = Train(
        encoder=Given("encoder"),
        collection=collection,
        split="train",
        negatives=None,
        loss=InfoNCE(),
        recipe=recipe,
        seed=0,
    )
    return train.key


def test_a_recipe_is_read_back_from_what_is_dumped() -> None:
    assert Recipe.model_validate(Recipe().model_dump()) == Recipe()


@pytest.mark.parametrize("changes", [{"gradient_cache": True}, {"processes": 2}])
def test_the_key_depends_on_it(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()
    dumped = Recipe(**changes).model_dump(mode="json")
    assert Recipe.model_validate(dumped) == Recipe(**changes)
