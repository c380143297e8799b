"""How long the stages that are left take, from those of this run that were timed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from negbench.stages.inputs import Embed, start_of
from negbench.stages.training.train import Train
from negbench.store import Stage

EXPECTED_SECONDS: Final = {"training": 30.0, "embeddings of document": 5.0, "teacher": 30.0, "scores": 20.0}
"""Seconds of a stage by its effort where nothing like it was timed."""

OTHER_SECONDS: Final = 0.5

PASSES: Final = 3
"""A training step takes about as long as encoding its texts so many times: forward once, backward twice."""


class Durations:
    """Seconds of stages. Those of equal effort that rest on the same start take as long as the last one timed.

    Before a training was timed, its time follows from that of the start's documents and from how many documents it
    reads, ``documents_read`` by stage key; queries are short.
    """

    def __init__(self, documents_read: Mapping[str, int] | None = None) -> None:
        self._documents_read = documents_read or {}
        self._timed: dict[tuple[str, str], float] = {}
        self._per_document: dict[str, float] = {}

    @property
    def known(self) -> bool:
        """Whether the times rest on something that was timed here, not on what is usual."""
        return bool(self._per_document) or any(effort == Train.kind for effort, _ in self._timed)

    def timed(self, stage: Stage, cost: Mapping[str, float]) -> None:
        """Take note of what a stage took."""
        self._timed[_like(stage)] = cost["seconds"]
        if isinstance(stage, Embed) and cost.get("documents_encoded"):
            self._per_document[_like(stage)[1]] = cost["seconds"] / cost["documents_encoded"]

    def of(self, stage: Stage) -> float:
        """Return the seconds that a stage takes, roughly."""
        like = _like(stage)
        if like in self._timed:
            return self._timed[like]
        read, pace = self._documents_read.get(stage.key), self._per_document.get(like[1])
        if read is not None and pace is not None:
            return PASSES * pace * read
        return EXPECTED_SECONDS.get(stage.effort, OTHER_SECONDS)


def _like(stage: Stage) -> tuple[str, str]:
    start = start_of(stage)
    return stage.effort, "" if start is None else start.key
