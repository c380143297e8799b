"""A grid: what a YAML file asks for, typed."""

from __future__ import annotations

import contextlib
import copy
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
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
from negbench.collections.resolve import paths_beside, source_of
from negbench.config import axes
from negbench.config.choice import Choice
from negbench.config.collection_axis import AXIS, KEY, NAME
from negbench.config.document import Document, place
from negbench.config.further import FurtherCollection
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError, plainly
from negbench.evaluation import ranking
from negbench.evaluation.false_negatives import READINGS, Estimator, every
from negbench.methods import Method, resolve
from negbench.numbers import not_booleans
from negbench.registry import OTHER_TOOLS, unknown
from negbench.repair import Repair
from negbench.teachers import Teacher
from negbench.training.lora import LoRA
from negbench.training.max_length import MaxLength
from negbench.training.recipe import Recipe


def _measure(spelling: Any) -> Any:
    if isinstance(spelling, str):
        ranking.parse(spelling)
    return spelling


class Settings(BaseModel):
    """One point of a grid's axes: its keys, with the values that hold there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    name: str = Field(description="Name of the results' folder.")
    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description=(
            "Collection to train and evaluate on: `helpdesk`, a folder, a file of pairs, a name under NEGBENCH_DATA, "
            "`hub:ID` or `ir_datasets:ID`."
        )
    )
    encoder: EncoderSpec = Field(
        description="Encoder that all methods start from: a hub id, folder or offline name, or a mapping."
    )
    methods: tuple[Annotated[Method, BeforeValidator(resolve)], ...] = Field(
        min_length=1,
        description=(
            "Methods to compare, by name and with overrides; `negbench methods` lists them. `{METHOD: {...}, name: "
            "TEXT}` names its row in the tables."
        ),
    )
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(
        default=(0,), min_length=1, description="Seeds; each method is trained once per seed."
    )
    negatives: int = Field(default=1, ge=1, le=1000, description="Mined negatives per training row.")
    train: Recipe = Field(default=Recipe(), description="Training recipe of all methods.")
    baseline: str | None = Field(default=None, description="Method that the others are compared with.")
    measures: tuple[Annotated[str, BeforeValidator(_measure)], ...] = Field(
        default=ranking.DEFAULT,
        min_length=1,
        description="Measures that ir-measures knows; methods are compared by the first.",
    )
    split: str = Field(default="test", description="Split that encoders are evaluated on.")
    equivalent_within: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Largest difference of the first measure that does not matter, for the equivalence test.",
    )
    warm_up: Recipe | None = Field(
        default=None,
        description=(
            "Recipe of a training with in-batch negatives before all methods; keys that are missing are those of "
            "`train`."
        ),
    )
    evaluate_on: tuple[FurtherCollection, ...] = Field(
        default=(),
        description=(
            "Further collections that every encoder is evaluated on; `{collection: NAME, query_prompt: TEXT, "
            "document_prompt: TEXT}` changes the prompts of one."
        ),
    )
    curve_points: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Number of evaluations on dev during a training, over a part of the corpus.",
    )
    teacher: Teacher | None = Field(
        default=None,
        description="Teacher of filters, samplers, label rules and losses where a method does not name one.",
    )
    judge: Teacher | None = Field(
        default=None,
        description="Teacher that scores the mined negatives for evaluation alone, and chose none of them.",
    )
    held_out: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description=(
            "Share of the labels that is hidden to mine again and count how many hidden positives come back; null "
            "for none."
        ),
    )
    estimators: tuple[Estimator, ...] = Field(
        default_factory=every,
        min_length=1,
        validate_default=True,
        description="Estimators of the false-negative rate; all of them by default.",
    )
    gradient: bool = Field(
        default=False,
        description=(
            "Whether to measure the share of the loss's gradient on false negatives; encodes the training queries "
            "once more."
        ),
    )
    equal_texts: Literal["known", "unlabelled"] = Field(
        default="known",
        description=(
            "Whether a document with a labelled positive's own text is a `known` positive or stays `unlabelled`."
        ),
    )
    vectors: Literal["auto", "float16"] = Field(
        default="auto",
        description=(
            "Storage of vectors: `auto` in float16 where they are computed in bfloat16, else in float32; `float16` "
            "always, in half the space of float32."
        ),
    )
    repair: Repair | None = Field(
        default=None,
        description="Repair of the false negatives of every method that mines, by the truth; for experiments alone.",
    )

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
        called = [value.label if isinstance(value, Method) else value for value in values]
        for listed in (names, called):
            if twice := [name for position, name in enumerate(listed) if name in listed[:position]]:
                raise ValueError(f"{twice[0]} is given twice; keep one")
        return values

    @field_validator("estimators")
    @classmethod
    def _one_of_a_name_that_reads_what_there_is(cls, estimators: tuple[Estimator, ...]) -> tuple[Estimator, ...]:
        names = [estimator.name for estimator in estimators]
        if twice := [name for position, name in enumerate(names) if name in names[:position]]:
            raise ValueError(f"{twice[0]} is given twice, and a table has one place for its rate; keep one")
        for estimator in estimators:
            if missing := sorted(set(estimator.reads) - set(READINGS)):
                known = " and ".join(READINGS)
                raise ValueError(
                    f"{estimator.name} reads {missing[0]}, which no grid can give; choose one that reads {known}"
                )
        return estimators

    @field_validator("judge")
    @classmethod
    def _comes_as_it_is(cls, judge: Teacher | None) -> Teacher | None:
        if judge is not None and judge.training_folds:
            raise ValueError(
                f"{judge.name} is trained on this collection's labels; a judge must be a given model: give one such as "
                "cross-encoder or llm"
            )
        if judge is not None and judge.listwise:
            raise ValueError(f"{judge.name} ranks a query's passages, and a judge scores each by itself; give ensemble")
        return judge

    @field_validator("baseline")
    @classmethod
    def _is_a_method(cls, baseline: str | None, info: ValidationInfo) -> str | None:
        if baseline is None or "methods" not in info.data:  # these have an error of their own
            return baseline
        known: dict[str, str] = {method.spelling: method.label for method in info.data["methods"]}
        if baseline in known.values():
            return baseline
        canonical = resolve(baseline).spelling
        if canonical not in known:
            raise ValueError(f"{baseline} is not one of the methods; expected one of {', '.join(known.values())}")
        return known[canonical]


class Grid(BaseModel):
    """A validated grid: the settings at every point of its axes (one point where it has none).

    ``text`` is the file's, ``assignments`` what was changed in it. Relative paths of collections start from ``folder``,
    that of the file, None where the grid is no file; ``notes`` are sentences on paths that do not. ``places`` has the
    file, line and key at which each collection, encoder and teacher is named, by its spelling.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    text: str
    assignments: tuple[str, ...]
    points: tuple[tuple[dict[str, Any], Settings], ...]
    folder: str | None = None
    notes: tuple[str, ...] = ()
    places: dict[str, str] = {}

    @contextlib.contextmanager
    def located(self, *names: str) -> Iterator[None]:
        """Let an InputError inside begin with the place of the first of ``names`` that has one, unless it has one."""
        try:
            yield
        except InputError as error:
            places = [self.places[name] for name in names if name in self.places]
            if not places or str(error).startswith(tuple(self.places.values())):
                raise
            raise InputError(f"{places[0]}: {error}") from error


