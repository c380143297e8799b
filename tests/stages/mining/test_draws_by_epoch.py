"""Samplers draw afresh for every epoch, and all that is drawn is found again by whoever counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import plan

from negbench import mining
from negbench.evaluation.false_negatives.exact import Exact
from negbench.filters.rank_band import RankBand
from negbench.mining import Rules
from negbench.retrieval.corpus import Corpus
from negbench.retrieval.pool import build
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.stages.evaluation import estimator_inputs
from negbench.stages.inputs import read_collection
from negbench.stages.refresh.rounds import read_rounds
from negbench.store import Store
from negbench.training.data import instances
from negbench.training.recipe import Recipe
from negbench.types import CandidatePool, Collection, Negatives, Qrels

SIZE = 60


def collection() -> Collection:
    return Collection(
        name="small",
        document_ids=[f"d{row}" for row in range(SIZE)],
        titles=[""] * SIZE,
        texts=[f"text {row}" for row in range(SIZE)],
        query_ids=[f"q{row}" for row in range(8)],
        queries=[f"question {row}" for row in range(8)],
        qrels={"train": Qrels.of([(row, row, 1) for row in range(8)])},
    )


def pool() -> CandidatePool:
    found = collection()
    return build(Corpus(depth=20), found, found.split_queries("train"), "train", 0)


def mine(rules: Rules, round: int = 0, epochs: int = 1, k: int = 4) -> Negatives:
    return mining.mine(pool(), rules, k, 0, np.full(8, -1, np.int32), SIZE, round, epochs=epochs)


SHORT = Rules(Uniform(), (RankBand(low=0, high=3),))
"""Draws at most three, and fills the fourth."""


@pytest.mark.parametrize("rules", [Rules(Uniform()), SHORT, Rules(Top(), SHORT.filters)])
@pytest.mark.parametrize("round", [0, 2])
def test_each_epoch_of_each_round_has_the_draw_of_a_round_of_its_own(rules: Rules, round: int) -> None:
    together = mine(rules, round, epochs=3)
    assert together.documents.shape == (8, 12)
    for epoch in range(3):
        alone, here = mine(rules, 3 * round + epoch), together.of_epoch(epoch)
        for name in ("documents", "origins", "ranks", "scores"):
            assert np.array_equal(getattr(here, name), getattr(alone, name), equal_nan=name == "scores")


def test_epochs_differ_where_chance_has_a_say_and_fills_differ_too() -> None:
    drawn = mine(SHORT, epochs=2)
    one, other = drawn.of_epoch(0), drawn.of_epoch(1)
    assert (one.origins[:, -1] == 1).all()
    assert (other.origins[:, -1] == 1).all()
    assert (one.documents[:, -1] != other.documents[:, -1]).sum() >= 6  # of 8, each alike by a chance of 1 in 50
    free = mine(Rules(Uniform()), epochs=2)
    same = sum(len(np.intersect1d(*pair)) for pair in zip(*[free.of_epoch(e).documents for e in (0, 1)], strict=True))
    assert same < 16  # 32 if frozen; about 6 by chance


def test_fills_from_below_the_filters_are_drawn_afresh_as_well() -> None:
    """Two of the 17 ranks below, in any order: alike by a chance of 1 in 272."""
    drawn = mine(Rules(Top(), SHORT.filters, fill="below-filters"), epochs=3, k=5)
    assert all((drawn.of_epoch(epoch).origins[:, 3:] == 1).all() for epoch in range(3))
    found = pool()
    filled = np.stack([drawn.of_epoch(epoch).documents[:, 3:] for epoch in range(3)])
    below = [found.documents[row, 3:] for row in range(8)]
    ranks = [
        [np.flatnonzero(np.isin(below[row], filled[epoch, row])).tolist() for row in range(8)] for epoch in (0, 1, 2)
    ]
    assert all(len(two) == 2 for one in ranks for two in one)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (filled[one] != filled[other]).any(axis=1).sum() >= 6
    places = [tuple(two) for two in ranks[0]]
    assert len(set(places)) >= 6  # each query has chances of its own
    assert any(max(two) >= 10 for two in places)  # and the ranks are not taken in order


def test_training_rows_of_an_epoch_have_its_draw() -> None:
    drawn = mine(Rules(Uniform()), epochs=3)
    data = instances(collection(), "train", drawn, Recipe(epochs=3))
    for epoch in range(3):
        assert np.array_equal(data.negatives[8 * epoch : 8 * epoch + 8], drawn.of_epoch(epoch).documents)
    once = mine(Rules(Uniform()))
    data = instances(collection(), "train", once, Recipe(epochs=3))
    assert np.array_equal(data.negatives, np.tile(once.documents, (3, 1)))


def test_growing_takes_the_first_of_each_epochs_draw() -> None:
    drawn = mine(Rules(Uniform()), epochs=2)
    data = instances(collection(), "train", drawn, Recipe(epochs=2), growing=True)
    assert np.array_equal(data.negatives[:8, :2], drawn.documents[:, :2])
    assert (data.negatives[:8, 2:] == -1).all()
    assert np.array_equal(data.negatives[8:], drawn.documents[:, 4:])


STAGES = {"curriculum": {"phases": ["random(work=0.4)", "simans(work=0.6, candidates_from=start)"]}}
METHODS: list[Any] = [
    "random",
    {"random": {"draws": "once"}},
    STAGES,
    {"random": {"refresh": "redraw(steps=2)"}},
    {"simans": {"refresh": "every(steps=2)"}},
    {"simans": {"refresh": "every-epoch"}},
]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_row_that_is_trained_with_is_found_among_the_negatives_that_are_counted(
    method: Any, tmp_path: Path, tiny_encoder: Path
) -> None:
    (trial,) = plan(tmp_path / "plan", tiny_encoder, [method])
    store = Store(tmp_path / "store")
    assert trial.sequence is not None
    assert trial.negatives is not None
    assert trial.false_negatives is not None
    store.ensure(trial.false_negatives)
    full = read_collection(store.path(trial.sequence.collection))
    replay = trial.sequence.replay(store.path, full)
    located = trial.negatives.located(store.path)
    drawn = located.negatives
    seen = np.concatenate(replay.batches)
    k = replay.data.negatives.shape[1]
    rows = np.searchsorted(drawn.queries, replay.data.queries[seen])[:, None]
    columns = replay.columns[seen][:, None] + np.arange(k)
    assert np.array_equal(drawn.documents[rows, columns], replay.data.negatives[seen])
    used = np.unique(columns)
    others = np.setdiff1d(np.arange(drawn.documents.shape[1]), used)
    assert (drawn.documents[:, others] == -1).all()  # what no step sees is not counted
    # gaps are the scores' distances in one unit a query and round, from the positive of that round's candidates
    begins = [int(replay.columns[replay.rounds == number].min()) for number in range(int(replay.rounds.max()) + 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        units = (located.positives - drawn.scores) / located.gaps
    assert np.isfinite(units).any() == ("simans" in str(method))
    for begin, end in zip(begins, [*begins[1:], units.shape[1]], strict=True):
        for row in units[:, begin:end]:
            told = row[np.isfinite(row)]
            assert len(told) == 0 or told == pytest.approx(np.full(len(told), told[0]), rel=1e-3)
    # by hand: each row of each batch counts its negatives once
    truth = full.truth["train"].at_least(1)
    handed = estimator_inputs.training_negatives(replay.data, seen, full, "train")
    relevant = [truth.contains(handed.queries[[row]], handed.documents[row]) for row in range(len(seen))]
    expected = np.mean([hit for row in relevant for hit in row.tolist()])
    assert Exact().estimate(handed)["exact"].rate == pytest.approx(expected)


def test_a_redraw_keeps_the_first_candidates_and_changes_what_is_drawn(tmp_path: Path, tiny_encoder: Path) -> None:
    method = {"simans": {"refresh": "redraw(steps=2)"}}
    (trial,) = plan(tmp_path / "plan", tiny_encoder, [method])
    store = Store(tmp_path / "store")
    assert trial.training is not None
    draw = trial.training.mined
    folder = store.ensure(trial.training) / "rounds"
    candidates = draw.candidates(store.path)
    rounds = [store.load(Negatives, draw)]
    for number in range(1, 3):
        expected = draw.choose(candidates, store.path, number)
        found = read_rounds(folder)[number - 1].negatives
        assert np.array_equal(found.documents, expected.documents)
        rounds.append(found)
    assert not np.array_equal(rounds[0].documents, rounds[1].documents)
    assert not np.array_equal(rounds[1].documents, rounds[2].documents)
