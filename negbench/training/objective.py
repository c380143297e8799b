"""The training objective: encodes the texts of a batch and computes the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negbench.encoders.encode import compared, vectors_of
from negbench.losses import Loss, ScoredBatch
from negbench.requirements import AverageTargets, TeacherMatch, find
from negbench.training.average import EMA
from negbench.training.processes import ProcessGroup

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

    Processes that train ``process_group`` encode a share of the chunks each, and see each other's vectors (RocketQA's
    cross-batch negatives, arXiv 2010.08191). Differs from the paper in: the loss is that of the batch as a whole, in
    every process, so that any loss and any mask goes with it.

    Where the loss requires an ``average`` of the encoder, that scores the same batch, in the same pieces; its weights
    follow when the training loop says so. ``observe`` is called as
    ``training.hooks.RefreshHook.observe``. Where the loss compares vectors with a teacher's, of another dimension m,
    ``projection`` float32 [d, m] takes the encoder's there.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        loss: Loss,
        gradient_cache: bool = False,
        process_group: ProcessGroup | None = None,
        observe: Callable[[Tensor, Tensor], None] | None = None,
        projection: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.gradient_cache = gradient_cache
        self.process_group = process_group or ProcessGroup()
        self.observe = observe
        self.projection = projection
        required = find(loss.requires, AverageTargets)
        self.average = None if required is None else EMA(model, required.decay)

    def forward(self, features: list[Chunk], labels: dict[str, Any]) -> Tensor:
        """Return the loss of a batch of ``training.data.Collator``."""
        queries, documents = self.vectors(features, labels, self.encoded)
        if self.observe is not None:
            self.observe(labels["document_rows"], documents.detach())
        targets = labels["targets"]
        if self.average is not None:
            targets = {**targets, AverageTargets: self._scores(features, labels, self.average)}
        with torch.autocast(queries.device.type, enabled=False):
            of_rows = queries[labels["row_query"]]
            if "teacher_queries" in labels:
                targets = {**targets, TeacherMatch: self._match(of_rows, documents, labels)}
            batch = ScoredBatch.of_vectors(
                of_rows,
                documents,
                cosine=self.model.similarity_fn_name == "cosine",
                positive_column=labels["positive_column"],
                known_mask=labels["known_mask"],
                mined_mask=labels["mined_mask"],
                targets=targets,
            )
            return self.loss.mean(batch, labels["weight"])

    def _match(self, queries: Tensor, documents: Tensor, labels: dict[str, Any]) -> Tensor:
        """Return the cosine of each query with the teacher's vector of it plus that of each document [B, D]."""
        sides = []
        for vectors, teacher in ((queries, labels["teacher_queries"]), (documents, labels["teacher_documents"])):
            projected = vectors if self.projection is None else vectors @ self.projection.to(vectors.device)
            sides.append(torch.nn.functional.cosine_similarity(projected, teacher))
        return sides[0][:, None] + sides[1]

    @torch.no_grad()
    def _scores(self, features: list[Chunk], labels: dict[str, Any], average: EMA) -> Tensor:
        """Return the average's scores [B, D]."""
        queries, documents = self.vectors(features, labels, average)
        with torch.autocast(queries.device.type, enabled=False):
            return queries[labels["row_query"]] @ documents.T

    def vectors(
        self, features: list[Chunk], labels: dict[str, Any], encode: Callable[[Chunk], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the vectors of the batch's queries [Q, d] and documents [D, d], so that their product is the score."""
        chunks = self.process_group.encoded(features, encode, self.model.get_embedding_dimension())
        of_queries = int(labels["query_chunks"])
        queries = torch.cat(chunks[:of_queries])
        documents = labels["documents"] if "documents" in labels else torch.cat(chunks[of_queries:])
        return compared(self.model, queries), compared(self.model, documents)

    def encoded(self, chunk: Chunk) -> Tensor:
        """Return the vectors of a chunk [n, d], float32."""
        if self.gradient_cache:
            vectors: Tensor = checkpoint(self._encode, chunk, use_reentrant=False)
            return vectors
        return self._encode(chunk)

    def _encode(self, chunk: Chunk) -> Tensor:
        return vectors_of(self.model, chunk)
