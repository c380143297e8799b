"""What the loop eats: training rows, and the collator that turns row numbers into model inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench import noise
from negbench.types import Collection, Int32, Negatives, Qrels, UInt64


@dataclass(frozen=True, slots=True)
class Instances:
    """R training rows: ``queries`` [R] and ``positives`` [R] are rows of the collection, ``negatives`` [R, k].

    -1 marks a missing negative. ``known`` holds every labelled positive of these queries, ``keys`` [R] a stable hash
    of each row's ids.
    """

    queries: Int32
    positives: Int32
    negatives: Int32
    known: Qrels
    keys: UInt64


def instances(collection: Collection, split: str, negatives: Negatives | None) -> Instances:
    """Make a row of every labelled (query, positive) pair of ``split``, with its query's negatives.

    No row is dropped, whether or not its query has negatives; None stands for a method without any.
    """
    known = collection.qrels[split].at_least(1)
    table = np.full((len(known), 0), -1, np.int32)
    if negatives is not None and negatives.documents.shape[1]:
        if not np.isin(known.queries, negatives.queries).all():
            raise ValueError("the negatives were drawn for other queries than those of the training split")
        table = negatives.documents[np.searchsorted(negatives.queries, known.queries)]
    mix = noise.Noise(0, "rows")
    query_keys = noise.keys(collection.query_ids)[known.queries]
    keys = mix.bits(query_keys, noise.keys(collection.document_ids)[known.documents])
    return Instances(known.queries, known.documents, table, known, keys)


class Collator:
    """Turns the row numbers of a batch into inputs for queries and documents, and a ``label`` dict of tensors.

    A query or document that stands several times in the batch is encoded once. ``label`` has ``row_query`` int64 [B]
    (which of the encoded queries a row asks), ``target`` int64 [B] (the column of its positive) and ``counted`` bool
    [B, D] (False at a query's other known positives, wherever in the batch they came from).
    """

    valid_label_columns: tuple[str, ...] = ()

    def __init__(
        self,
        data: Instances,
        collection: Collection,
        preprocess: Callable[..., dict[str, Any]],
        prompts: dict[str, str],
    ) -> None:
        self.data = data
        self.queries = collection.queries
        self.passages = collection.passages()
        self.preprocess = preprocess
        self.prompts = prompts
        self.read = {"queries": 0, "documents": 0, "tokens": 0}
        """How many texts and tokens were handed out so far, padding apart."""

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return ``query_*`` and ``document_*`` tensors and ``label``."""
        import torch

        rows = np.array([feature["row"] for feature in features])
        asked, row_query = np.unique(self.data.queries[rows], return_inverse=True)
        used = np.concatenate([self.data.positives[rows], self.data.negatives[rows].ravel()])
        documents = np.unique(used[used >= 0])
        target = np.searchsorted(documents, self.data.positives[rows])
        counted = ~self.data.known.contains(self.data.queries[rows][:, None], documents[None, :])
        counted[np.arange(len(rows)), target] = True
        batch: dict[str, Any] = {
            "return_loss": True,
            "label": {
                "row_query": torch.from_numpy(row_query),
                "target": torch.from_numpy(target),
                "counted": torch.from_numpy(counted),
            },
        }
        for side, texts in (
            ("query", [self.queries[row] for row in asked]),
            ("document", [self.passages[row] for row in documents]),
        ):
            inputs = self.preprocess([self.prompts.get(side, "") + text for text in texts])
            batch |= {f"{side}_{name}": value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
            self.read["tokens"] += int(inputs["attention_mask"].sum())
        self.read["queries"] += len(asked)
        self.read["documents"] += len(documents)
        return batch
