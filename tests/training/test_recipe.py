"""The recipe as the store sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from negbench.losses.infonce import InfoNCE
from negbench.plan.training import Train
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
    given: Any = Given("encoder"), Given("collection")
    return Train(*given, "train", None, InfoNCE(), Recipe(precision="float32", **changes), 0).key


def test_what_was_stored_before_a_field_came_is_still_found() -> None:
    """The key is one of the time when there was no ``gradient_cache`` and no ``processes``."""
    assert key() == "290f6a5208e07e308d27e368c51d64ff"
    assert Recipe.model_validate(Recipe().model_dump()) == Recipe()


@pytest.mark.parametrize("changes", [{"gradient_cache": True}, {"processes": 2}])
def test_a_field_that_came_later_counts_where_it_is_used(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()
    dumped = Recipe(**changes).model_dump(mode="json")
    assert dumped.items() > Recipe().model_dump(mode="json").items()
    assert Recipe.model_validate(dumped) == Recipe(**changes)
