"""The stage that repairs a draw by the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from negbench.errors import InputError
from negbench.mining import apply_label_rules, filtered
from negbench.plan.answers import Answer
from negbench.plan.draw import DrawNegatives, amounts
from negbench.plan.mining import BuildPool
from negbench.plan.sources import At, read_collection
from negbench.plan.writing import WriteNegatives
from negbench.repair import Oracle, Repair
from negbench.samplers import Sampler
from negbench.store import Stage, load_arrays, save_arrays
from negbench.types import Collection, Negatives, Qrels


@dataclass(frozen=True, eq=False)
class RepairNegatives(Stage):
    """What a draw becomes when its false negatives are known. It stands where the draw would.

    An oracle, for experiments: of the stages that read a collection's truth, the only one that comes before a
    training. What it makes could not be had by mining.
    """

    kind: ClassVar[str] = "repaired"
    version: ClassVar[int] = 2
    draw: DrawNegatives
    repair: Repair

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The draw, and what it was drawn from."""
        return (*self.draw.inputs, self.pool.collection, self.draw)

    @property
    def pool(self) -> BuildPool:
        """The draw's."""
        return self.draw.pool

    @property
    def sampler(self) -> Sampler:
        """The draw's."""
        return self.draw.sampler

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The draw's."""
        return self.draw.answers

    @property
    def written(self) -> WriteNegatives | None:
        """The draw's."""
        return self.draw.written

    @property
    def epochs(self) -> int:
        """The draw's."""
        return self.draw.epochs

    @property
    def label(self) -> str:
        """Which repair of which sampler."""
        return f"{self.draw.label}, {self.repair.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Repair. Raises InputError for a collection without truth."""
        collection = read_collection(at(self.pool.collection))
        truth = truth_of(collection, self.pool.split)
        copies = collection.known_copies()
        labelled, _ = apply_label_rules(self.draw.candidates(at), self.draw.rules, copies)
        candidates = filtered(labelled, self.draw.rules)
        oracle = Oracle(
            pool=candidates,
            relevant=truth.at_least(1),
            own=collection.own_documents()[candidates.queries],
            size=len(collection.document_ids),
            seed=self.draw.seed,
            copies=copies,
        )
        drawn = load_arrays(Negatives, at(self.draw))
        epochs = range(drawn.epochs)
        mended = Negatives.side_by_side(
            [self.repair.mend(drawn.of_epoch(epoch), replace(oracle, epoch=epoch)) for epoch in epochs]
        )
        save_arrays(mended, out)
        changed = float((mended.documents != drawn.documents).sum())
        return {**amounts(mended), "exchanged": changed, "false": float(oracle.false(mended).sum())}


def truth_of(collection: Collection, split: str, key: str = "repair") -> Qrels:
    """Return the fuller judgments of ``split``, which a grid's ``key`` asks for; InputError where there are none."""
    if split not in collection.truth:
        raise InputError(
            f"{key}: collection {collection.name} has no fuller judgments of {split} to tell false negatives by; give "
            "it some (truth: PATTERN), or hide labels that it has: collection: {hidden: {collection: ...}}"
        )
    return collection.truth[split]


Negating = DrawNegatives | RepairNegatives
"""What hands a training its negatives."""
