"""How long the stages that are left take, from those of this run that were timed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Final

from negbench.runners.reading_times import PASSES
from negbench.stages.inputs import Embed, start_of
from negbench.stages.training.train import Train
from negbench.store import Stage

EXPECTED_SECONDS: Final = {"training": 30.0, "embeddings of document": 5.0, "teacher": 30.0, "scores": 20.0}
"""Seconds of a stage by its effort where nothing like it was timed."""

SECONDS_A_DOCUMENT: Final = 0.015
"""Seconds in which a whole transformer of 20 million weights reads a document of full length on a core or two."""

FULL_LENGTH: Final = 256
"""Tokens of a document of full length, which is also what models without a length of their own are expected to read."""

OTHER_SECONDS: Final = 0.5
"""Seconds of a short stage where no short one was timed."""


class Durations:
    """Seconds of stages. Those of equal effort that rest on the same start take as long as the last one timed.

    Before a training was timed, its time follows from that of the start's documents: once what came before they were
    encoded, and the encoding by how many documents the training reads, ``documents_read`` by stage key; queries are
    short. Where trainings were timed that read other numbers of documents, it takes as much longer than the closest as
    it reads more. A short stage of a kind that was not timed takes the median of the short ones that were.

    Where no document was encoded by a start, its encoding takes what is usual for ``documents_encoded``, by stage key,
    which counts those that a transformer encodes.
    """

    def __init__(
        self, documents_read: Mapping[str, int] | None = None, documents_encoded: Mapping[str, int] | None = None
    ) -> None:
        self._documents_read = documents_read or {}
        self._documents_encoded = documents_encoded or {}
        self._timed: dict[tuple[str, str], float] = {}
        self._trained: dict[tuple[str, str], dict[int, float]] = {}
        """Seconds of trainings by the number of documents that they read."""
        self._encoded: dict[str, tuple[float, float]] = {}
        """Seconds before the first document and seconds a document, by start."""

    @property
    def known(self) -> bool:
        """Whether the times rest on something that was timed here, not on what is usual."""
        return bool(self._encoded) or any(effort == Train.kind for effort, _ in self._timed)

    def timed(self, stage: Stage, cost: Mapping[str, float]) -> None:
        """Take note of what a stage took."""
        self._timed[_like(stage)] = cost["seconds"]
        if stage.key in self._documents_read:
            self._trained.setdefault(_like(stage), {})[self._documents_read[stage.key]] = cost["seconds"]
        if isinstance(stage, Embed) and cost.get("documents_encoded"):
            encoding = min(cost.get("encoding_seconds", cost["seconds"]), cost["seconds"])
            self._encoded[_like(stage)[1]] = cost["seconds"] - encoding, encoding / cost["documents_encoded"]

    def of(self, stage: Stage) -> float:
        """Return the seconds that a stage takes, roughly."""
        like, read = _like(stage), self._documents_read.get(stage.key)
        if read and (trained := {it: seconds for it, seconds in self._trained.get(like, {}).items() if it}):
            closest = min(trained, key=lambda it: abs(it - read))
            return trained[closest] * read / closest
        if like in self._timed:
            return self._timed[like]
        if read is not None and like[1] in self._encoded:
            before, pace = self._encoded[like[1]]
            return before + PASSES * pace * read
        if stage.key in self._documents_encoded:
            return SECONDS_A_DOCUMENT * self._documents_encoded[stage.key]
        if stage.effort in EXPECTED_SECONDS:
            return EXPECTED_SECONDS[stage.effort]
        short = [seconds for (effort, _), seconds in self._timed.items() if effort not in EXPECTED_SECONDS]
        return statistics.median(short) if short else OTHER_SECONDS


def _like(stage: Stage) -> tuple[str, str]:
    start = start_of(stage)
    return stage.effort, "" if start is None else start.key
