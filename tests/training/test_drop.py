"""``fill: drop``: which rows are left out, by brute force, and a training without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import RECIPE
from moving_grids import plan
from pools import candidate_pool, mined
from sentence_transformers import SentenceTransformer

from negbench import mining
from negbench.collections.beir import Beir
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.mining import Rules
from negbench.report.results import record
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.inputs import read_collection
from negbench.store import Store
from negbench.training.batches import all_batches
from negbench.training.data import Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe
from negbench.types import Collection, Negatives, Qrels


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=6),
    st.integers(0, 4),
    st.integers(1, 3),
    st.sampled_from([Top(), Top(depth=3), Uniform()]),
)
def test_a_query_has_all_of_its_negatives_or_none(lengths: list[int], k: int, epochs: int, sampler: Any) -> None:
    """As many as there are candidates within the sampler's depth, and the others are those of any other fill."""
    ranks = np.arange(6)
    scores = np.where(ranks < np.array(lengths)[:, None], 9.0 - ranks, np.nan)
    pool, own = candidate_pool(scores), np.full(len(lengths), -1, np.int32)
    drawn, filled = (
        mining.mine(pool, Rules(sampler, fill=fill), k, 0, own, 100, epochs=epochs)  # type: ignore[arg-type]
        for fill in ("drop", "corpus")
    )
    depth = getattr(sampler, "depth", None) or 6
    for query, length in enumerate(lengths):
        if min(length, depth) >= k:
            assert drawn.documents[query].tolist() == filled.documents[query].tolist()
        else:
            assert (drawn.documents[query] == -1).all()
            assert (drawn.ranks[query] == -1).all()
            assert np.isnan(drawn.scores[query]).all()
    assert not drawn.origins.any()


SHORT = (3, 8, 9, 20)
"""Training queries of the garden, by position, without negatives in the first epoch; the first has some later."""


def draw(garden: Collection, epochs: int = 2) -> Negatives:
    positives, queries = garden.qrels["train"].by_query(), garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][query % 40 :][:2] for query in queries.tolist()]
    one = np.array(chosen, np.int32)
    tables = [one.copy() for _ in range(epochs)]
    for epoch, table in enumerate(tables):
        table[list(SHORT if epoch == 0 else SHORT[1:])] = -1
    return replace(mined(np.concatenate(tables, axis=1), queries=queries), epochs=epochs)


@pytest.mark.parametrize("positives", ["each", "one"])
def test_batches_hold_the_rows_of_queries_with_negatives(garden: Collection, positives: str) -> None:
    recipe = Recipe(epochs=2, batch_size=8, positives=positives)  # type: ignore[arg-type]
    data = instances(garden, "train", draw(garden), recipe, without_short=True)
    queries = garden.split_queries("train")
    rows = len(data.keys)
    for epoch, (batches, out) in enumerate(zip(all_batches(data, recipe, 0), (SHORT, SHORT[1:]), strict=True)):
        seen = np.sort(np.concatenate(batches))
        kept = [row for row in range(rows) if data.queries[row] not in queries[list(out)]]
        assert (seen // rows == epoch).all()
        if positives == "each":
            assert (seen - epoch * rows).tolist() == kept
        else:
            assert data.queries[seen].tolist() == sorted({*data.queries[kept].tolist()})
    everything = instances(garden, "train", draw(garden), recipe)
    assert everything.kept is None
    assert sum(map(len, all_batches(everything, recipe, 0)[0])) == (rows if positives == "each" else len(queries))


def trained(garden: Collection, data: Instances, recipe: Recipe, encoder: Path, folder: Path) -> Any:
    job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=3)
    return train(SentenceTransformer(str(encoder)), job, folder)


