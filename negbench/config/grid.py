"""A grid: what a YAML file asks for, typed."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.config import axes
from negbench.config.document import Document, place
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError, plainly
from negbench.evaluation import ranking
from negbench.evaluation.false_negatives import Estimator, every
from negbench.methods import Method, resolve
from negbench.numbers import not_booleans
from negbench.parts import unknown
from negbench.repair import Repair
from negbench.teachers import Teacher
from negbench.training.recipe import Recipe


def _measure(spelling: Any) -> Any:
    if isinstance(spelling, str):
        ranking.parse(spelling)
    return spelling


NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a grid's name looks like: it names a folder."""


class Settings(BaseModel):
    """One point of a grid's axes: everything but the methods' and seeds' product.

    name: names the results. collection: ``helpdesk``, a folder, a name under NEGBENCH_DATA, ``hub:ID`` or
    ``ir_datasets:ID``. encoder: a hub id, folder or offline name, or a mapping. methods: names, as ``negbench
    methods`` lists them, with overrides. seeds: one trial each. negatives: mined negatives a training row. train: the
    recipe. baseline: the method that the others are compared with. measures: anything ir-measures knows; the first is
    the one that methods are compared by. equivalent_within: the difference that is too small to matter. warm_up: a
    training with in-batch negatives that comes first; all methods mine and train from where it ends; what it does not
    say is as in train. evaluate_on: further collections that every encoder is measured on. curve_points: how often a
    training is measured on dev as it goes, on a part of the corpus. teacher: whom filters, samplers and label rules
    ask where a method does not say. judge: who is asked about the mined negatives, and chose none of them. held_out:
    hide so large a share of the labels, mine again, and count how many hidden positives come back. estimators: of the
    false-negative rate; all of them by default. gradient: also
    tell which part of the loss's gradient falls on false negatives, by the truth; encodes the training queries once
    more a training. equal_texts: whether a document with a labelled positive's own text, under another id, is ``known``
    as a positive in mining and training, or ``unlabelled`` as the labels have it. repair: what is done, by the truth,
    about the false negatives of every method that mines; for experiments, since no way of mining knows the truth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    name: str
    collection: Annotated[Source, BeforeValidator(source_of)]
    encoder: EncoderSpec
    methods: tuple[Annotated[Method, BeforeValidator(resolve)], ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    negatives: int = Field(default=1, ge=1, le=1000)
    train: Recipe = Recipe()
    baseline: str | None = None
    measures: tuple[Annotated[str, BeforeValidator(_measure)], ...] = Field(default=ranking.DEFAULT, min_length=1)
    split: str = "test"
    equivalent_within: float = Field(default=0.01, gt=0, le=1)
    warm_up: Recipe | None = None
    evaluate_on: tuple[Annotated[Source, BeforeValidator(source_of)], ...] = ()
    curve_points: int = Field(default=0, ge=0, le=100)
    teacher: Teacher | None = None
    judge: Teacher | None = None
    held_out: float | None = Field(default=None, gt=0, lt=1)
    estimators: tuple[Estimator, ...] = Field(default_factory=every, min_length=1)
    gradient: bool = False
    equal_texts: Literal["known", "unlabelled"] = "known"
    repair: Repair | None = None

    @model_validator(mode="before")
    @classmethod
    def _warm_up_follows_train(cls, data: Any) -> Any:
        """Fill in what ``warm_up`` does not say from ``train``."""
        if not (isinstance(data, dict) and isinstance(data.get("warm_up"), dict)):
            return data
        train = data.get("train")
        return {**data, "warm_up": {**(train if isinstance(train, dict) else {}), **data["warm_up"]}}

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(NAME, name):
            raise ValueError(
                f"expected letters, digits, '.', '_' and '-', found {name!r}; results go to a folder so named"
            )
        return name

    @field_validator("seeds", "methods", "measures")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [value.spelling if isinstance(value, Method) else value for value in values]
        if twice := [name for at, name in enumerate(names) if name in names[:at]]:
            raise ValueError(f"{twice[0]} stands there twice; keep one")
        return values

    @field_validator("estimators")
    @classmethod
    def _one_of_a_name(cls, estimators: tuple[Estimator, ...]) -> tuple[Estimator, ...]:
        names = [estimator.name for estimator in estimators]
        if twice := [name for at, name in enumerate(names) if name in names[:at]]:
            raise ValueError(f"{twice[0]} stands there twice, and its rates have one name; keep one")
        return estimators

    @field_validator("judge")
    @classmethod
    def _comes_as_it_is(cls, judge: Teacher | None) -> Teacher | None:
        if judge is not None and judge.training_folds:
            raise ValueError(
                f"{judge.name} is trained on the labels at hand; a judge comes as it is: cross-encoder, llm"
            )
        return judge

    @field_validator("baseline")
    @classmethod
    def _is_a_method(cls, baseline: str | None, info: ValidationInfo) -> str | None:
        if baseline is None or "methods" not in info.data:  # these have an error of their own
            return baseline
        known = [method.spelling for method in info.data["methods"]]
        canonical = resolve(baseline).spelling
        if canonical not in known:
            raise ValueError(f"{baseline} is none of the methods; expected one of {', '.join(known)}")
        return canonical


class Grid(BaseModel):
    """A validated grid: the settings at every point of its axes (one point where it has none).

    ``text`` is the file's, ``assignments`` what was changed in it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    text: str
    assignments: tuple[str, ...]
    points: tuple[tuple[dict[str, Any], Settings], ...]


