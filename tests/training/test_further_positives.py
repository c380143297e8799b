"""Further positives of a query, which a loss over several positives has put into the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.evaluation import in_batch
from negbench.losses import Loss
from negbench.stages.training.train import Train
from negbench.training.data import Collator, Instances, in_rounds, instances, marks
from negbench.training.recipe import Recipe
from negbench.types import Collection, Negatives, Qrels

JUDGED = {0: [0, 1, 2, 3, 4], 1: [5], 2: [6, 7]}
RECIPE = Recipe(epochs=4, batch_size=4)


@pytest.fixture
def collection() -> Collection:
    """Three queries with five positives, one and two, among twelve documents."""
    return Collection(
        name="small",
        document_ids=[f"d{row}" for row in range(12)],
        titles=[""] * 12,
        texts=[f"text {row}" for row in range(12)],
        query_ids=[f"q{row}" for row in range(3)],
        queries=[f"question {row}" for row in range(3)],
        qrels={"train": Qrels.of([(q, d, 1) for q, documents in JUDGED.items() for d in documents])},
    )


def negatives() -> Negatives:
    return mined(np.array([[8], [9], [10]], np.int32), queries=[0, 1, 2])


def rows(collection: Collection, count: int, seed: int = 0) -> Instances:
    return instances(collection, "train", negatives(), RECIPE, seed, further_positives=count)


def test_they_are_other_positives_of_the_query(collection: Collection) -> None:
    data = rows(collection, 2)
    assert data.further_positives is not None
    assert data.further_positives.shape == (8 * 4, 2)
    for query, positive, further in zip(data.queries, data.positives, data.further_positives, strict=True):
        drawn = further[further >= 0].tolist()
        assert len(set(drawn)) == len(drawn) == min(2, len(JUDGED[query]) - 1)
        assert set(drawn) <= set(JUDGED[query]) - {positive}
    none = rows(collection, 0)
    assert none.further_positives is None
    np.testing.assert_array_equal(none.negatives, data.negatives)
    alone = instances(collection, "train", None, RECIPE, further_positives=2)  # without negatives of its own
    np.testing.assert_array_equal(alone.further_positives, data.further_positives)


def test_all_positives_have_their_turn(collection: Collection) -> None:
    """Drawn anew each epoch and for each seed, and again the same."""
    seen: set[int] = set()
    for seed in range(10):
        table = rows(collection, 1, seed).further_positives
        assert table is not None
        np.testing.assert_array_equal(table, rows(collection, 1, seed).further_positives)
        seen |= set(table[0::8].ravel().tolist())  # those of the first row, whose positive is the first document
    assert seen == {1, 2, 3, 4}


def test_the_batch_holds_them_as_known_positives(collection: Collection, tiny_encoder: Path) -> None:
    data = rows(collection, 2)
    model = SentenceTransformer(str(tiny_encoder))
    batch = [0, 5, 6]  # a row of each query
    label: Any = Collator(data, collection, model, 10**9)([{"row": row} for row in batch])["label"]
    documents = label["document_rows"].numpy()
    assert data.further_positives is not None
    further = data.further_positives[batch]
    wanted = {*data.positives[batch].tolist(), *data.negatives[batch].ravel().tolist(), *further[further >= 0].tolist()}
    assert set(documents.tolist()) == wanted
    known = label["known_mask"].numpy()
    assert known.sum(axis=1).tolist() == [3, 1, 2]
    assert not (known & label["mined_mask"].numpy()).any()


def test_to_other_rows_they_are_in_batch_negatives(collection: Collection) -> None:
    """Counted as the loss sees them, document by document."""
    data = rows(collection, 2)
    assert data.further_positives is not None
    truth = Qrels.of([*data.known.triples(), (1, 2, 1), (2, 0, 1), (1, 6, 1)])
    batches = [np.arange(start, start + 4, dtype=np.int32) for start in range(0, 32, 4)]
    hits = total = 0
    for batch in batches:
        documents = data.documents(batch.astype(np.int64))
        _, known, own = marks(data, batch.astype(np.int64), documents)
        relevant = truth.contains(data.queries[batch][:, None], documents[None, :])
        hits += int((relevant & ~known & ~own).sum())
        total += int((~known & ~own).sum())
    table = np.hstack([data.negatives, data.further_positives])
    rate = in_batch.false_negatives(batches, data.queries, data.positives, table, data.known, truth)
    assert hits > 0
    assert rate.rate == pytest.approx(hits / total)


def test_rounds_with_and_without_them_go_together(collection: Collection) -> None:
    several, none = rows(collection, 2), rows(collection, 0)
    assert several.further_positives is not None
    together = in_rounds([none, several]).further_positives
    assert together is not None
    assert (together[:32] == -1).all()
    np.testing.assert_array_equal(together[32:], several.further_positives)
    assert in_rounds([none, none]).further_positives is None


def test_they_alone_are_part_of_the_schedule() -> None:
    """What counts the false negatives of a batch is shared by losses that see the same documents."""

    def schedule(loss: str) -> dict[str, Any]:
        named: Any = {"encoder": None, "collection": None, "split": "train", "negatives": None, "seed": 0}
        return Train(**named, loss=Loss.model_validate(loss), recipe=RECIPE).schedule

    assert schedule("multi-positive(positives=1)") == schedule("infonce")
    assert schedule("matryoshka(loss=multi-positive)") == schedule("multi-positive(objective=joint)")
    assert schedule("multi-positive") == {**schedule("infonce"), "further_positives": 3}
