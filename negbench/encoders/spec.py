"""What an encoder is before anything is loaded: weights by name or folder, and what is altered in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from negbench import spelling
from negbench.encoders.languages import encoder_for
from negbench.numbers import not_booleans

Pooling = Literal["mean", "cls", "max", "lasttoken"]


class EncoderSpec(BaseModel):
    """An encoder: ``all-MiniLM-L6-v2``, a folder, a hub id, or a mapping with ``model`` and what is altered.

    model: hub id, folder of a sentence-transformers or transformers model, or a name of the offline weights.
    revision: commit of the hub repository; the newest one otherwise, pinned when it is first seen.
    pooling: replaces the model's pooling; None keeps it (mean where it has none).
    keep_layers: keep this many transformer layers from the bottom, drop the rest; None keeps all.
    reinit_layers: draw the top layers afresh, for a weaker start (Gaussian with the model's own
    ``initializer_range``, biases 0, layer norms 1), after ``keep_layers``.
    query_prompt, document_prompt: text put before each; None takes the model's own prompts, of which a document's may
    be called document, passage or corpus.
    similarity: how vectors are compared, in training as in search; None takes what the model's files say, else cosine.
    In a mapping, ``language: fr`` and ``size: small`` may stand in for the model (``languages.py``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    model: str = Field(min_length=1)
    revision: str | None = None
    pooling: Pooling | None = None
    keep_layers: int | None = Field(default=None, ge=1)
    reinit_layers: int = Field(default=0, ge=0)
    query_prompt: str | None = None
    document_prompt: str | None = None
    similarity: Literal["cosine", "dot"] | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _from_text(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            if value.endswith(")") and not Path(value).is_dir():
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
        """The short form, as in ``all-MiniLM-L6-v2(reinit_layers=2)``."""
        return spelling.write(self.model, self.model_dump(exclude={"model"}, exclude_defaults=True))

    @property
    def seeded(self) -> bool:
        """Whether the starting weights depend on the trial's seed."""
        return self.reinit_layers > 0
