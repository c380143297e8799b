"""A grid for a collection, with methods by stated rules, and a comment for each key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SEEDS: Final = (0, 1, 2)
BATCH: Final = 32
STEPS: Final = 200
"""Steps of a training that the epochs are chosen for: after a few dozen an encoder has hardly moved from its start."""

MOST_EPOCHS: Final = 20
"""Epochs at most: so few pairs that this is not enough are not read more often."""

RATE: Final = "2e-5"
STATIC_RATE: Final = "2e-3"
"""Of token embeddings alone (``keep_layers: 0``), as in the quickstart; 2e-5 hardly moves them."""

WIDEST: Final = 44
"""Column of the comments, at most."""
FEWEST_FOR_BAND: Final = 200
"""Documents from which ``rank-band`` is suggested: it ends at a tenth of the corpus, and begins at rank 10."""

MANY_POSITIVES: Final = 5
"""Positives of a training query, in the mean, from which ``margin`` is suggested below the highest of them.

``margin`` itself keeps what scores below the lowest one, and of many positives the lowest often scores below all
candidates: on NFCorpus, with 43 positives a query, 94 % of its negatives were random fill, and 18 % with the highest.
"""


@dataclass(frozen=True, kw_only=True)
class SuggestedGrid:
    """What the rules ask for: sizes of the collection, and ``rows`` labelled pairs of ``queries`` training queries.

    ``split`` is evaluated on. ``held_out`` is the share of labels to hide, None where a truth makes it needless or too
    few labels can be hidden. ``given``: whether the collection came with negatives. ``static``: whether the encoder is
    token embeddings alone.
    """

    name: str
    collection: str | Mapping[str, Any]
    encoder: str | Mapping[str, Any]
    documents: int
    rows: int
    queries: int
    split: str
    max_length: int
    held_out: float | None
    given: bool
    static: bool

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
        if self.rows < MANY_POSITIVES * self.queries:
            found["margin"] = "leaves out what scores close to the positive, the lowest of several"
        else:
            found["margin(positive=highest)"] = (
                f"from {MANY_POSITIVES} positives a query, whose lowest may score below all candidates"
            )
        if self.given:
            found["given"] = "where a collection has some: the negatives that came with it"
        return found

    @property
    def trials(self) -> int:
        """Number of trainings: methods times seeds."""
        return len(self.methods) * len(SEEDS)

    @property
    def batch_size(self) -> int:
        """Rows a step, at most the rows that there are."""
        return max(2, min(BATCH, self.rows))

    @property
    def epochs(self) -> int:
        """Epochs that give a training ``STEPS`` steps, at most ``MOST_EPOCHS``."""
        return min(MOST_EPOCHS, math.ceil(STEPS / self._steps_an_epoch))

    @property
    def steps(self) -> int:
        """Steps of a training, none of whose rows is left out."""
        return self.epochs * self._steps_an_epoch

    @property
    def _steps_an_epoch(self) -> int:
        return max(1, math.ceil(self.rows / self.batch_size))

    @property
    def _shortage(self) -> str:
        return "" if self.steps >= STEPS else ", few: more labelled pairs would help"

    @property
    def _rate_rule(self) -> str:
        return "for token embeddings, which 2e-5 hardly moves" if self.static else "usual for a transformer"

    def __str__(self) -> str:
        """Return the grid as YAML; each key has a comment that says what it does, or why it has this value."""
        name = _name(self.name)
        lines = [
            (f"name: {name}", f"the results go to runs/{json.loads(name)}"),
            (f"collection: {_yaml(self.collection)}", f"{self.documents:,} documents, {self.rows:,} labelled pairs"),
            (f"encoder: {_yaml(self.encoder)}", "what is trained: a hub id, a folder or the name of offline weights"),
            ("methods:", "a row of the table each; negbench methods lists all"),
            *((f"  - {method}", rule) for method, rule in self.methods.items()),
            (f"seeds: {list(SEEDS)}", f"each method is trained once a seed: {self.trials} trainings"),
            ("baseline: in-batch", "what the others are compared with"),
            ("train:", f"{self.steps:,} steps a training{self._shortage}"),
            (f"  epochs: {self.epochs}", f"the fewest that give {STEPS} steps, at most {MOST_EPOCHS}"),
            (f"  batch_size: {self.batch_size}", "rows a step"),
            (f"  learning_rate: {STATIC_RATE if self.static else RATE}", self._rate_rule),
            (f"  max_length: {self.max_length}", "tokens that nine texts of ten fit into, or the most"),
        ]
        if self.split != "test":
            lines.append((f"split: {self.split}", "there is no test split"))
        if self.held_out is not None:
            lines.append((f"held_out: {self.held_out}", "share of the labels to hide, which estimates false negatives"))
        width = min(WIDEST, max(len(text) for text, _ in lines))
        return "".join(f"{text:<{width}} # {comment}\n" for text, comment in lines)


_ENDING = re.compile(r"\.(csv|tsv|jsonl?|parquet)(\.gz)?$")


def _name(text: str) -> str:
    """Return the name of the grid as YAML, after the collection, without the ending of a file."""
    text = _ENDING.sub("", text)
    return json.dumps(re.sub(r"[^\w.-]+", "-", text).strip("-.") or "collection", ensure_ascii=False)


def _yaml(value: str | Mapping[str, Any]) -> str:
    """Return a value as JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)
