"""A given bi-encoder: the cosine of query and document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import files, weights
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side
from negbench.teachers import Teacher
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class BiEncoder(Teacher):
    """Another embedding model's cosine, at least 0: cheaper than a cross-encoder, and never trained here.

    As NV-Retriever (Moreira et al. 2024, arXiv:2407.15831) uses its teacher. Cosines are no probabilities, so
    thresholds differ from a cross-encoder's.

    With a temperature the score is 1 / (1 + exp((1/2 - cosine) / temperature)). Its log-odds, which distillation
    learns, are as far apart as cosines over the temperature, so at the student's own temperature the margin wanted is
    the teacher's. The log-odds of a plain cosine are flat.
    """

    name: ClassVar[str] = "bi-encoder"
    version: ClassVar[int] = 2

    model: str = Field(
        default="all-MiniLM-L6-v2", min_length=1, description="Embedding model: a hub id, folder or offline name."
    )
    query_prompt: str | None = Field(
        default=None, description="Text put before each query; null for the model's own prompt."
    )
    document_prompt: str | None = Field(
        default=None, description="Text put before each document; null for the model's own prompt."
    )
    max_length: int = Field(default=256, ge=8, description="Tokens per text; the rest is cut off.")
    temperature: float | None = Field(
        default=None, gt=0, description="Temperature of a sigmoid over the cosine; null gives the cosine itself."
    )

    def check_usable(self) -> None:
        self.load()

    def fingerprint(self) -> str:
        """Return the digest of the model's weights; InputError for a model that cannot be used."""
        files.check(self.encoder)
        return weights.fingerprint(self.model, None)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the cosines, or what the temperature makes of them; texts are encoded once. There is no ``folder``."""
        if not pairs:
            return np.zeros(0, np.float32)
        model = self.load()
        asked = self.vectors(model, [query for query, _ in pairs], "query", precision)
        read = self.vectors(model, [text for _, text in pairs], "document", precision)
        return self.of_cosines((asked * read).sum(axis=1))

    def of_cosines(self, cosines: Float32) -> Float32:
        """Return the scores that ``cosines`` of any shape stand for."""
        if self.temperature is None:
            return np.clip(cosines, 0, 1)
        from scipy.special import expit

        return np.asarray(expit((cosines - 0.5) / self.temperature), np.float32)

    def load(self) -> SentenceTransformer:
        """Load the embedding model, with cosine similarity and the prompts given."""
        return build(self.encoder, 0)

    @property
    def encoder(self) -> EncoderSpec:
        """The embedding model as an encoder, with cosine similarity and the prompts given."""
        prompts = {"query_prompt": self.query_prompt, "document_prompt": self.document_prompt}
        return EncoderSpec.model_validate({"model": self.model, "similarity": "cosine", **prompts})

    def vectors(self, model: SentenceTransformer, texts: Sequence[str], side: Side, precision: Precision) -> Float32:
        """Return vectors [texts, d] of length 1, or 0 for a text without any token; each is encoded once."""
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors = encode(model, list(row_of), side, precision, self.max_length)
        return vectors[[row_of[text] for text in texts]]


def require_bi_encoder(guide: Teacher) -> BiEncoder:
    """Return ``guide`` if it is a bi-encoder, which can score all pairs of a batch; ValueError for another teacher."""
    if not isinstance(guide, BiEncoder):
        raise ValueError(f"a guide scores all pairs of a batch, and {guide.name} is too slow; give a bi-encoder")
    if guide.temperature is not None:
        raise ValueError("a guide must give cosines; leave its temperature out")
    return guide
