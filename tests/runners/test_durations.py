"""Estimated seconds of stages that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from negbench.collections.helpdesk import Helpdesk
from negbench.encoders import weights
from negbench.encoders.spec import EncoderSpec
from negbench.runners.durations import EXPECTED_SECONDS, OTHER_SECONDS, SECONDS_A_DOCUMENT, Durations
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder
from negbench.store import Stage, Store

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


def test_what_comes_once_before_the_documents_is_not_multiplied() -> None:
    """Of ten seconds nine are for the model and the tokens, as with a student of few layers."""
    training = Training(_start(0), 0)
    durations = Durations({training.key: 5000})
    cost = {"seconds": 10.0, "documents_encoded": 1000, "encoding_seconds": 1.0}
    durations.timed(_documents(_start(0)), cost)
    assert durations.of(training) == pytest.approx(9.0 + 3 * 5 * 1.0)


def test_a_training_that_reads_more_takes_longer_than_the_one_that_was_timed() -> None:
    short, long, other = (Training(_start(0), seed) for seed in range(3))
    durations = Durations({short.key: 500, long.key: 4000, other.key: 3500})
    durations.timed(short, {"seconds": 6.0})
    assert durations.of(long) == 48.0
    durations.timed(long, {"seconds": 40.0})
    assert durations.of(short) == 6.0
    assert durations.of(other) == 35.0


def test_a_short_stage_takes_what_short_ones_took() -> None:
    evaluation = replace(_documents(_start(0)), side="query", split="test")
    durations = Durations()
    assert durations.of(evaluation) == OTHER_SECONDS
    durations.timed(TEXTS, {"seconds": 0.1})
    durations.timed(_documents(_start(None)), {"seconds": 90.0, "documents_encoded": 1000})
    assert durations.of(evaluation) == 0.1


def test_an_encoding_says_how_long_it_took_by_itself(tmp_path: Path, tiny_encoder: Path) -> None:
    spec, source = EncoderSpec(model=str(tiny_encoder)), Helpdesk(articles=100, queries=24, dev=6, test=12)
    texts = LoadCollection(source, source.fingerprint())
    stage = replace(_documents(StartEncoder(spec, weights.fingerprint(spec.model, None), None)), collection=texts)
    store = Store.at(tmp_path)
    store.ensure(stage)
    cost = store.cost(stage)
    assert 0 < cost["encoding_seconds"] < cost["seconds"]


def test_the_vectors_of_another_start_say_nothing() -> None:
    durations = Durations()
    durations.timed(_documents(_start(None)), {"seconds": 90.0, "documents_encoded": 1000})
    assert durations.of(_documents(_start(0))) == EXPECTED_SECONDS["embeddings of document"]
    durations.timed(_documents(_start(0)), {"seconds": 2.0, "documents_encoded": 1000})
    assert durations.of(_documents(Training(_start(0), 3))) == 2.0


def test_a_transformer_that_was_not_timed_takes_what_its_documents_usually_take() -> None:
    """Five seconds, whatever there is to read, were far too few for a whole model beside a student of few layers."""
    untouched, student = _documents(_start(None)), _documents(_start(0))
    durations = Durations(documents_encoded={untouched.key: 4000})
    durations.timed(student, {"seconds": 2.0, "documents_encoded": 4000})
    assert durations.of(untouched) == 4000 * SECONDS_A_DOCUMENT
    durations.timed(untouched, {"seconds": 90.0, "documents_encoded": 4000})
    assert durations.of(_documents(_start(None))) == 90.0
