"""The base of retrievers that search vectors."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from negbench.encoders.spec import EncoderSpec
from negbench.retrieval import Retriever


class VectorRetriever(Retriever):
    """A retriever that searches vectors: those of the encoder that is trained, or of another model.

    ``encoder`` is no part of its identity: it says which vectors the plan makes, and their digests count.
    """

    needs_vectors: ClassVar[bool] = True
    incidental: ClassVar[frozenset[str]] = frozenset({"encoder"})

    encoder: EncoderSpec | None = Field(
        default=None,
        description=(
            "Model whose vectors are searched, written as a grid's `encoder`; null for the encoder that is trained."
        ),
    )