def read(source: Path | Mapping[str, Any], assignments: Sequence[str] = ()) -> Grid:
    """Read a grid file, the manifest of a run, or a mapping; apply ``--set`` assignments, and validate every point.

    Relative paths of collections start from the file's folder, those of assignments from the working directory.
    Raises InputError whose message has one line an error: file, line, key, what is wrong.
    """
    document = Document.read(source) if isinstance(source, Path) else Document.of(source)
    for assignment in assignments:
        document.set(assignment)
    if document.folder is None:
        return _validated(document)
    with paths_beside(document.folder, document.assignments) as notes:
        grid = _validated(document)
    return grid.model_copy(update={"folder": document.folder.as_posix(), "notes": tuple(dict.fromkeys(notes))})


def _validated(document: Document) -> Grid:
    varied = axes.read(document, Settings.model_fields)
    plain = {key: value for key, value in document.data.items() if key not in ("axes", KEY)}
    points: list[tuple[dict[str, Any], Settings]] = []
    chosen_first: dict[str, Sequence[Choice]] = {}  # by what pydantic writes of the settings, which cannot be hashed
    errors: list[str] = []
    named: dict[str, str] = {}
    for chosen in itertools.product(*varied.values()):
        data = copy.deepcopy(plain)
        places: dict[str, list[str | int]] = {}
        for axis, choice in zip(varied, chosen, strict=True):
            places |= choice.places
            for key, value in choice.sets.items():
                if axis == AXIS:
                    _open_encoder(data, key)
                place(data, key, copy.deepcopy(value), document.where(choice.places[key]))
        try:
            settings = Settings.model_validate(data)
        except ValidationError as error:
            issues = [issue for issue in error.errors() if not (issue["type"] == "too_short" and issue["input"])]
            errors += [_explain(document, places, issue) for issue in issues]  # a list with bad entries is not empty
        else:
            if (before := chosen_first.setdefault(repr(settings), chosen)) is not chosen:
                raise axes.repeated(document, varied, before, chosen)
            points.append(({axis: choice.label for axis, choice in zip(varied, chosen, strict=True)}, settings))
            for spelling, location in _named_things(settings).items():
                named.setdefault(spelling, document.where(_in_file(location, places)))
    if errors:
        raise InputError(*errors)
    changed = tuple(document.assignments)
    return Grid(name=points[0][1].name, text=document.text, assignments=changed, points=tuple(points), places=named)


