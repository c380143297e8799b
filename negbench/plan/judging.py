"""The stage that asks a judge what it thinks of the mined negatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.plan.handed import Handing
from negbench.plan.sources import At, read_collection
from negbench.store import Stage, load_arrays
from negbench.teachers import Teacher
from negbench.types import Negatives


@dataclass(frozen=True, eq=False)
class JudgeNegatives(Stage):
    """A judge's scores of the negatives that were drawn: float32 [Q, k].

    NaN where there is none to read, or the judge gave none.
    """

    kind: ClassVar[str] = "judged"
    version: ClassVar[int] = 2
    negatives: Handing
    judge: Teacher
    fingerprint: str
    precision: Precision

    @property
    def label(self) -> str:
        """Who judges."""
        return f"judge the negatives by {self.judge.name}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Judge."""
        collection = read_collection(at(self.negatives.pool.collection))
        drawn = load_arrays(Negatives, at(self.negatives))
        passages = collection.passages()
        found = (drawn.documents >= 0) & (drawn.documents < len(passages))  # what was written is no passage
        numbers = (drawn.queries[:, None].astype(np.int64) << 32) + drawn.documents
        distinct, of = np.unique(numbers[found], return_inverse=True)  # epochs may draw a pair again
        pairs = [(collection.queries[it >> 32], passages[it & 0xFFFFFFFF]) for it in distinct.tolist()]
        given = self.judge.checked_scores(pairs, None, self.precision)
        self.judge.require_some(given)
        scores = np.full(found.shape, np.nan, np.float32)
        scores[found] = given[of]
        np.save(out / "scores.npy", scores, allow_pickle=False)
        return {"judge_calls": float(len(pairs)), "unscored": float(np.isnan(given).sum())}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The draw, and the texts."""
        return self.negatives, self.negatives.pool.collection
