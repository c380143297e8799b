"""A grid for a collection, with methods by stated rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SEEDS: Final = (0, 1, 2)
BATCH: Final = 32
FEWEST_FOR_BAND: Final = 200
"""Documents from which ``rank-band`` is suggested: it ends at a tenth of the corpus, and begins at rank 10."""


@dataclass(frozen=True, kw_only=True)
class SuggestedGrid:
    """What the rules ask for: sizes of the collection, and ``rows``, its labelled training pairs.

    ``split`` is evaluated on. ``held_out`` is the share of labels to hide, None where a truth makes it needless or too
    few labels can be hidden. ``given``: whether the collection came with negatives.
    """

    name: str
    collection: str | Mapping[str, Any]
    encoder: str | Mapping[str, Any]
    documents: int
    rows: int
    split: str
    max_length: int
    held_out: float | None
    given: bool

    @property
    def methods(self) -> dict[str, str]:
        """The methods, each with the rule by which it is here."""
        found = {
            "in-batch": "always: the control without mined negatives",
            "random": "always: the control with mined documents and no search",
            "bm25": "always: the hardest negatives that words find",
        }
        if self.documents >= FEWEST_FOR_BAND:
            found["rank-band"] = f"from {FEWEST_FOR_BAND} documents: leaves out the ranks with most false negatives"
        found["margin"] = "always: leaves out what scores close to the positive"
        if self.given:
            found["given"] = "where a collection has some: the negatives that came with it"
        return found

    @property
    def trials(self) -> int:
        """Number of trainings."""
        return len(self.methods) * len(SEEDS)

    @property
    def batch_size(self) -> int:
        """Rows a step, at most the rows that there are."""
        return max(2, min(BATCH, self.rows))

    def __str__(self) -> str:
        width = max(map(len, self.methods))
        lines = [
            f"name: {_name(self.name)}",
            f"collection: {_yaml(self.collection)}",
            f"encoder: {_yaml(self.encoder)}",
            "methods:",
            *(f"  - {name:<{width}} # {rule}" for name, rule in self.methods.items()),
            f"seeds: {list(SEEDS)}",
            "baseline: in-batch",
            f"train: {{batch_size: {self.batch_size}, max_length: {self.max_length}}}",
        ]
        lines += [f"split: {self.split}"] if self.split != "test" else []
        lines += [f"held_out: {self.held_out}"] if self.held_out is not None else []
        return "\n".join(lines) + "\n"


_ENDING = re.compile(r"\.(csv|tsv|jsonl?|parquet)(\.gz)?$")


def _name(text: str) -> str:
    """Return the name of the grid as YAML, after the collection, without the ending of a file."""
    text = _ENDING.sub("", text)
    return json.dumps("advised-" + (re.sub(r"[^\w.-]+", "-", text).strip("-.") or "collection"), ensure_ascii=False)


def _yaml(value: str | Mapping[str, Any]) -> str:
    """Return a value as JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)
