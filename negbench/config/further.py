"""A further collection to evaluate on, and the prompts that its texts get there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from negbench.collections import Source
from negbench.collections.resolve import PAIRS, source_of


class FurtherCollection(BaseModel):
    """A collection as under ``collection``, or ``{collection: ..., query_prompt: ..., document_prompt: ...}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description="Collection to evaluate on, as a grid's `collection`."
    )
    query_prompt: str | None = Field(
        default=None, description="Text put before each of its queries; null for the encoder's own prompt."
    )
    document_prompt: str | None = Field(
        default=None, description="Text put before each of its documents; null for the encoder's own prompt."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _from_source(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        own = isinstance(value, Mapping) and "collection" in value and not {"source", PAIRS} & value.keys()
        if isinstance(value, cls) or own:
            return handler(value)
        return handler({"collection": value})
