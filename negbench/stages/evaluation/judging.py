"""The stage that scores mined negatives with a judge model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.evaluation.geometry import unit
from negbench.stages.inputs import Embed, PathOf, read_collection, read_vectors
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.store import Stage, load_arrays
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder
from negbench.types import Collection, Float32, Int64, Negatives


@dataclass(frozen=True, eq=False)
class JudgeNegatives(Stage):
    """A judge's scores of the negatives that were drawn: float32 [Q, k].

    NaN for missing and for synthetic negatives, and where the judge gave no score.
    """

    kind: ClassVar[str] = "judged"
    on_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 2
    negatives: NegativesStage
    judge: Teacher
    fingerprint: str
    precision: Precision
    vectors: tuple[Embed, Embed] | None = None
    """A bi-encoder judge's vectors of the documents and of the queries, so that trials do not encode them again."""

    def identity(self) -> dict[str, Any]:
        """Return all that the scores depend on; vectors only where there are some."""
        identity = super().identity()
        if self.vectors is None:
            del identity["parameters"]["vectors"]
        return identity

    @property
    def label(self) -> str:
        return f"score the negatives with judge {self.judge.name}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection = read_collection(path_of(self.negatives.pool.collection))
        drawn = load_arrays(Negatives, path_of(self.negatives))
        passages = collection.passages()
        is_passage = (drawn.documents >= 0) & (drawn.documents < len(passages))  # synthetic ones are no passages
        numbers = (drawn.queries[:, None].astype(np.int64) << 32) + drawn.documents
        distinct, pair_index = np.unique(numbers[is_passage], return_inverse=True)  # epochs may draw a pair again
        queries, documents = distinct >> 32, distinct & 0xFFFFFFFF
        if self.vectors is None:
            texts = zip(queries.tolist(), documents.tolist(), strict=True)
            pairs = [(collection.queries[query], passages[document]) for query, document in texts]
            given = self.judge.checked_scores(pairs, None, self.precision)
        else:
            given = self._of_vectors(path_of, collection, queries, documents)
        self.judge.require_some(given)
        scores = np.full(is_passage.shape, np.nan, np.float32)
        scores[is_passage] = given[pair_index]
        np.save(out / "scores.npy", scores, allow_pickle=False)
        return {"judge_calls": float(len(distinct)), "unscored": float(np.isnan(given).sum())}

    def _of_vectors(self, path_of: PathOf, collection: Collection, queries: Int64, documents: Int64) -> Float32:
        """Return the scores [pairs] of a bi-encoder from its stored vectors."""
        assert self.vectors is not None
        assert isinstance(self.judge, BiEncoder)
        rows = np.searchsorted(collection.split_queries(self.negatives.pool.split), queries)
        read, asked = (read_vectors(path_of(stage)) for stage in self.vectors)
        return self.judge.of_cosines((unit(asked[rows]) * unit(read[documents])).sum(axis=1))

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        return self.negatives, self.negatives.pool.collection, *(self.vectors or ())
