"""The stage that repairs a draw by the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from negbench.errors import InputError
from negbench.mining import apply_label_rules, filtered
from negbench.repair import Oracle, Repair
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.draw import DrawNegatives, amounts
from negbench.stages.mining.negatives_stage import DerivedNegatives
from negbench.store import Stage, load_arrays, save_arrays
from negbench.types import Collection, Negatives, Qrels


@dataclass(frozen=True, eq=False)
class RepairNegatives(DerivedNegatives):
    """A draw with its false negatives repaired by the truth, used in place of the draw.

    An oracle, for experiments: the only stage that reads a collection's truth before a training. No mining could
    produce its output.
    """

    kind: ClassVar[str] = "repaired"
    version: ClassVar[int] = 3
    draw: DrawNegatives
    repair: Repair

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The draw, and its inputs."""
        return (*self.draw.inputs, self.pool.collection, self.draw)

    @property
    def source(self) -> DrawNegatives:
        return self.draw

    @property
    def label(self) -> str:
        return f"{self.draw.label}, {self.repair.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Repair the draw of each epoch. Raises InputError for a collection without truth."""
        collection = read_collection(path_of(self.pool.collection))
        truth = truth_of(collection, self.pool.split)
        copies = collection.known_copies()
        labelled, _ = apply_label_rules(self.candidates(path_of), self.rules, copies)
        candidates = filtered(labelled, self.rules)
        oracle = Oracle(
            pool=candidates,
            relevant=truth.at_least(1),
            own=collection.own_documents()[candidates.queries],
            size=len(collection.document_ids),
            seed=self.draw.seed,
            copies=copies,
        )
        drawn = load_arrays(Negatives, path_of(self.draw))
        epochs = range(drawn.epochs)
        mended = Negatives.side_by_side(
            [self.repair.checked(drawn.of_epoch(epoch), replace(oracle, epoch=epoch)) for epoch in epochs]
        )
        save_arrays(mended, out)
        changed = float((mended.documents != drawn.documents).sum())
        return {**amounts(mended), "exchanged": changed, "false": float(oracle.false(mended).sum())}


def truth_of(collection: Collection, split: str, key: str = "repair") -> Qrels:
    """Return the fuller judgments of ``split``, which a grid's ``key`` asks for; InputError where there are none."""
    if split not in collection.truth:
        raise InputError(
            f"{key}: collection {collection.name} has no fuller judgments of {split}, which show the false negatives; "
            "add them (truth: PATTERN), or hide some labels: collection: {hidden: {collection: ...}}"
        )
    return collection.truth[split]