def _named_things(settings: Settings) -> dict[str, list[str | int]]:
    """Return where a point names what lies in files or on the hub: collections, the encoder, teachers, by spelling.

    Of what a method names itself there is the place of the method, by the name of its row.
    """
    found: dict[str, list[str | int]] = {
        settings.collection.spelling: ["collection"],
        settings.encoder.spelling: ["encoder"],
    }
    for position, further in enumerate(settings.evaluate_on):
        found.setdefault(further.collection.spelling, ["evaluate_on", position])
    for key, teacher in (("teacher", settings.teacher), ("judge", settings.judge)):
        if teacher is not None:
            found.setdefault(teacher.spelling, [key])
    for position, method in enumerate(settings.methods):
        found.setdefault(method.label, ["methods", position])
    return found


def _open_encoder(data: dict[str, Any], key: str) -> None:
    """Write an encoder's text as a mapping, in place, so that a collection can set ``key`` of it, such as a prompt."""
    if key.startswith("encoder.") and isinstance(data.get("encoder"), str):
        with contextlib.suppress(ValidationError, ValueError):
            spec = EncoderSpec.model_validate(data["encoder"])
            data["encoder"] = spec.model_dump(mode="json", exclude_defaults=True)


def origin(source: Path | Mapping[str, Any]) -> str:
    """Return how messages call a grid: by its path, or ``grid`` where it is a mapping."""
    return str(source) if isinstance(source, Path) else "grid"


def _explain(document: Document, places: dict[str, list[str | int]], issue: Any) -> str:
    location = [step for step in issue["loc"] if not str(step).startswith("function-")]
    key = ".".join(map(str, location))
    message = plainly(issue).removeprefix(f"{key}: ").removeprefix(f"{key} ")
    models: dict[tuple[str | int, ...], type[BaseModel]] = {
        (): Settings,
        ("train",): Recipe,
        ("warm_up",): Recipe,
        ("encoder",): EncoderSpec,
        ("train", "lora"): LoRA,
        ("train", "max_length"): MaxLength,
    }  # an encoder may stand in a method's candidates, too
    model = EncoderSpec if location[-2:-1] == ["encoder"] else models.get(tuple(location[:-1]))
    if location[:1] == ["evaluate_on"] and len(location) == 3:
        model = FurtherCollection
    if issue["type"] == "extra_forbidden" and model:
        known = [*model.model_fields, *(["axes", KEY] if model is Settings else [])]
        name = str(location[-1])
        meant = OTHER_TOOLS.get(name, name)
        elsewhere = (
            []
            if meant in model.model_fields
            else [
                str(path[0])
                for path, other in models.items()
                if path and path != ("warm_up",) and meant in other.model_fields
            ]
        )
        subject = "it" if meant == name else meant
        near = f"no key is called {name!r} here; {subject} is a key of {' and of '.join(elsewhere)}: put it there"
        message = near if elsewhere and model is not FurtherCollection else unknown("key", name, known)
    elif key == "seeds" and type(issue["input"]) is int:
        message += f"; write `seeds: [{issue['input']}]` for this seed alone, or `seeds: [0, 1, 2]` for three"
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
