"""The JSON schema of grid files, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from negbench.collections.resolve import PAIRS
from negbench.config.collection_axis import AXIS, KEY, NAME
from negbench.config.further import FurtherCollection
from negbench.config.grid import Settings
from negbench.encoders.languages import SIZES
from negbench.encoders.spec import EncoderSpec
from negbench.methods import Method, catalogue
from negbench.methods.alias import LONGEST
from negbench.methods.axes import LISTS, PARTS, part_kind
from negbench.methods.overrides import KEYS
from negbench.registry import Part, earlier, registered
from negbench.training.recipe import Recipe


def grid_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), with the methods and collections that are registered here."""
    required = [name for name, field in Settings.model_fields.items() if field.is_required()]
    properties: dict[str, Any] = {
        "name": {"type": "string", "pattern": f"^{NAME}$"},
        "collection": {"anyOf": [{"type": "string"}, *_sources()]},
        KEY: _side_by_side(),
        "encoder": {"anyOf": [{"type": "string", "minLength": 1}, _plain(EncoderSpec), _by_language()]},
        "methods": {"type": "array", "minItems": 1, "items": _method()},
        "seeds": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**32},
            "uniqueItems": True,
        },
        "negatives": {"type": "integer", "minimum": 1, "maximum": 1000},
        "train": _plain(Recipe),
        "baseline": {"type": ["string", "null"]},
        "measures": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "split": {"type": "string"},
        "warm_up": _plain(Recipe),
        "evaluate_on": {"type": "array", "items": _further()},
        "teacher": _known("teacher"),
        "judge": _known("teacher"),
        "held_out": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "estimators": {"type": "array", "minItems": 1, "items": _parts("estimator")},
        "gradient": {"type": "boolean"},
        "equal_texts": {"enum": ["known", "unlabelled"]},
        "vectors": {"enum": ["auto", "float16"]},
        "repair": {},
        "curve_points": {"type": "integer", "minimum": 0, "maximum": 100},
        "equivalent_within": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "axes": {
            "type": "object",
            "description": "Values by key, dotted or not, or named sets of keys; every combination is run.",
            "properties": {AXIS: {"$ref": f"#/properties/{KEY}"}},
            "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, _named_axis()]},
        },
    }
    assert set(properties) == {*Settings.model_fields, "axes", KEY}, "the schema must cover every key"
    for name, field in Settings.model_fields.items():
        properties[name] = {**_described(field.description), **properties[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "negbench grid",
        "type": "object",
        "additionalProperties": False,
        "anyOf": [
            {"required": required},
            *({"required": ["name", key]} for key in ("axes", KEY)),
        ],  # these set the others
        "properties": properties,
        "$defs": {
            **{key: _axis(key) for key in KEYS},
            **Recipe.model_json_schema()["$defs"],
        },
    }


def _axis(key: str) -> dict[str, Any]:
    """Return the schema of an axis: an editor completes the parts that are registered here, and takes any value.

    Packages that are installed elsewhere bring parts of their own.
    """
    described = _described(Method.model_fields[key].description)
    kind = part_kind(key) if key in (*PARTS, *LISTS) else None
    if kind is None:
        return described
    known = _known(kind)
    return {**described, **({"anyOf": [{"type": "array", "items": known}, {}]} if key in LISTS else known)}


def _known(kind: str) -> dict[str, Any]:
    """Return the schema of a part: an editor completes those that are registered here, and takes any value."""
    return {"anyOf": [*_parts(kind)["anyOf"], {}]}


def _further() -> dict[str, Any]:
    """Return the schema of a further collection, with or without prompts of its own."""
    source = {"anyOf": [{"type": "string"}, *_sources()]}
    prompts = {name: field for name, field in FurtherCollection.model_fields.items() if name != "collection"}
    properties: dict[str, Any] = {
        name: {"type": ["string", "null"], **_described(field.description)} for name, field in prompts.items()
    }
    properties["collection"] = {"$ref": "#/properties/collection"}
    shape = {"type": "object", "required": ["collection"], "additionalProperties": False}
    return {"anyOf": [*source["anyOf"], {**shape, "properties": properties}]}


def _side_by_side() -> dict[str, Any]:
    """Return the schema of ``collections``: a list, or a mapping from names; each may have keys of its own."""
    own = {
        "type": "object",
        "required": ["collection"],
        "properties": {"name": {"type": "string", "pattern": f"^{NAME}$"}},
    }
    entry = {"anyOf": [{"$ref": "#/properties/collection"}, own]}
    return {
        "description": (
            "Collections to train and evaluate on side by side, in place of `collection`; `{collection: NAME, name: "
            "TEXT, KEY: VALUE}` changes keys of the grid, dotted or not, for one."
        ),
        "anyOf": [
            {"type": "array", "minItems": 1, "items": entry},
            {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [{"type": "null"}, entry]}},
        ],
    }


