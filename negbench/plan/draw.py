"""The stage that draws the negatives that training is handed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from negbench.filters import Filter
from negbench.labels import LabelRule
from negbench.mining import Fill, Rules, mine
from negbench.plan.answers import Answer
from negbench.plan.current import Current
from negbench.plan.mining import BuildPool
from negbench.plan.sources import At, read_collection
from negbench.plan.writing import WriteNegatives, put_in_place, texts_of
from negbench.retrieval.pool import Ground
from negbench.samplers import Sampler
from negbench.store import Stage, load_arrays, save_arrays, save_notes
from negbench.types import CandidatePool, Int32, Negatives


@dataclass(frozen=True, eq=False)
class DrawNegatives(Stage):
    """The negatives that training is handed: label rules, filters, sampler, fill.

    ``epochs``: for how many epochs of training there is a draw of its own; with 1, all have the same.
    """

    kind: ClassVar[str] = "negatives"
    version: ClassVar[int] = 3
    pool: BuildPool
    labels: tuple[LabelRule, ...]
    filters: tuple[Filter, ...]
    sampler: Sampler
    answers: tuple[Answer, ...]
    fill: Fill
    k: int
    seed: int
    written: WriteNegatives | None = None
    epochs: int = 1

    @property
    def label(self) -> str:
        """Which sampler."""
        return f"draw by {self.sampler.spelling}"

    @property
    def rules(self) -> Rules:
        """What chooses from the pool."""
        return Rules(self.sampler, self.filters, self.labels, self.fill)

    def candidates(self, at: At) -> CandidatePool:
        """Return the pool with the answers to what its rules ask."""
        pool = load_arrays(CandidatePool, at(self.pool))
        for answer in self.answers:
            pool = answer.attach(pool, at(answer))
        return pool

    def candidates_now(
        self, current: Current, at: At, asked: Int32 | None = None, ground: Ground | None = None
    ) -> CandidatePool:
        """Return the same as an encoder finds it that is being trained; only for queries that are ``asked``, if any."""
        pool = current.search(self.pool, asked, ground)
        for answer in self.answers:
            pool = answer.attach_now(pool, current, at)
        return pool

    def choose(self, candidates: CandidatePool, at: At, round: int = 0) -> Negatives:
        """Draw for all epochs from candidates, which were searched again ``round`` times."""
        collection = read_collection(at(self.pool.collection))
        size = len(collection.document_ids)
        drawn = mine(
            candidates,
            self.rules,
            self.k,
            self.seed,
            collection.own_documents()[candidates.queries],
            size,
            round,
            epochs=self.epochs,
            copies=collection.known_copies(),
        )
        if self.written is None:
            return drawn
        texts = texts_of(at(self.written))
        epochs = [put_in_place(drawn.of_epoch(epoch), texts, size) for epoch in range(drawn.epochs)]
        return Negatives.side_by_side(epochs)

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Draw."""
        candidates = self.candidates(at)
        drawn = self.choose(candidates, at)
        save_arrays(drawn, out)
        reasons = [why for rule in self.filters if (why := rule.nothing_left(candidates.corpus_size))]
        save_notes([f"{why}; what is drawn by it are fills" for why in reasons], out)
        return amounts(drawn)


def amounts(drawn: Negatives) -> dict[str, float]:
    """Count negatives by origin, promoted documents, and labelled positives that weigh less than 1."""
    filled = (drawn.origins == 1) & (drawn.documents >= 0)
    return {
        "drawn": float((drawn.ranks >= 0).sum()),
        "filled": float(filled.sum()),
        "written": float((drawn.origins == 2).sum()),
        "promoted": float((drawn.promoted >= 0).sum()),
        "distrusted": float(((drawn.trust < 1) & (drawn.positives >= 0)).sum()),
    }
