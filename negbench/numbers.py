"""``true`` is no number: pydantic would read it as 1."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationInfo, field_validator


def _refuse(cls: type[BaseModel], value: Any, info: ValidationInfo) -> Any:
    assert info.field_name is not None
    kinds = _of_field(cls, info.field_name)
    if kinds & {int, float} and bool not in kinds and (found := _boolean(value)) is not None:
        expected = "a number" if float in kinds else "a whole number"
        raise ValueError(f"expected {expected}, found {'true' if found else 'false'}")
    return value


not_booleans = field_validator("*", mode="before")(_refuse)
"""What makes a model, and those that inherit from it, refuse ``true`` and ``false`` where a field wants numbers, in
lists too: ``_numbers = not_booleans`` among its fields.
"""


@cache
def _of_field(model: type[BaseModel], field: str) -> set[type]:
    return _kinds(model.model_fields[field].annotation)


def _kinds(annotation: Any) -> set[type]:
    """Return the types of which a value of this annotation is made."""
    if isinstance(annotation, type) and not get_args(annotation):
        return {annotation}
    inner = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return {kind for one in inner for kind in _kinds(one)}


def _boolean(value: Any) -> bool | None:
    """Return the first boolean that is the value or stands in a list of it."""
    if isinstance(value, bool):
        return value
    items = value if isinstance(value, list | tuple) else ()
    return next((found for item in items if (found := _boolean(item)) is not None), None)
