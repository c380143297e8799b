"""The stage that measures the positives that a method's label rules add."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from negbench.evaluation.added_positives import added_positives
from negbench.mining import apply_label_rules
from negbench.stages.evaluation import breakdown_files
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class AddedPositives(Stage):
    """Precision and recall of what a draw's label rules make positives; empty without truth, or where they add none."""

    kind: ClassVar[str] = "added-positives"
    version: ClassVar[int] = 1
    draw: NegativesStage

    def identity(self) -> dict[str, Any]:
        """Return the inputs and label rules: draws with other filters, samplers and seeds share this stage."""
        content = {
            "inputs": [stage.key for stage in self.inputs],
            "labels": [rule.identity() for rule in self.draw.rules.labels],
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The pool, and the features that the rules require."""
        return (self.draw.pool.collection, self.draw.pool, *self.draw.features)

    @property
    def label(self) -> str:
        return f"measure the positives that {self._rules} adds"

    @property
    def _rules(self) -> str:
        return ", ".join(rule.name for rule in self.draw.rules.labels)

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Apply the label rules again, and compare the added candidates with the truth."""
        collection = read_collection(path_of(self.draw.pool.collection))
        truth = collection.truth.get(self.draw.pool.split)
        if truth is None:
            breakdown_files.write({}, out)
            return {}
        pool = self.draw.candidates(path_of)
        _, labels = apply_label_rules(pool, self.draw.rules, collection.known_copies())
        relevant = truth.at_least(1).contains(pool.queries[:, None], pool.documents)
        breakdown_files.write(added_positives(self._rules, pool.available(), labels.promoted, relevant), out)
        return {}
