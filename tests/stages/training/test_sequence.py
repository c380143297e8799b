"""Where the rows of several trainings find their negatives, against a count one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from negbench.stages.training.sequence import TrainingSequence
from negbench.training.data import Instances
from negbench.types import Qrels

LABELS, MADE_UP = "labels", "made up"


def training(rows: int, epochs: int, searches: int, k: int, draws: int | None, on: str = LABELS) -> Any:
    """Stands for a training: ``searches`` times ``epochs`` times ``rows`` rows; each row's negatives count on."""
    size = rows * epochs * searches
    queries = np.tile(np.arange(rows, dtype=np.int32), epochs * searches)
    data = Instances(
        queries=queries,
        positives=queries + 100,
        negatives=np.arange(size * k, dtype=np.int32).reshape(size, k),
        weights=np.ones(size, np.float32),
        known=Qrels.of([(row, row + 100, 1) for row in range(rows)]),
        keys=np.arange(rows, dtype=np.uint64),
    )
    batches = [np.arange(at, min(at + 3, size)) for at in range(0, size, 3)]
    return SimpleNamespace(
        collection=on,
        recipe=SimpleNamespace(epochs=epochs),
        negatives=None if draws is None else SimpleNamespace(epochs=draws),
        replay=lambda at, collection: (data, batches),
        shape=(rows, epochs, searches, k, 1 if draws is None else draws),
    )


COURSES = {
    "one draw": [training(5, 3, 1, 4, 1)],
    "a draw an epoch": [training(5, 3, 1, 4, 3)],
    "searched again": [training(4, 2, 3, 2, 2)],
    "searched again, one draw each": [training(4, 2, 3, 2, 1)],
    "without negatives first": [training(4, 1, 1, 0, None), training(4, 2, 2, 3, 2)],
    "three in a row": [training(3, 2, 2, 2, 2), training(3, 1, 1, 4, 1), training(3, 3, 1, 1, 3)],
    "made-up queries first": [training(7, 2, 1, 5, 2, MADE_UP), training(3, 2, 1, 2, 2)],
}


@pytest.mark.parametrize("trainings", COURSES.values(), ids=COURSES)
def test_each_row_has_its_epoch_its_round_and_its_columns(trainings: list[Any]) -> None:
    nothing: Any = None
    replay = TrainingSequence(tuple(trainings)).replay(nothing, nothing)
    counted = [training for training in trainings if training.collection == LABELS]
    widest = max(training.shape[3] for training in counted)
    expected: list[tuple[int, int, int]] = []
    negatives: list[list[int]] = []
    round_, column = 0, 0
    for one in counted:
        rows, epochs, searches, k, draws = one.shape
        row = 0
        for _ in range(searches):
            begins = [column + k * draw for draw in range(draws)]  # one draw after another, as they were searched
            for epoch in range(epochs):
                begin = begins[epoch] if draws > 1 else begins[0]
                for _ in range(rows):
                    expected.append((epoch, round_, begin))
                    negatives.append([*range(row * k, row * k + k), *[-1] * (widest - k)])
                    row += 1
            round_ += 1
            column += k * draws
    found = zip(replay.epochs.tolist(), replay.rounds.tolist(), replay.columns.tolist(), strict=True)
    assert list(found) == expected
    assert replay.data.negatives.tolist() == negatives
    # batches say rows of all trainings, each once and in order
    assert np.concatenate(replay.batches).tolist() == list(range(len(expected)))
