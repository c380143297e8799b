"""What a step minimises: from a batch's texts to their vectors, and from those to the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negbench.asks import AverageTargets
from negbench.encoders.encode import compared, vectors_of
from negbench.losses import Loss, Scored
from negbench.training.average import Average
from negbench.training.processes import Together
from negbench.types import Float32, Int32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Chunk = dict[str, Tensor]
"""Inputs of n texts of like length, by name, [n, length] each."""


class Objective(torch.nn.Module):
    """Scores every query against every document of the batch and applies the loss.

    The texts come in chunks of like length, whose vectors are put together before they are scored: the same loss as in
    one piece, with less padding.

    With ``gradient_cache`` a chunk is encoded twice, first for its vectors alone, then, when the loss has said what
    their gradients are, for the gradients of the weights (GradCache, arXiv 2101.06983): memory holds what lies between
    texts and vectors of one chunk at a time, however large the batch. Both passes run under the same random states and
    the same autocast, so dropout and bfloat16 change nothing about that. Differs from the paper in: the loss is not cut
    off from the encoder; a chunk's graph stays as it was, with nothing in it, and is filled when its turn comes. So the
    gradients of the same chunks are added up in the same order as without, and come out the same to the bit.

    Processes that train ``together`` encode a share of the chunks each, and see each other's vectors (RocketQA's
    cross-batch negatives, arXiv 2010.08191). Differs from the paper in: the loss is that of the batch as a whole, in
    every process, so that any loss and any mask goes with it.

    Where the loss asks for an ``average`` of the encoder, that scores the same batch, in the same pieces; its weights
    follow when the training loop says so. ``seen`` is as in ``training.loop.Renewal``.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        loss: Loss,
        gradient_cache: bool = False,
        together: Together | None = None,
        seen: Callable[[Int32, Float32], None] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.gradient_cache = gradient_cache
        self.together = together or Together()
        self.seen = seen
        asked = loss.asks
        self.average = Average(model, asked.decay) if isinstance(asked, AverageTargets) else None

    def forward(self, features: list[Chunk], labels: dict[str, Any]) -> Tensor:
        """Return the loss of what ``training.data.Collator`` has put together."""
        queries, documents = self.vectors(features, labels, self.encoded)
        if self.seen is not None:
            self.seen(labels["document_rows"].cpu().numpy(), documents.detach().cpu().numpy())
        targets = labels.get("targets") if self.average is None else self._scores(features, labels, self.average)
        with torch.autocast(queries.device.type, enabled=False):
            scores = queries[labels["row_query"]] @ documents.T
            beside = documents[labels["target"]] @ documents.T
            marks = labels["target"], labels["relevant"], labels["own"]
            told = targets, labels.get("guide")
            return self.loss.mean(Scored(scores, *marks, beside, *told), labels["weight"])

    @torch.no_grad()
    def _scores(self, features: list[Chunk], labels: dict[str, Any], average: Average) -> Tensor:
        """Return the average's scores, as ``Scored.targets``."""
        queries, documents = self.vectors(features, labels, average)
        with torch.autocast(queries.device.type, enabled=False):
            return queries[labels["row_query"]] @ documents.T

    def vectors(
        self, features: list[Chunk], labels: dict[str, Any], encode: Callable[[Chunk], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the vectors of the batch's queries [Q, d] and documents [D, d], so that their product is the score."""
        chunks = self.together.encoded(features, encode, self.model.get_embedding_dimension())
        of_queries = int(labels["query_chunks"])
        queries = torch.cat(chunks[:of_queries])
        documents = labels["documents"] if "documents" in labels else torch.cat(chunks[of_queries:])
        return compared(self.model, queries), compared(self.model, documents)

    def encoded(self, chunk: Chunk) -> Tensor:
        """Return the vectors of a chunk [n, d], float32."""
        if self.gradient_cache:
            found: Tensor = checkpoint(self._encode, chunk, use_reentrant=False)
            return found
        return self._encode(chunk)

    def _encode(self, chunk: Chunk) -> Tensor:
        return vectors_of(self.model, chunk)
