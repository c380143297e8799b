"""A grid: what a YAML file asks for, typed."""

from __future__ import annotations

import copy
import difflib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.config.document import Document, place
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import Method, resolve
from negbench.training.recipe import Recipe


class Settings(BaseModel):
    """One point of a grid's axes: everything but the methods' and seeds' product.

    name: names the results. collection: ``helpdesk``, a folder, a name under NEGBENCH_DATA, ``hub:ID`` or
    ``ir_datasets:ID``. encoder: a hub id, folder or offline name, or a mapping. methods: names, as ``negbench
    methods`` lists them, with overrides. seeds: one trial each. negatives: mined negatives a training row. train: the
    recipe. baseline: the method that the others are compared with. measures: anything ir-measures knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    collection: Annotated[Source, BeforeValidator(source_of)]
    encoder: EncoderSpec
    methods: tuple[Annotated[Method, BeforeValidator(resolve)], ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    negatives: int = Field(default=1, ge=1, le=1000)
    train: Recipe = Recipe()
    baseline: str | None = None
    measures: tuple[str, ...] = Field(default=("nDCG@10", "RR@10", "R@100", "AP", "Judged@10"), min_length=1)
    split: str = "test"

    @field_validator("seeds", "methods")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [value.spelling if isinstance(value, Method) else value for value in values]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return values

    @model_validator(mode="after")
    def _baseline_is_there(self) -> Settings:
        if self.baseline is not None:
            known = [method.spelling for method in self.methods]
            if self.baseline not in known:
                raise ValueError(f"baseline {self.baseline!r} is none of the methods: {', '.join(known)}")
        return self


class Grid(BaseModel):
    """A validated grid: the settings at every point of its axes (one point where it has none)."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    points: tuple[tuple[dict[str, Any], Settings], ...]


def read(path: Path, assignments: Sequence[str] = ()) -> Grid:
    """Read a grid file, apply ``--set`` assignments, and validate every point.

    Raises InputError whose message has one line an error: file, line, key, what is wrong.
    """
    document = Document.read(path)
    for assignment in assignments:
        document.set(assignment)
    axes = document.data.get("axes") or {}
    if not isinstance(axes, dict) or not all(isinstance(values, list) and values for values in axes.values()):
        raise InputError(f"{document.where(['axes'])}: expected a mapping from dotted keys to lists of values")
    plain = {key: value for key, value in document.data.items() if key != "axes"}
    points = []
    for values in itertools.product(*axes.values()):
        at_point = dict(zip(axes, values, strict=True))
        data = copy.deepcopy(plain)
        for key, value in at_point.items():
            place(data, key, value, f"{document.where(['axes', key])}")
        try:
            points.append((at_point, Settings.model_validate(data)))
        except ValidationError as error:
            lines = list(dict.fromkeys(_explain(document, at_point, issue) for issue in error.errors()))
            raise InputError("\n".join(lines)) from error
    return Grid(name=points[0][1].name, path=str(path), points=tuple(points))


def _explain(document: Document, at_point: dict[str, Any], issue: Any) -> str:
    location = [step for step in issue["loc"] if not str(step).startswith("function-")]
    dotted = ".".join(map(str, location))
    place_of = document.where(["axes", dotted] if dotted in at_point else location)
    message = issue["msg"].removeprefix("Value error, ")
    if issue["type"] == "extra_forbidden":
        model = Recipe if location[:1] == ["train"] else EncoderSpec if location[:1] == ["encoder"] else Settings
        known = [*model.model_fields, *(["axes"] if model is Settings else [])]
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        message = f"no such key; {f'did you mean {near[0]}?' if near else 'known: ' + ', '.join(known)}"
    elif issue["type"] == "missing":
        message = "is missing; name, collection, encoder and methods are needed"
    else:
        shown = issue.get("input")
        if isinstance(shown, str | int | float) and repr(shown) not in message:
            message += f" (found {shown!r})"
    return f"{place_of}: {message}"
