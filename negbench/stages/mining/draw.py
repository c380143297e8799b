"""The stage that draws training negatives from a pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from negbench.filters import Filter
from negbench.labels import LabelRule
from negbench.mining import Fill, Rules, mine, none_whole
from negbench.retrieval.pool import PoolContext
from negbench.samplers import Sampler
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.pool_features import FeatureStage
from negbench.stages.mining.writing import WriteNegatives, put_in_place, texts_of
from negbench.store import save_arrays, save_notes
from negbench.types import CandidatePool, Int32, Negatives


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawNegatives(NegativesStage):
    """Training negatives drawn from a pool by label rules, filters, sampler and fill.

    With ``fill`` drop a query short of ``k`` negatives in an epoch has none. InputError where all are.

    ``epochs``: for how many epochs of training there is a draw of its own; with 1, all have the same.
    """

    kind: ClassVar[str] = "negatives"
    version: ClassVar[int] = 3
    pool: BuildPool
    labels: tuple[LabelRule, ...]
    filters: tuple[Filter, ...]
    sampler: Sampler
    features: tuple[FeatureStage, ...]
    fill: Fill
    k: int
    seed: int
    written: WriteNegatives | None = None
    epochs: int = 1

    @property
    def label(self) -> str:
        return f"draw negatives with {self.sampler.spelling}"

    @property
    def rules(self) -> Rules:
        return Rules(self.sampler, self.filters, self.labels, self.fill)

    def candidates_now(
        self, current: LiveEncoder, path_of: PathOf, asked: Int32 | None = None, ground: PoolContext | None = None
    ) -> CandidatePool:
        """Return the pool and features by an encoder that is being trained; for ``asked`` queries alone, if given."""
        pool = current.search(self.pool, asked, ground)
        for stage in self.features:
            pool = stage.attach_now(pool, current, path_of)
        return pool

    def choose(
        self, candidates: CandidatePool, path_of: PathOf, round: int = 0, before: Sequence[Negatives] = ()
    ) -> Negatives:
        """Draw for all epochs from ``candidates``, the pool after ``round`` refreshes.

        Nothing is drawn that is among the negatives ``before``, those of other sources.
        """
        collection = read_collection(path_of(self.pool.collection))
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
            before=before,
        )
        if self.written is None:
            return drawn
        texts = texts_of(path_of(self.written))
        epochs = [put_in_place(drawn.of_epoch(epoch), texts, size) for epoch in range(drawn.epochs)]
        return Negatives.side_by_side(epochs)

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        candidates = self.candidates(path_of)
        drawn = self.choose(candidates, path_of)
        if self.fill == "drop" and self.k and (drawn.documents < 0).all():
            raise none_whole(self.k)
        save_arrays(drawn, out)
        save_notes(self.notes(candidates), out)
        return amounts(drawn)

    def notes(self, candidates: CandidatePool) -> list[str]:
        """Return a sentence for each filter that no candidate of such a corpus can pass."""
        reasons = [why for rule in self.filters if (why := rule.nothing_left(candidates.corpus_size))]
        return [f"{why}; all of its negatives are random fill" for why in reasons]


def amounts(drawn: Negatives) -> dict[str, float]:
    """Count negatives by origin, promoted documents, and labelled positives that weigh less than 1."""
    filled = (drawn.origins == 1) & (drawn.documents >= 0)
    return {
        "drawn": float((drawn.ranks >= 0).sum()),
        "filled": float(filled.sum()),
        "written": float((drawn.origins == 2).sum()),
        "promoted": float((drawn.promoted >= 0).sum()),
        "distrusted": float(((drawn.positive_weights < 1) & (drawn.positives >= 0)).sum()),
    }
