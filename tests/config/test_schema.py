from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from negbench.collections.helpdesk import Helpdesk
from negbench.config.grid import Settings, read
from negbench.config.schema import grid_schema
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import catalogue
from negbench.methods.axes import Axes
from negbench.registry import lookup, registered
from negbench.training.recipe import Recipe

jsonschema = pytest.importorskip("jsonschema")

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))

EXAMPLE = """\
name: example
collection: {beir: {path: data/scifact, truth: "extra/{split}.tsv"}}
encoder: {model: all-MiniLM-L6-v2, reinit_layers: 2, query_prompt: "query: "}
methods:
  - in-batch
  - "simans(a=0.5, depth=100)"
  - rank-band: {low: 10, candidates.depth: 300}
  - bm25: null
  - denoised: {teacher: {cross-encoder: {model: cross-encoder/ms-marco-MiniLM-L6-v2}}, loss: infonce}
seeds: [0, 1]
negatives: 2
train: {epochs: 1, learning_rate: 1e-4, dropout: null, precision: bfloat16}
measures: [nDCG@10, R@100]
baseline: in-batch
split: dev
equivalent_within: 0.005
warm_up: {epochs: 2}
evaluate_on: [helpdesk, {beir: {path: data/nfcorpus}}]
curve_points: 4
teacher: "trained-cross-encoder(keep_layers=3, prior=0.05)"
judge: bi-encoder
held_out: 0.3
estimators: [exact, "held-out(frequency=0.3)", {propensity: {frequency: 0.3}}]
equal_texts: unlabelled
vectors: float16
gradient: true
repair: injected(rate=0.2)
axes: {train.batch_size: [16, 32], start: {weak: {encoder: a}, strong: {encoder: b, train.epochs: 2}}}
"""

SMALL: dict[str, Any] = {"name": "a", "collection": "helpdesk", "encoder": "some", "methods": ["in-batch", "random"]}


@cache
def validator() -> Any:
    return jsonschema.Draft202012Validator(grid_schema())


def problems(data: object) -> list[str]:
    return ["/".join(map(str, error.absolute_path)) for error in validator().iter_errors(data)]


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(grid_schema())
    assert json.loads(json.dumps(grid_schema())) == grid_schema()


def test_an_editor_shows_what_an_axis_is() -> None:
    """An axis is described where a method sets it."""
    schema = grid_schema()
    (methods,) = [one["properties"] for one in schema["properties"]["methods"]["items"]["anyOf"] if "properties" in one]
    for method in ("simans", "curriculum"):
        for axis, field in Axes.model_fields.items():
            assert methods[method]["properties"][axis] == {"$ref": f"#/$defs/{axis}"}
            assert schema["$defs"][axis]["description"] == field.description


def test_an_editor_completes_the_parts_of_an_axis_and_takes_those_of_packages() -> None:
    defined = grid_schema()["$defs"]
    for axis, kind in (("loss", "loss"), ("candidates", "retriever"), ("batching", "batching")):
        names, _, long_form, anything = defined[axis]["anyOf"]
        assert names == {"enum": list(registered(kind))}
        assert list(long_form["properties"]) == list(registered(kind))
        assert anything == {}
        for name, part in registered(kind).items():
            assert long_form["properties"][name]["description"] == part.summary()
    several, anything = defined["filters"]["anyOf"]
    assert several["items"]["anyOf"][0] == {"enum": list(registered("filter"))}
    assert anything == {}
    long_form = defined["loss"]["anyOf"][2]["properties"]["infonce"]["properties"]
    assert long_form["temperature"]["description"].startswith("Divisor of the scores")
    assert problems({**parsed(EXAMPLE), "methods": [{"naive": {"loss": "a-loss-of-a-package(a=1)"}}]}) == []


@pytest.mark.parametrize("key", ["teacher", "judge"])
def test_an_editor_completes_teachers_and_takes_those_of_packages(key: str) -> None:
    names, *_, anything = grid_schema()["properties"][key]["anyOf"]
    assert names == {"enum": list(registered("teacher"))}
    assert anything == {}
    assert problems({**parsed(EXAMPLE), key: "a-teacher-of-a-package(a=1)"}) == []


def described(*keys: str) -> str:
    """The description that an editor shows of a key of the grid, or of a key of a long form below it."""
    return next(_descriptions(grid_schema(), keys))


def _descriptions(schema: Any, keys: tuple[str, ...]) -> Iterator[str]:
    if not keys:
        yield schema["description"]
        return
    if keys[0] in schema.get("properties", {}):
        yield from _descriptions(schema["properties"][keys[0]], keys[1:])
    for form in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from _descriptions(form, keys)


def test_an_editor_shows_what_a_key_means() -> None:
    assert described("negatives") == Settings.model_fields["negatives"].description
    assert described("train", "epochs") == described("warm_up", "epochs") == Recipe.model_fields["epochs"].description
    assert described("encoder", "pooling") == EncoderSpec.model_fields["pooling"].description
    assert described("collection", "helpdesk", "paraphrase") == Helpdesk.model_fields["paraphrase"].description
    assert described("estimators", "judge", "few") == lookup("estimator", "judge").model_fields["few"].description


