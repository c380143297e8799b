"""The JSON schema of grid files, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from negbench.config.grid import NAME, Settings
from negbench.encoders.languages import SIZES
from negbench.encoders.spec import EncoderSpec
from negbench.methods import Method, catalogue
from negbench.methods.overrides import AXES
from negbench.parts import Part, earlier, registered
from negbench.training.recipe import Recipe


def grid_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), with the methods and collections that are registered here."""
    required = [name for name, field in Settings.model_fields.items() if field.is_required()]
    properties: dict[str, Any] = {
        "name": {"type": "string", "pattern": f"^{NAME}$"},
        "collection": {"anyOf": [{"type": "string"}, *_sources()]},
        "encoder": {"anyOf": [{"type": "string", "minLength": 1}, _plain(EncoderSpec), _by_language()]},
        "methods": {"type": "array", "minItems": 1, "items": _method()},
        "seeds": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}, "uniqueItems": True},
        "negatives": {"type": "integer", "minimum": 1, "maximum": 1000},
        "train": _plain(Recipe),
        "baseline": {"type": ["string", "null"]},
        "measures": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "split": {"type": "string"},
        "warm_up": _plain(Recipe),
        "evaluate_on": {"type": "array", "items": {"anyOf": [{"type": "string"}, *_sources()]}},
        "teacher": {},
        "judge": {},
        "held_out": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "estimators": {"type": "array", "minItems": 1, "items": _parts("estimator")},
        "gradient": {"type": "boolean"},
        "equal_texts": {"enum": ["known", "unlabelled"]},
        "repair": {},
        "curve_points": {"type": "integer", "minimum": 0, "maximum": 100},
        "equivalent_within": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "axes": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, _named_axis()]},
        },
    }
    assert set(properties) == {*Settings.model_fields, "axes"}, "the schema must cover every key"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "negbench grid",
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": required}, {"required": ["name", "axes"]}],  # an axis may set the others
        "properties": properties,
    }


def _by_language() -> dict[str, Any]:
    """Return an encoder by language and size, with what else may be said of one."""
    plain = _plain(EncoderSpec)
    properties = {name: value for name, value in plain["properties"].items() if name != "model"}
    by = {"language": {"type": "string", "pattern": "^[A-Za-z]{2}$"}, "size": {"enum": list(SIZES)}}
    shape = {"type": "object", "required": ["language"], "additionalProperties": False}
    return {**shape, "properties": {**by, **properties}}


def _named_axis() -> dict[str, Any]:
    """Return names with the keys that each sets."""
    return {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}}


def _plain(model: type[Recipe] | type[EncoderSpec]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {key: schema[key] for key in ("type", "properties", "required", "additionalProperties") if key in schema}


def _sources() -> list[dict[str, Any]]:
    """Return ``{NAME: {parameters}}`` and ``{source: TEXT, parameters}``."""
    kinds = registered("collection")
    long_forms = {
        name: {
            "type": ["object", "null"],
            "properties": {field: {} for field in _parameters(kind)},
            "additionalProperties": False,
        }
        for name, kind in kinds.items()
    }
    parameters: dict[str, Any] = {field: {} for kind in kinds.values() for field in _parameters(kind)}
    flat = {"source": {"type": "string"}, **parameters}
    return [
        {
            "type": "object",
            "properties": long_forms,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
        {"type": "object", "properties": flat, "additionalProperties": False, "required": ["source"]},
    ]


def _parameters(part: type[Part]) -> list[str]:
    """Return the parameters of a part and of the earlier versions that it keeps."""
    versions = earlier(part.kind, part.name).values()
    told = dict.fromkeys(field for version in (part, *versions) for field in version.model_fields)
    return [*told, *(["version"] if versions else [])]


def _parts(kind: str) -> dict[str, Any]:
    """Return ``NAME``, ``NAME(key=value)`` and ``{NAME: {parameters}}``."""
    kinds = registered(kind)
    long_forms = {
        name: {"type": ["object", "null"], "properties": {field: {} for field in one.model_fields},
               "additionalProperties": False} for name, one in kinds.items()
    }  # fmt: skip
    long_form = {"type": "object", "properties": long_forms, "additionalProperties": False}
    spelled = {"type": "string", "pattern": rf"^({'|'.join(kinds)})\(.*\)$"}
    return {"anyOf": [{"enum": list(kinds)}, spelled, {**long_form, "minProperties": 1, "maxProperties": 1}]}


def _method() -> dict[str, Any]:
    names = list(catalogue())
    long_forms = {name: _overrides(method) for name, method in catalogue().items()}
    spelled = {"type": "string", "pattern": rf"^({'|'.join(names)})\(.*\)$"}
    long_form = {
        "type": "object",
        "properties": long_forms,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [{"enum": names}, spelled, long_form]}


def _overrides(method: Method) -> dict[str, Any]:
    bare = {field for part in method.part_paths().values() for field in type(part).model_fields}
    dotted = {f"{path}.{field}" for path, part in method.part_paths().items() for field in type(part).model_fields}
    keys = sorted({*AXES, *method.parameters, *bare, *dotted})
    forms = {"as": {"enum": [method.form, *method.forms]}}
    return {
        "type": ["object", "null"],
        "description": method.summary,
        "properties": {**forms, **{key: {} for key in keys}},
        "additionalProperties": False,
    }
