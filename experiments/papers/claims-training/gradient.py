"""Whether a negative's gradient grows with its similarity to the query: Kendall's tau over the negatives of a query.

The gradient is the one at a negative's vector, of length 1, as a step on the sphere: what moves the document. Twenty
negatives are drawn from the 200 nearest documents that are not labelled. ``infonce`` has them all in one softmax at
temperature 0.05; ``hinge`` is a triplet loss a negative, margin 0.2, over negatives that violate it.
"""

from __future__ import annotations

import csv
import math
import sys

import numpy as np
import torch
from scipy.stats import kendalltau
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cross_entropy, normalize

from negbench.collections.resolve import source_of
from negbench.encoders.weights import locate

COLLECTION, MODEL, LAYERS, LENGTH = "helpdesk", "all-MiniLM-L6-v2", 3, 64
NEAREST, DRAWN, TEMPERATURE, MARGIN = 200, 20, 0.05, 0.2


def infonce(positive: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Return the loss of one query from the cosines of its positive, [], and negatives, [N]."""
    logits = torch.cat([positive[None], negatives]) / TEMPERATURE
    return cross_entropy(logits[None], torch.zeros(1, dtype=torch.long))


def hinge(positive: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Return the triplet loss of one query, summed over negatives, from the same."""
    return (negatives - positive + MARGIN).clamp(min=0).sum()


LOSSES = {"infonce": infonce, "hinge": hinge}


def tau(name: str, query: torch.Tensor, positive: torch.Tensor, negatives: torch.Tensor) -> float:
    """Return tau of cosine and gradient norm over negatives [N, d]; NaN where fewer than two have a gradient."""
    moved = negatives.clone().requires_grad_()
    cosines = normalize(moved, dim=1) @ query
    LOSSES[name](positive @ query, cosines).backward()  # type: ignore[no-untyped-call]
    assert moved.grad is not None
    norms = moved.grad.norm(dim=1)
    kept = norms > 0
    return float(kendalltau(cosines.detach()[kept], norms[kept]).statistic) if kept.sum() > 1 else math.nan


def main(path: str) -> None:
    """Write tau of each training query and loss."""
    collection = source_of(COLLECTION).load()
    model = SentenceTransformer(str(locate(MODEL)), device="cpu")
    model.max_seq_length = LENGTH
    layers = model[0].auto_model.encoder
    layers.layer = layers.layer[:LAYERS]
    documents, queries = (
        torch.from_numpy(model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False))
        for texts in (collection.passages(), collection.queries)
    )
    labels: dict[int, list[int]] = {}
    for query, document, _ in collection.qrels["train"].at_least(1).triples():
        labels.setdefault(query, []).append(document)
    rng = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "measure", "seed", "query", "value"])
        for query, known in labels.items():
            order = torch.argsort(documents @ queries[query], descending=True, stable=True).tolist()
            nearest = [document for document in order if document not in known][:NEAREST]
            drawn = documents[sorted(rng.choice(nearest, DRAWN, replace=False).tolist())]
            place = f"{COLLECTION}/{collection.query_ids[query]}"
            for name in LOSSES:
                value = tau(name, queries[query], documents[known[0]], drawn)
                if not math.isnan(value):
                    writer.writerow([name, "agreement", "", place, f"{value:.6f}"])


if __name__ == "__main__":
    main(sys.argv[1])