def test_an_editor_shows_what_a_methods_parameter_means() -> None:
    fields = lookup("sampler", "simans").model_fields
    assert (
        described("methods", "simans", "a") == described("methods", "simans", "selection.a") == fields["a"].description
    )
    assert described("methods", "simans", "depth") == fields["depth"].description  # an alias: candidates have one, too
    assert (
        described("methods", "simans", "temperature") == "One of selection.temperature, loss.temperature: write which."
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_grids_that_ship_fit(path: Path) -> None:
    assert problems(parsed(path.read_text())) == []


def test_an_example_of_every_key_fits_and_is_a_grid(tmp_path: Path) -> None:
    assert {*parsed(EXAMPLE), "collections"} == grid_schema()["properties"].keys()
    assert problems(parsed(EXAMPLE)) == []
    (tmp_path / "grid.yaml").write_text(EXAMPLE)
    assert len(read(tmp_path / "grid.yaml").points) == 4


def test_collections_side_by_side_fit_and_are_a_grid(tmp_path: Path) -> None:
    (line,) = [line for line in EXAMPLE.splitlines() if line.startswith("collection: ")]
    listed = "collections: [helpdesk, {source: helpdesk, version: 1}, {collection: helpdesk, name: a, train.epochs: 2}]"
    named = "collections: {a: helpdesk, helpdesk: null, b: {collection: helpdesk, split: dev}}"
    for instead in (listed, named, named.replace("collections: ", "axes: {collection: ") + "}"):
        text = EXAMPLE.replace(line, instead)
        if instead.startswith("axes"):
            text = "".join(kept + "\n" for kept in text.splitlines() if not kept.startswith("axes: {train"))
        assert problems(parsed(text)) == []
    assert problems({**SMALL, "collections": [3]}) != []
    assert problems({**SMALL, "collections": {}}) != []


def test_a_method_may_have_a_name_for_its_row() -> None:
    assert problems({**SMALL, "methods": [{"simans": {"a": 1}, "name": "soft"}, {"bm25": None, "name": "b"}]}) == []
    for wrong in ({"simans": {}, "bm25": {}}, {"name": "soft"}, {"simans": {}, "name": ""}, {"simans": {}, "nam": "x"}):
        assert problems({**SMALL, "methods": [wrong]}) == ["methods/0"]


@pytest.mark.parametrize("method", catalogue())
def test_every_method_fits_in_every_form(method: str) -> None:
    for form in (method, {method: None}, {method: {}}, {method: {"negatives": 0}}, f"{method}(negatives=0)"):
        assert problems({**SMALL, "methods": [form]}) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"zzz": 1}, ""),
        ({"train": {"epoch": 1}}, "train"),
        ({"encoder": {"model": "a", "modle": 1}}, "encoder"),
        ({"methods": [{"simans": {"dept": 3}}]}, "methods/0"),
        ({"methods": ["in-batch", "randm"]}, "methods/1"),
        ({"methods": ["randm(depth=3)"]}, "methods/0"),
        ({"methods": [{"randm": {}}]}, "methods/0"),
        ({"methods": ["simans(a=0.5", "depth=100)"]}, "methods/0"),
        ({"methods": "random"}, "methods"),
        ({"methods": []}, "methods"),
        ({"name": "a b"}, "name"),
        ({"seeds": [0, 0]}, "seeds"),
        ({"seeds": [-1]}, "seeds/0"),
        ({"negatives": 0}, "negatives"),
        ({"negatives": 1001}, "negatives"),
        ({"train": {"epochs": 0}}, "train/epochs"),
        ({"train": {"precision": "half"}}, "train/precision"),
        ({"measures": []}, "measures"),
        ({"estimators": []}, "estimators"),
        ({"estimators": ["exakt"]}, "estimators/0"),
        ({"estimators": ["exact", {"held-out": {"frequncy": 0.3}}]}, "estimators/1"),
        ({"axes": {"start": {"weak": 3}}}, "axes/start"),
        ({"axes": {"negatives": []}}, "axes/negatives"),
        ({"axes": {"negatives": 3}}, "axes/negatives"),
        ({"encoder": {"reinit_layers": 2}}, "encoder"),
        ({"collection": {"beri": {"path": "x"}}}, "collection"),
        ({"collection": {"beir": {"pth": "x"}}}, "collection"),
        ({"collection": {"source": "helpdesk", "artcles": 1000}}, "collection"),
    ],
)
def test_what_the_schema_refuses_is_refused_by_the_reader_too(tmp_path: Path, change: Any, place: str) -> None:
    data = {**SMALL, **change}
    assert place in problems(data)
    (tmp_path / "grid.yaml").write_text(json.dumps(data))  # JSON is YAML
    with pytest.raises(InputError):
        read(tmp_path / "grid.yaml")


@pytest.mark.parametrize("key", ["name", "collection", "encoder", "methods"])
def test_what_a_grid_needs(key: str) -> None:
    assert problems({name: value for name, value in SMALL.items() if name != key}) == [""]


@pytest.mark.parametrize(
    "change",
    [
        {"negatives": 1},
        {"negatives": 1000},
        {"name": "a.b_c-1"},
        {"seeds": [0]},
        {"collection": {"helpdesk": None}},
        {"collection": {"source": "helpdesk", "articles": 1000}},
        {"baseline": None},
        {"train": {"dropout": 0.1, "warmup": 0}},
    ],
)
def test_what_the_reader_takes_fits(tmp_path: Path, change: Any) -> None:
    data = {**SMALL, **change}
    (tmp_path / "grid.yaml").write_text(json.dumps(data))
    read(tmp_path / "grid.yaml")
    assert problems(data) == []


def test_every_grid_names_the_file_that_editors_complete_from() -> None:
    folder = CONFIGS[0].parent
    found = [*CONFIGS, *sorted(folder.parent.glob("experiments/*/*.yaml"))]
    for path in [path for path in found if "\nname: " in path.read_text()]:  # what has no name is no grid
        head, _, place = path.read_text().splitlines()[0].partition("$schema=")
        assert head == "# yaml-language-server: "
        assert (path.parent / place).resolve() == folder / "grid.schema.json"