def _by_language() -> dict[str, Any]:
    """Return the schema of an encoder by language and size, with the other keys of an encoder."""
    plain = _plain(EncoderSpec)
    properties = {name: value for name, value in plain["properties"].items() if name != "model"}
    by = {"language": {"type": "string", "pattern": "^[A-Za-z]{2}$"}, "size": {"enum": list(SIZES)}}
    shape = {"type": "object", "required": ["language"], "additionalProperties": False}
    return {**shape, "properties": {**by, **properties}}


def _named_axis() -> dict[str, Any]:
    """Return the schema of an axis whose values are named sets of keys."""
    return {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}}


def _plain(model: type[Recipe] | type[EncoderSpec]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {key: schema[key] for key in ("type", "properties", "required", "additionalProperties") if key in schema}


def _sources() -> list[dict[str, Any]]:
    """Return ``{NAME: {parameters}}``, ``{source: TEXT, parameters}`` and ``{pairs: PATH, parameters}``."""
    kinds = registered("collection")
    long_forms = {
        name: {
            "type": ["object", "null"],
            **_described(kind.summary()),
            "properties": _parameters(kind),
            "additionalProperties": False,
        }
        for name, kind in kinds.items()
    }
    flat: dict[str, Any] = {"source": {"type": "string", **_described("The collection, as in the short form.")}}
    for kind in kinds.values():
        for field, described in _parameters(kind).items():  # without a description where it means several things
            flat[field] = described if flat.get(field, described) == described else {}
    return [
        {
            "type": "object",
            "properties": long_forms,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
        {"type": "object", "properties": flat, "additionalProperties": False, "required": ["source"]},
        {
            "type": "object",
            "properties": {PAIRS: {"type": "string"}, **_parameters(kinds[PAIRS])},
            "additionalProperties": False,
            "required": [PAIRS],
        },
    ]


def _parameters(part: type[Part]) -> dict[str, Any]:
    """Return the parameters of a part, and of the earlier versions that it keeps, each with its description."""
    versions = earlier(part.kind, part.name).values()
    properties: dict[str, Any] = {}
    for version in (part, *versions):
        for name, field in version.model_fields.items():
            properties.setdefault(name, _described(field.description))
    return properties | ({"version": {}} if versions else {})


def _described(text: str | None) -> dict[str, Any]:
    return {"description": text} if text else {}


def _parts(kind: str) -> dict[str, Any]:
    """Return ``NAME``, ``NAME(key=value)`` and ``{NAME: {parameters}}``."""
    kinds = registered(kind)
    long_forms = {
        name: {
            "type": ["object", "null"],
            **_described(one.summary()),
            "properties": _parameters(one),
            "additionalProperties": False,
        }
        for name, one in kinds.items()
    }
    long_form = {"type": "object", "properties": long_forms, "additionalProperties": False}
    spelled = {"type": "string", "pattern": rf"^({'|'.join(kinds)})\(.*\)$"}
    return {"anyOf": [{"enum": list(kinds)}, spelled, {**long_form, "minProperties": 1, "maxProperties": 1}]}


def _method() -> dict[str, Any]:
    """Return ``NAME``, ``NAME(key=value)`` and ``{NAME: {overrides}}``, the last with or without a row's ``name``."""
    names = list(catalogue())
    long_forms = {name: _overrides(method) for name, method in catalogue().items()}
    spelled = {"type": "string", "pattern": rf"^({'|'.join(names)})\(.*\)$"}
    called = {"type": "string", "minLength": 1, "maxLength": LONGEST, **_described("Name of its row in the tables.")}
    long_form = {
        "type": "object",
        "properties": {**long_forms, "name": called},
        "additionalProperties": False,
        "minProperties": 1,
        "if": {"required": ["name"]},
        "then": {"minProperties": 2, "maxProperties": 2},
        "else": {"maxProperties": 1},
    }
    return {"anyOf": [{"enum": names}, spelled, long_form]}


_FORMS = (
    "Form of the method: `fixed` has the work of all others, `faithful` its paper's recipe, and `interpretation` fills "
    "in what the paper leaves open."
)


def _overrides(method: Method) -> dict[str, Any]:
    keys = _fields(method) | {key: {"$ref": f"#/$defs/{key}"} for key in KEYS}
    forms = {"as": {"enum": [method.form, *method.forms], **_described(_FORMS)}}
    return {
        "type": ["object", "null"],
        "description": method.summary,
        "properties": {**forms, **dict(sorted(keys.items()))},
        "additionalProperties": False,
    }


def _fields(method: Method) -> dict[str, Any]:
    """Return the parameters of a method's parts with their descriptions: ``selection.a``, ``a``, and aliases."""
    properties: dict[str, Any] = {}
    owners: dict[str, list[str]] = {}
    for path, part in method.part_paths().items():
        for name, field in type(part).model_fields.items():
            properties[f"{path}.{name}"] = _described(field.description)
            owners.setdefault(name, []).append(f"{path}.{name}")
    for name, keys in owners.items():
        properties[name] = (
            properties[keys[0]] if len(keys) == 1 else _described(f"One of {', '.join(keys)}: write which.")
        )
    for alias, targets in method.parameters.items():
        keys = [targets] if isinstance(targets, str) else list(targets)
        properties[alias] = next((properties[key] for key in keys if key in properties), {})
    return properties
