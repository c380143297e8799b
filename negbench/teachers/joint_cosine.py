"""A cross-encoder that an embedding model is without training: query and document read together, then compared.

Both texts go through the transformer as one, so that their tokens attend to one another. The output is the cosine of
the mean token vector of the query and that of the document, over a temperature. It has no head that would start at
random: what the embedding model knows of similarity is there from the first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import Tensor, nn

TEMPERATURE = 0.05
"""Divisor of the cosine, as embedding models are trained with."""


def load(model: str | Path, max_length: int, keep_layers: int | None = None) -> CrossEncoder:
    """Return the cross-encoder that the embedding model ``model`` makes, in float32; ``max_length`` caps a pair.

    Raises InputError where the model cannot be used, or where its tokenizer puts no token between two texts.
    """
    from sentence_transformers import CrossEncoder

    encoder = build(EncoderSpec.model_validate({"model": str(model), "keep_layers": keep_layers}), 0)
    between = encoder.tokenizer.sep_token_id
    joint = CrossEncoder(modules=[encoder[0], _head(-1 if between is None else between)], device=str(encoder.device))
    joint.max_seq_length = min(max_length, joint.max_seq_length or max_length)
    read = joint.preprocess([["question", "answer"]])["input_ids"][0].tolist()
    if between is None or between not in read[1:-1]:
        raise InputError(
            f"encoder {model}: its tokenizer puts no token between the two texts of a pair (sep_token); use a model "
            "whose does, BERT or MiniLM say"
        )
    return joint


def save(joint: CrossEncoder, folder: Path) -> None:
    """Write the transformer and its tokenizer; ``load`` reads them, and so does transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    reader: Any = joint[0]
    reader.save(str(folder))


def _head(between: int) -> nn.Module:
    import torch

    class JointCosine(torch.nn.Module):
        """From token vectors to ``scores`` [pairs, 1]; the query ends with the first token ``between``."""

        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            vectors = features["token_embeddings"].float()
            ends = torch.eq(features["input_ids"], between).long()
            of_query = (ends.cumsum(dim=1) - ends == 0).long() * features["attention_mask"]
            of_document = features["attention_mask"] - of_query
            cosines = torch.nn.functional.cosine_similarity(_mean(vectors, of_query), _mean(vectors, of_document))
            features["scores"] = cosines[:, None] / TEMPERATURE
            return features

    return JointCosine()


def _mean(vectors: Tensor, mask: Tensor) -> Tensor:
    weights = mask.to(vectors.dtype)[:, :, None]
    return (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def listwise(joint: CrossEncoder) -> nn.Module:
    """Return the cross-entropy of each query's softmax over its documents with a distribution over them, a mean.

    It is called with queries [B], lists of documents [B] and lists of their targets [B], each of which adds up to 1.
    """
    import torch
    from sentence_transformers.util import batch_to_device

    class Listwise(torch.nn.Module):
        """Holds the model that is trained."""

        def __init__(self) -> None:
            super().__init__()
            self.model = joint

        def forward(
            self,
            columns: tuple[Sequence[str], Sequence[Sequence[str]]],
            labels: Sequence[Tensor],
            prompt: str | None = None,
            task: str | None = None,
        ) -> Tensor:
            asked, listed = columns
            pairs = [(query, text) for query, texts in zip(asked, listed, strict=True) for text in texts]
            tokens = batch_to_device(self.model.preprocess(pairs), self.model.device)
            scores = self.model(dict(tokens))["scores"].float().flatten()
            of_queries = scores.split([len(texts) for texts in listed])
            losses = [
                -(target.to(scores) * torch.log_softmax(of_query, dim=0)).sum()
                for of_query, target in zip(of_queries, labels, strict=True)
            ]
            return torch.stack(losses).mean()

    return Listwise()
