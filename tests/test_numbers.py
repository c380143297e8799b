"""``true`` where a number is wanted: in every part, in grids, in spellings, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from negbench.collections.resolve import source_of
from negbench.config.grid import read
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.numbers import not_booleans
from negbench.registry import KINDS, Part, registered
from negbench.training.recipe import Recipe


class Made(BaseModel):
    _numbers = not_booleans

    whole: int = 1
    real: float | None = None
    listed: tuple[Annotated[int, Field(ge=0)], ...] = ()
    nested: list[list[float]] = []
    either: bool | int = 0
    flag: bool = False
    word: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("whole", True, "expected a whole number, found true"),
        ("whole", False, "expected a whole number, found false"),
        ("real", True, "expected a number, found true"),
        ("listed", [1, True], "expected a whole number, found true"),
        ("listed", (False,), "expected a whole number, found false"),
        ("nested", [[0.5], [True]], "expected a number, found true"),
    ],
)
def test_a_boolean_is_no_number(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Made.model_validate({field: value})


def test_numbers_and_booleans_in_their_places_are_fine() -> None:
    made = Made.model_validate({"whole": 0, "real": 1, "listed": [0, 1], "nested": [[1]], "either": True, "flag": True})
    assert (made.whole, made.real, made.listed, made.either, made.flag) == (0, 1.0, (0, 1), True, True)


NUMBERS = [
    (kind, name, field)
    for kind in KINDS
    for name, part in registered(kind).items()
    for field, info in part.model_fields.items()
    if info.annotation in (int, float, int | None, float | None)
]


def test_there_are_many() -> None:
    assert len(NUMBERS) > 100


@pytest.mark.parametrize(("kind", "name", "field"), NUMBERS)
def test_every_part_refuses_booleans(kind: str, name: str, field: str) -> None:
    part: type[Part] = registered(kind)[name]
    for value in (True, False):
        with pytest.raises(ValidationError) as caught:
            part.model_validate({field: value})
        assert any("number, found" in issue["msg"] and issue["loc"] == (field,) for issue in caught.value.errors())


@pytest.mark.parametrize("model", [Recipe, EncoderSpec])
def test_recipes_and_encoders_refuse_them(model: type[BaseModel]) -> None:
    needed = {"model": "a"} if model is EncoderSpec else {}
    for field, info in model.model_fields.items():
        if info.annotation in (int, float, int | None, float | None):
            assert TypeAdapter(info.annotation).validate_python(True) == 1  # what pydantic makes of it
            with pytest.raises(ValidationError, match="number, found true"):
                model.model_validate({**needed, field: True})


GRID = """name: g
collection: helpdesk
encoder: all-MiniLM-L6-v2
methods: [random]
"""


@pytest.mark.parametrize(
    ("line", "assignments", "told"),
    [
        ("seeds: [0, true]", (), "g.yaml:5: seeds: expected a whole number, found true"),
        ("negatives: true", (), "g.yaml:5: negatives: expected a whole number, found true"),
        ("train: {epochs: true}", (), "g.yaml:5: train.epochs: expected a whole number, found true"),
        ("equivalent_within: true", (), "g.yaml:5: equivalent_within: expected a number, found true"),
        ("axes: {train.learning_rate: [0.1, true]}", (), "learning_rate.1: expected a number, found true"),
        ("", ("train.warmup=false",), "--set train.warmup: expected a number, found false"),
        ("", ("methods=['simans(a=true)']",), "expected a number, found true"),
        ("", ("methods=[{bm25: {candidates.k1: true}}]",), "expected a number, found true"),
        ("", ("methods=['random(negatives=true)']",), "expected a whole number, found true"),
    ],
)
def test_grids_refuse_them_in_one_line(tmp_path: Path, line: str, assignments: tuple[str, ...], told: str) -> None:
    (tmp_path / "g.yaml").write_text(GRID + line + "\n")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "g.yaml", assignments)
    assert "\n" not in str(caught.value)
    assert told in str(caught.value)


def test_spellings_refuse_them(tmp_path: Path, negbench: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="expected a whole number, found true"):
        source_of("helpdesk(articles=true)")
    said = negbench("evaluate", "--encoder", "bm25(b=true)", "--collection", "helpdesk", cwd=tmp_path)
    assert (said.code, said.err) == (2, "negbench: --encoder bm25(b=true): b: expected a number, found true\n")