def test_it_trains_as_if_the_queries_had_never_been(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    """Loss by loss, to the bit: the labels of the queries that are short are taken away from the other training."""
    recipe = RECIPE.model_copy(update={"epochs": 1, "batch_size": 4})
    drawn = draw(garden, 1)
    labels = garden.qrels["train"]
    out = drawn.queries[list(SHORT)]
    others = Qrels.of([it for it in labels.triples() if it[0] not in out])
    thinned = replace(garden, qrels={**garden.qrels, "train": others})
    kept = np.setdiff1d(np.arange(len(drawn.queries)), SHORT)
    left = mined(drawn.documents[kept], queries=drawn.queries[kept])
    dropped, cost = trained(
        garden, instances(garden, "train", drawn, recipe, without_short=True), recipe, tiny_encoder, tmp_path
    )
    without, _ = trained(thinned, instances(thinned, "train", left, recipe), recipe, tiny_encoder, tmp_path)
    whole, most = trained(garden, instances(garden, "train", drawn, recipe), recipe, tiny_encoder, tmp_path)
    assert dropped["loss"] == without["loss"]
    assert cost["steps"] < most["steps"]
    assert whole["loss"] != dropped["loss"]


def test_epochs_may_have_different_numbers_of_steps(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"batch_size": 2})
    data = instances(garden, "train", draw(garden), recipe, without_short=True)
    epochs = all_batches(data, recipe, 3)
    assert len(epochs[0]) < len(epochs[1])
    curves, cost = trained(garden, data, recipe, tiny_encoder, tmp_path)
    assert cost["steps"] == len(curves["loss"]) == sum(map(len, epochs))


def test_a_trial_tells_how_many_rows_are_left_out_and_rates_the_others(tiny_encoder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    found = plan(tmp_path, tiny_encoder, ["bm25(filters=[rank-band(low=0, high=3)], fill=drop, selection=uniform)"])
    (trial,) = found
    for stage in trial.stages:
        store.ensure(stage)
    assert trial.negatives is not None
    assert trial.sequence is not None
    drawn = store.load(Negatives, trial.negatives)
    collection = read_collection(store.path(trial.sequence.collection))
    labels, truth = (it["train"].at_least(1) for it in (collection.qrels, collection.truth))
    rows = out = hits = total = 0
    for query in labels.queries.tolist():  # one row a label, in each of three epochs
        at = drawn.queries.tolist().index(query)
        for epoch in range(3):
            documents = drawn.of_epoch(epoch).documents[at]
            rows += 1
            out += int((documents < 0).any())
            if (documents >= 0).all():
                hits += int(truth.contains(np.full(3, query), documents).sum())
                total += 3
    assert 0 < out < rows
    told = record(trial, found, store, None)
    assert (told["draw"]["rows"], told["draw"]["rows_left_out"], told["draw"]["filled"]) == (rows, out, 0.0)
    assert read_rates(trial.counts, store.path)["exact"]["rate"] == pytest.approx(hits / total)
    assert store.cost(trial.sequence.last)["steps"] == len(trial.sequence.replay(store.path, collection).batches)


def test_where_no_row_is_left_the_draw_says_so_in_a_line(tiny_encoder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (trial,) = plan(tmp_path, tiny_encoder, ["bm25(filters=[rank-band(low=0, high=2)], fill=drop)"])
    assert trial.negatives is not None
    with pytest.raises(InputError, match=r"^fill=drop: no training query has 3 negatives left, so .* fill=corpus$"):
        store.ensure(trial.negatives)
    assert not store.has(trial.negatives)


def test_where_no_row_of_the_training_s_queries_is_left_it_says_so_as_well(tiny_encoder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    recipe = {"epochs": 1, "batch_size": 8, "max_length": 32, "precision": "float32", "queries": 1}
    for depth in range(3, 12):  # as many ranks as negatives: the one query has a positive among them, others have not
        method = f"bm25(filters=[rank-band(low=0, high={depth})], fill=drop)"
        (trial,) = plan(tmp_path, tiny_encoder, [method], negatives=depth, train=recipe)
        assert trial.training is not None
        for stage in trial.training.inputs:
            store.ensure(stage)
        data, _ = trial.training.rows(store.path, read_collection(store.path(trial.training.collection)))
        assert data.kept is not None
        if not data.kept.any():
            break
    with pytest.raises(InputError, match=f"^fill=drop: no training query has {depth} negatives left"):
        trial.training.job(store.path)
