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

    model: hub id, folder or offline name. query_prompt, document_prompt: text put before each; None takes the model's
    own. max_length: tokens a text. As NV-Retriever (Moreira et al. 2024, arXiv:2407.15831) uses its
    teacher; cosines are no probabilities, which whoever sets a threshold has to mind.

    temperature: the score is 1 / (1 + exp((1/2 - cosine) / temperature)) instead, whose log-odds, which distillation
    learns, are as far apart as cosines over the temperature; at the student's own the margin wanted is the teacher's.
    None leaves the cosine, whose log-odds are flat.
    """

    name: ClassVar[str] = "bi-encoder"
    version: ClassVar[int] = 2

    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    query_prompt: str | None = None
    document_prompt: str | None = None
    max_length: int = Field(default=256, ge=8)
    temperature: float | None = Field(default=None, gt=0)

    def fingerprint(self) -> str:
        """Return the digest of the model's weights; InputError for a model that cannot be used."""
        files.check(self._spec)
        return weights.fingerprint(self.model, None)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the cosines, or what the temperature makes of them; texts are encoded once. There is no ``folder``."""
        if not pairs:
            return np.zeros(0, np.float32)
        model = self.load()
        asked = self.vectors(model, [query for query, _ in pairs], "query", precision)
        read = self.vectors(model, [text for _, text in pairs], "document", precision)
        cosines: Float32 = (asked * read).sum(axis=1)
        if self.temperature is None:
            return np.clip(cosines, 0, 1)
        from scipy.special import expit

        return np.asarray(expit((cosines - 0.5) / self.temperature), np.float32)

    def load(self) -> SentenceTransformer:
        """Load the model."""
        return build(self._spec, 0)

    @property
    def _spec(self) -> EncoderSpec:
        prompts = {"query_prompt": self.query_prompt, "document_prompt": self.document_prompt}
        return EncoderSpec.model_validate({"model": self.model, "similarity": "cosine", **prompts})

    def vectors(self, model: SentenceTransformer, texts: Sequence[str], side: Side, precision: Precision) -> Float32:
        """Return vectors [texts, d] of length 1, or 0 for a text without any token; each is encoded once."""
        at = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        found = encode(model, list(at), side, precision, self.max_length)
        return found[[at[text] for text in texts]]


def quick(guide: Teacher) -> Teacher:
    """Return a guide that can be asked about all pairs of a batch; ValueError for another teacher."""
    if not isinstance(guide, BiEncoder):
        raise ValueError(f"a guide is asked about all pairs of a batch, for which {guide.name} is slow: bi-encoder")
    if guide.temperature is not None:
        raise ValueError("a guide is asked for cosines; leave its temperature out")
    return guide
