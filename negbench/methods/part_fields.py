"""Parts and their parameters as data for people and programs: type, default, bounds, description."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from negbench.encoders.spec import EncoderSpec
from negbench.methods.axes import LISTS, PARTS, part_kind
from negbench.methods.sources import CandidateSources
from negbench.registry import KINDS, Part, registered, unknown

KEYS: Mapping[str, str] = {
    **{kind: axis for axis in (*PARTS, *LISTS) if (kind := part_kind(axis)) is not None},
    "retriever": "candidates",
    "collection": "collection",
    "estimator": "estimators",
    "repair": "repair",
    "teacher": "teacher",
}
"""The key of a grid or of a method that takes a kind of part."""


def find(wanted: str | None) -> list[type[Part]]:
    """Return all parts, those of a kind, or those of a name; ValueError names the nearest kinds and names."""
    every = [part for kind in KINDS for part in registered(kind).values()]
    if wanted is None:
        return every
    found = [part for part in every if wanted in (part.kind, part.name, KEYS.get(part.kind))]
    if not found:
        known = [*KINDS, *(part.name for part in every)]
        raise ValueError(unknown("part or kind of part", wanted, list(dict.fromkeys(known))))
    return found


def described(part: type[Part]) -> dict[str, Any]:
    """Return a part's kind, name, key, version, module, first paragraph, whole docstring and parameters."""
    return {
        "kind": part.kind,
        "name": part.name,
        "key": KEYS.get(part.kind),
        "version": part.version,
        "module": part.__module__,
        "summary": part.summary().replace("``", "`"),
        "docstring": "\n".join(line.strip() for line in (part.__doc__ or "").strip().splitlines()).replace("``", "`"),
        "parameters": [parameter(name, field) for name, field in part.model_fields.items()],
    }


def parameter(name: str, field: FieldInfo) -> dict[str, Any]:
    """Return a parameter's name, type, whether it is required, default, bounds and description."""
    default = field.get_default(call_default_factory=True, validated_data={})
    return {
        "name": name,
        "type": type_name(field.annotation),
        "required": field.is_required(),
        "default": None if default is PydanticUndefined else plain(default),
        "bounds": bounds(field),
        "description": field.description or "",
    }


def bounds(field: FieldInfo) -> str:
    """Return the limits of a number or of a list's length: ``> 0, <= 1``; empty without any."""
    limits = []
    for limit in field.metadata:
        match limit:
            case annotated_types.Gt(gt=value):
                limits.append(f"> {value:g}")
            case annotated_types.Ge(ge=value):
                limits.append(f">= {value:g}")
            case annotated_types.Lt(lt=value):
                limits.append(f"< {value:g}")
            case annotated_types.Le(le=value):
                limits.append(f"<= {value:g}")
            case annotated_types.MinLen(min_length=value):
                limits.append(f"at least {value} entries")
    return ", ".join(limits)


_NAMES: dict[Any, str] = {
    EncoderSpec: "encoder",
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    type(None): "null",
}


def type_name(kind: Any) -> str:
    """Return what a field takes, in words: ``number``, ``"fixed" or "relative"``, ``teacher or null``."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f'"{it}"' if isinstance(it, str) else str(it) for it in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_name, inside)))
    if origin in (tuple, list):
        of = [it for it in inside if it is not Ellipsis]
        return f"list of {' and '.join(dict.fromkeys(map(type_name, of)))}"
    if origin is dict:
        return "mapping"
    if isinstance(kind, type) and issubclass(kind, Part):
        return kind.kind
    if kind in _NAMES:
        return _NAMES[kind]
    return str(getattr(kind, "__name__", "value"))


def plain(value: Any) -> Any:
    """Return a value ready for JSON; a part is its name and parameters, those at their defaults too."""
    if isinstance(value, Part):
        return {"name": value.name, "parameters": {key: plain(it) for key, it in value.parameters.items()}}
    if isinstance(value, CandidateSources):
        return [{**plain(source.retriever), "share": source.share} for source in value.sources]
    if isinstance(value, Mapping):
        return {key: plain(it) for key, it in value.items()}
    if isinstance(value, tuple | list):
        return [plain(it) for it in value]
    if isinstance(value, BaseModel):
        spelling = getattr(value, "spelling", None)
        return value.model_dump(mode="json") if spelling is None else spelling
    return value
