from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator
from typing import ClassVar, get_args

import annotated_types
import pytest
from example_parts import required
from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from negbench import registry, spelling
from negbench.config.grid import Settings
from negbench.encoders.spec import EncoderSpec
from negbench.registry import KINDS, Part, lookup, registered, unknown
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.training.recipe import Recipe
from negbench.types import CandidatePool, Draw

PARTS = [part for kind in KINDS for part in registered(kind).values()]
DESCRIBED: list[type[BaseModel]] = [
    *(version for part in PARTS for version in (part, *registry.earlier(part.kind, part.name).values())),
    *(Settings, Recipe, EncoderSpec),
]
DEFAULT = [part for part in PARTS if not any(field.is_required() for field in part.model_fields.values())]


def kind_of(part: type[Part]) -> type[Part]:
    """The abstract class above a part: what YAML is validated as."""
    return next(base for base in part.__mro__[1:] if issubclass(base, Part) and "kind" in base.__dict__)


def outside(field: FieldInfo) -> Iterator[float]:
    """The numbers just outside of each bound that the field declares."""
    whole = int in (field.annotation, *get_args(field.annotation))
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge=limit):
                yield limit - 1 if whole else math.nextafter(limit, -math.inf)
            case annotated_types.Le(le=limit):
                yield limit + 1 if whole else math.nextafter(limit, math.inf)
            case annotated_types.Gt(gt=limit) | annotated_types.Lt(lt=limit):
                yield limit


def inside(field: FieldInfo) -> Iterator[float]:
    """The declared bounds that belong to the range themselves."""
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge=limit) | annotated_types.Le(le=limit):
                yield limit


BOUNDED = [
    pytest.param(part, name, value, id=f"{part.name}-{name}={value}")
    for part in PARTS
    for name, field in part.model_fields.items()
    for value in outside(field)
]


def test_the_suite_sees_every_kind() -> None:
    assert {part.kind for part in PARTS} == set(KINDS)
    assert len(BOUNDED) > 20
    assert {"simans", "beir", "infonce"} <= {part.name for part in PARTS}


@pytest.mark.parametrize("part", DEFAULT, ids=lambda part: f"{part.kind}:{part.name}")
def test_a_part_is_its_name_and_parses_back(part: type[Part]) -> None:
    kind = kind_of(part)
    assert part().spelling == part.name
    assert str(part()) == part.name
    assert kind.model_validate(part.name) == part()
    assert kind.model_validate({part.name: None}) == part()
    assert kind.model_validate(part()) == part()
    assert type(kind.model_validate(part.name)) is part


@pytest.mark.parametrize("part", [part for part in PARTS if part not in DEFAULT], ids=lambda part: part.name)
def test_a_part_that_needs_a_parameter_parses_back(part: type[Part]) -> None:
    kind = kind_of(part)
    made = part.model_validate(required(part))
    assert kind.model_validate(made.spelling) == made
    assert made.spelling == spelling.write(part.name, required(part))
    with pytest.raises(ValidationError, match="Field required"):
        kind.model_validate(part.name)


@pytest.mark.parametrize("part", DEFAULT, ids=lambda part: f"{part.kind}:{part.name}")
def test_every_changed_parameter_parses_back(part: type[Part]) -> None:
    changed = 0
    for name, field in part.model_fields.items():
        for value in (*inside(field), *get_args(field.annotation), True, False, 3, 0.25, "a b, (c)", [3]):
            try:
                other = part.model_validate({name: value})
            except ValidationError:
                continue
            assert kind_of(part).model_validate(other.spelling) == other
            assert (other.spelling == part.name) == (other == part())
            assert json.dumps(kind_of(part).model_validate(other.spelling).identity()) == json.dumps(other.identity())
            changed += other != part()
    plain = [
        it
        for it in part.model_fields.values()
        if not (isinstance(it.annotation, type) and issubclass(it.annotation, Part))
    ]
    assert changed >= len(plain) - 1  # a teacher may take none of these values, all others do