def read(path: Path, assignments: Sequence[str] = ()) -> Grid:
    """Read a grid file, or the manifest of a run, apply ``--set`` assignments, and validate every point.

    Raises InputError whose message has one line an error: file, line, key, what is wrong.
    """
    document = Document.read(path)
    for assignment in assignments:
        document.set(assignment)
    varied = axes.read(document, Settings.model_fields)
    plain = {key: value for key, value in document.data.items() if key != "axes"}
    points: list[tuple[dict[str, Any], Settings]] = []
    errors: list[str] = []
    for chosen in itertools.product(*varied.values()):
        data = copy.deepcopy(plain)
        places: dict[str, list[str | int]] = {}
        for choice in chosen:
            places |= choice.places
            for key, value in choice.sets.items():
                place(data, key, copy.deepcopy(value), document.where(choice.places[key]))
        try:
            settings = Settings.model_validate(data)
        except ValidationError as error:
            issues = [issue for issue in error.errors() if not (issue["type"] == "too_short" and issue["input"])]
            errors += [_explain(document, places, issue) for issue in issues]  # a list with bad entries is not empty
        else:
            points.append(({axis: choice.label for axis, choice in zip(varied, chosen, strict=True)}, settings))
    if errors:
        raise InputError("\n".join(dict.fromkeys(errors)))
    changed = tuple(document.assignments)
    return Grid(name=points[0][1].name, text=document.text, assignments=changed, points=tuple(points))


def _explain(document: Document, places: dict[str, list[str | int]], issue: Any) -> str:
    location = [step for step in issue["loc"] if not str(step).startswith("function-")]
    key = ".".join(map(str, location))
    message = plainly(issue).removeprefix(f"{key}: ").removeprefix(f"{key} ")
    models: dict[tuple[str | int, ...], type[BaseModel]] = {
        (): Settings,
        ("train",): Recipe,
        ("warm_up",): Recipe,
        ("encoder",): EncoderSpec,
    }
    if issue["type"] == "extra_forbidden" and (model := models.get(tuple(location[:-1]))):
        known = [*model.model_fields, *(["axes"] if model is Settings else [])]
        message = unknown("key", str(location[-1]), known)
    elif issue["type"] == "missing":
        needed = [name for name, field in Settings.model_fields.items() if field.is_required()]
        message += f"; a grid needs {', '.join(needed)}" if len(location) == 1 else "; add it"
    return f"{document.where(_in_file(location, places))}: {message}"


def _in_file(location: list[str | int], places: dict[str, list[str | int]]) -> list[str | int]:
    """Return where the file holds what a point has at ``location``: under ``axes``, if an axis put it there."""
    for key, where in places.items():
        steps = key.split(".")
        shared = min(len(steps), len(location))
        if shared and [str(step) for step in location[:shared]] == steps[:shared]:
            return [*where, *location[len(steps) :]]
    return location
