"""What an encoder is before anything is loaded: weights by name or folder, and what is altered in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from negbench import spelling, user_files
from negbench.encoders.languages import encoder_for
from negbench.numbers import not_booleans

Pooling = Literal["mean", "cls", "max", "lasttoken"]
Attention = Literal["eager", "sdpa", "flash_attention_2"]


class EncoderSpec(BaseModel):
    """An encoder: ``all-MiniLM-L6-v2``, a folder, a hub id, or a mapping with ``model`` and what is altered.

    Layers drawn afresh are Gaussian with the model's own ``initializer_range``, biases 0, layer norms 1. In a mapping,
    ``language: fr`` and ``size: small`` may stand in for the model (``languages.py``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    model: str = Field(
        min_length=1,
        description="Hub id, folder of a sentence-transformers or transformers model, or name of offline weights.",
    )
    revision: str | None = Field(
        default=None, description="Commit of the hub repository; null for the newest, pinned when it is first seen."
    )
    pooling: Pooling | None = Field(
        default=None, description="Pooling that replaces the model's; null keeps it (mean where it has none)."
    )
    keep_layers: int | None = Field(
        default=None,
        ge=0,
        description=(
            "Number of transformer layers to keep, from the bottom; 0 for the token embeddings alone, null for all."
        ),
    )
    reinit_layers: int = Field(
        default=0, ge=0, description="Number of top layers drawn afresh, after `keep_layers`, for a weaker start."
    )
    query_prompt: str | None = Field(
        default=None, description="Text put before each query; null for the model's own prompt."
    )
    document_prompt: str | None = Field(
        default=None,
        description="Text put before each document; null for the model's own document, passage or corpus prompt.",
    )
    similarity: Literal["cosine", "dot"] | None = Field(
        default=None,
        description=(
            "How vectors are compared, in training and in search; null takes what the model's files say, else cosine."
        ),
    )
    attention: Attention | None = Field(
        default=None,
        exclude_if=lambda attention: attention is None,
        description=(
            "Attention of its transformer, by transformers' name; null for the one that fits. `flash_attention_2` "
            "needs the package flash-attn, a GPU and bfloat16."
        ),
    )

    @model_validator(mode="wrap")
    @classmethod
    def _from_text(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            if value.endswith(")") and not user_files.is_folder(Path(value)):
                model, bracket, rest = value.partition("(")
                name = "folder" if model.startswith(("/", ".", "~")) else model  # a path does not parse as a name
                _, parameters = spelling.parse(f"{name}{bracket}{rest}")
                return handler({"model": model, **parameters})
            return handler({"model": value})
        if isinstance(value, dict) and "language" in value:
            if "model" in value:
                raise ValueError("give model, or language and size, not both")
            others = {key: it for key, it in value.items() if key not in ("language", "size")}
            return handler({**encoder_for(value["language"], value.get("size", "base")), **others})
        return handler(value)

    @property
    def spelling(self) -> str:
        """The short form of the encoder, as in ``all-MiniLM-L6-v2(reinit_layers=2)``."""
        return spelling.write(self.model, self.model_dump(exclude={"model"}, exclude_defaults=True))

    @property
    def seeded(self) -> bool:
        """Whether the starting weights depend on the trial's seed."""
        return self.reinit_layers > 0
