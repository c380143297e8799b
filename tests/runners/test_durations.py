"""Estimated seconds of stages that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from negbench.collections.helpdesk import Helpdesk
from negbench.encoders.spec import EncoderSpec
from negbench.runners.durations import EXPECTED_SECONDS, Durations
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder
from negbench.store import Stage

TEXTS = LoadCollection(Helpdesk(), "texts")


@dataclass(frozen=True, eq=False)
class Training(Stage):
    """Stands for a training: what is asked is its effort, its encoder and its key."""

    kind: ClassVar[str] = "training"

    encoder: Stage
    seed: int

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        raise NotImplementedError


def _start(layers: int | None) -> StartEncoder:
    return StartEncoder(EncoderSpec(model="m", keep_layers=layers), "weights", None)


def _documents(encoder: Stage) -> Embed:
    return Embed(
        encoder=encoder, collection=TEXTS, side="document", split=None, max_length=64, precision="float32", prompt=None
    )


def test_a_training_takes_what_reading_its_documents_thrice_takes_until_one_was_timed() -> None:
    first, second = Training(_start(0), 0), Training(_start(0), 1)
    durations = Durations({first.key: 500, second.key: 500})
    assert not durations.known
    assert durations.of(first) == EXPECTED_SECONDS["training"]
    durations.timed(_documents(_start(0)), {"seconds": 2.0, "documents_encoded": 1000})
    assert durations.known
    assert durations.of(first) == 3 * 500 * 2.0 / 1000
    durations.timed(first, {"seconds": 7.0})
    assert durations.of(second) == 7.0


def test_the_vectors_of_another_start_say_nothing() -> None:
    durations = Durations()
    durations.timed(_documents(_start(None)), {"seconds": 90.0, "documents_encoded": 1000})
    assert durations.of(_documents(_start(0))) == EXPECTED_SECONDS["embeddings of document"]
    durations.timed(_documents(_start(0)), {"seconds": 2.0, "documents_encoded": 1000})
    assert durations.of(_documents(Training(_start(0), 3))) == 2.0