@pytest.mark.parametrize("part", DEFAULT, ids=lambda part: f"{part.kind}:{part.name}")
def test_identity_is_plain_json_and_the_same_however_the_part_was_made(part: type[Part]) -> None:
    text = json.dumps(part().identity(), sort_keys=True, allow_nan=False)
    assert json.loads(text) == part().identity()
    # a default that validation would turn into another type (1 into 1.0) would have two identities
    spelled = part.model_validate(part().parameters)
    assert json.dumps(spelled.identity(), sort_keys=True) == text
    counted, deciding = part().identity()["parameters"].keys(), part.model_fields.keys() - part.incidental
    says_itself = part.identity is not Part.identity  # which parameters do not matter beside the others' defaults
    assert counted < deciding if says_itself else counted == deciding
    assert part.incidental <= part.model_fields.keys()
    assert [part().identity()[key] for key in ("kind", "name", "version")] == [part.kind, part.name, part.version]


def test_names_are_unique_within_a_kind_and_can_be_spelled() -> None:
    for kind in KINDS:
        for name, part in registered(kind).items():
            assert part.name == name
            assert re.fullmatch(r"[a-z][a-z0-9_-]*", name)
            assert lookup(kind, name) is part
    assert len({(part.kind, part.name) for part in PARTS}) == len(PARTS)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.kind}:{part.name}")
def test_a_part_has_a_summary(part: type[Part]) -> None:
    assert len(part.summary()) > 15
    assert "\n" not in part.summary()


@pytest.mark.parametrize("model", DESCRIBED, ids=lambda model: model.__qualname__)
def test_every_parameter_has_a_description(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        text = field.description or ""
        assert len(text.split()) >= 3, f"{model.__qualname__}.{name} = Field(..., description=...) needs a phrase"
        assert "  " not in text
        assert text == text.strip()
        assert not words(text) <= words(name) | {"the", "a", "an", "of"}, f"{model.__qualname__}.{name}: {text!r}"


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower().replace("_", " ")))


@pytest.mark.parametrize(("part", "name", "value"), BOUNDED)
def test_a_value_just_outside_of_its_bounds_is_refused_by_name(part: type[Part], name: str, value: float) -> None:
    for made in (part, kind_of(part)):
        given = {**required(part), name: value}
        with pytest.raises(ValidationError) as caught:
            made.model_validate(given if made is part else {part.name: given})
        assert [issue["loc"][-1] for issue in caught.value.errors()] == [name]


@pytest.mark.parametrize("part", DEFAULT, ids=lambda part: f"{part.kind}:{part.name}")
def test_the_bounds_themselves_are_allowed(part: type[Part]) -> None:
    for name, field in part.model_fields.items():
        for value in inside(field):
            try:
                part.model_validate({name: value})
            except ValidationError as error:  # rules between parameters may still object, the bound may not
                assert [issue["type"] for issue in error.errors()] == ["value_error"]  # noqa: PT017


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_numbers_are_finite(value: str) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Sampler.model_validate(f"simans(b={value})")


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("sampler", "siman", "no sampler is called 'siman'; did you mean simans"),
        ("retriever", "dnese", "no retriever is called 'dnese'; did you mean dense?"),
        ("filter", "zzz", f"no filter is called 'zzz'; known: {', '.join(sorted(registered('filter')))}"),
    ],
)
def test_an_unknown_name_gives_the_nearest_or_all(kind: str, name: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        lookup(kind, name)
    assert str(caught.value).startswith(hint)
    with pytest.raises(ValidationError, match=re.escape(hint)):
        kind_of(next(iter(registered(kind).values()))).model_validate(name)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lr", ["lora", "learning_rate"], "did you mean learning_rate?"),
        ("max_seq_length", ["max_length", "model"], "did you mean max_length?"),
        ("lr", ["lora", "model"], "did you mean lora?"),
    ],
)
def test_what_other_tools_call_a_key_is_known_where_there_is_the_key(name: str, known: list[str], hint: str) -> None:
    assert unknown("key", name, known) == f"no key is called {name!r}; {hint}"


def test_an_unknown_parameter_gives_the_nearest_or_all() -> None:
    with pytest.raises(ValidationError, match="no parameter of simans is called 'dept'; did you mean depth"):
        Sampler.model_validate("simans(dept=3)")
    with pytest.raises(ValidationError, match="no parameter of top is called 'zzz'; known: depth"):
        Sampler.model_validate({"top": {"zzz": 3}})


@pytest.mark.parametrize("value", [None, 3, [], "two words", {"top": {}, "uniform": {}}])
def test_what_is_no_part_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="expected a name"):
        Sampler.model_validate(value)


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        Sampler.model_validate(registered("retriever")["dense"]())
    with pytest.raises(ValidationError, match="no sampler is called 'dense'"):
        Sampler.model_validate("dense")


