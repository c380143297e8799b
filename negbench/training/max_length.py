"""How many tokens of a text are read, by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from negbench.encoders.tokens import Side
from negbench.numbers import not_booleans

FEWEST = 8
"""Fewest tokens that a text may be cut to."""


class MaxLength(BaseModel):
    """Tokens a text, special ones included: a number for both sides, or ``{query: 64, document: 256}``.

    It is written as a number wherever both sides have the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    query: int = Field(ge=FEWEST, description="Tokens per query.")
    document: int = Field(ge=FEWEST, description="Tokens per document.")

    @model_validator(mode="wrap")
    @classmethod
    def _from_number(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls | Mapping):
            return handler(value)
        if type(value) is not int or value < FEWEST:
            raise ValueError(
                f"expected a whole number of at least {FEWEST}, or one for each side as in {{query: 64, document: "
                f"256}}, found {str(value).lower() if isinstance(value, bool) else repr(value)}"
            )
        return handler({"query": value, "document": value})

    @model_serializer(mode="wrap")
    def _as_number(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.query if self.query == self.document else handler(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        by_side = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": "integer", "minimum": FEWEST}, by_side]}

    @property
    def by_side(self) -> dict[Side, int]:
        """The numbers by side."""
        return {"query": self.query, "document": self.document}

    def __str__(self) -> str:
        return str(self.model_dump())