def test_parts_are_frozen_and_equal_by_value() -> None:
    simans = Sampler.model_validate("simans(a=1)")
    with pytest.raises(ValidationError, match="frozen"):
        simans.a = 2.0  # type: ignore[attr-defined]
    assert simans == Sampler.model_validate({"simans": {"a": 1.0, "depth": 100}})
    assert hash(simans) == hash(Sampler.model_validate("simans(a=1.0)"))
    assert simans != Sampler.model_validate("simans(a=2)")


@pytest.fixture
def samplers(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Part]]:
    """A copy of the samplers' registry that is dropped after the test."""
    registered("sampler")
    copy = dict(registry._REGISTRY["sampler"])
    monkeypatch.setitem(registry._REGISTRY, "sampler", copy)
    return copy


def last_sampler(called: str = "last") -> type[Sampler]:
    class Last(Sampler):
        """The last candidates."""

        name: ClassVar[str] = called
        share: float = Field(default=0.5, ge=0, le=1)

        def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
            raise NotImplementedError

    return Last


def test_subclassing_a_kind_registers(samplers: dict[str, type[Part]]) -> None:
    made = last_sampler()
    assert registered("sampler")["last"] is made
    assert list(registered("sampler")) == sorted(samplers)
    assert Sampler.model_validate("last(share=0.25)") == made(share=0.25)  # type: ignore[call-arg]
    assert made(share=0.25).identity() == {  # type: ignore[call-arg]
        "kind": "sampler",
        "name": "last",
        "version": 1,
        "parameters": {"share": 0.25},
    }
    assert made.summary() == "The last candidates."
    assert "last" not in registered("filter")


def test_two_parts_of_one_name_are_refused(samplers: dict[str, type[Part]]) -> None:
    before = samplers["top"]
    with pytest.raises(TypeError, match=r"two samplers are named 'top': negbench\.samplers\.top and .*test_registry"):
        last_sampler("top")
    assert samplers["top"] is before


def test_an_earlier_version_of_a_part_is_spelled_by_its_number(
    samplers: dict[str, type[Part]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._EARLIER, "sampler", {})

    class First(last_sampler("last")):  # type: ignore[misc]
        """The last candidates, as they were."""

        name: ClassVar[str] = "last"
        version: ClassVar[int] = 0
        superseded: ClassVar[bool] = True
        half: bool = False

    assert registered("sampler")["last"] is not First
    assert registry.earlier("sampler", "last") == {0: First}
    made = Sampler.model_validate("last(version=0, half=true)")
    assert (type(made), made.spelling) == (First, "last(version=0, half=true)")
    assert made.identity()["version"] == 0
    assert "version" not in made.identity()["parameters"]
    assert Sampler.model_validate("last(version=1, share=0.25)").spelling == "last(share=0.25)"
    assert Sampler.model_validate({"last": {"version": 0}}).spelling == "last(version=0)"
    with pytest.raises(ValidationError, match="version: last has versions 0 and 1, found False"):
        Sampler.model_validate("last(version=false)")
    with pytest.raises(ValidationError, match="no parameter of last is called 'half'"):
        Sampler.model_validate("last(half=true)")


def test_the_same_part_may_be_defined_again(samplers: dict[str, type[Part]]) -> None:
    """A module that is loaded twice is no clash."""
    module = importlib.import_module("negbench.samplers.top")
    try:
        importlib.reload(module)
    finally:
        module.Top = samplers["top"]  # type: ignore[attr-defined]
    assert lookup("sampler", "top") is samplers["top"]


def test_a_part_within_a_part_keeps_its_identity_and_spelling() -> None:
    denoise = registry.lookup("filter", "denoise")
    text = "denoise(depth=7, teacher=trained-cross-encoder(folds=3, learning_rate=0.001))"
    made = kind_of(denoise).model_validate(text)
    assert made.spelling == text
    inner = made.identity()["parameters"]["teacher"]
    assert (inner["kind"], inner["name"], inner["parameters"]["folds"]) == ("teacher", "trained-cross-encoder", 3)
    changed = kind_of(denoise).model_validate(text.replace("folds=3", "folds=4"))
    assert changed.identity() != made.identity()
