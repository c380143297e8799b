"""Pairs that look mismatched: what they are told by, what their rows weigh then, and what is kept of it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import moving_grids
import numpy as np
import pytest
from moving_grids import TRAIN
from scipy.special import logsumexp
from sentence_transformers import SentenceTransformer
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from negbench.collections.beir import Beir
from negbench.collections.helpdesk_v1 import HelpdeskV1
from negbench.detectors.pair_mixture import PairMixture
from negbench.losses.infonce import InfoNCE
from negbench.methods import resolve
from negbench.plan.trials import Trial
from negbench.report.details import pooled, tables
from negbench.stages.evaluation import breakdown_files
from negbench.stages.evaluation.breakdown import DetectorQuality
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.evaluation.gradient import WeighFalseNegatives
from negbench.stages.inputs import read_collection
from negbench.stages.training.detecting import Detecting, perplexity, read_clean
from negbench.store import Store
from negbench.training import loop
from negbench.training.data import Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.recipe import Recipe
from negbench.training.targets import Targets
from negbench.types import Collection, Float32, Int32, Qrels

plan = partial(moving_grids.plan, negatives=2)
WIDE = "npc(batch=999)"
"""All rows are compared with one another."""


def left(store: Store, trial: Trial) -> tuple[bytes, dict[str, Any]]:
    """Return the weights' bytes and the curves of a training."""
    assert trial.training is not None
    folder = store.ensure(trial.training)
    return (folder / "model/model.safetensors").read_bytes(), json.loads((folder / "curves.json").read_text())


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Any]]:
    """What the weights were at each look, by its number."""
    found: dict[int, dict[str, Any]] = {}
    real = Detecting.request

    def watched(self: Detecting, model: SentenceTransformer, number: int, *rest: Any) -> None:
        found[number] = copy.deepcopy(model.state_dict())
        real(self, model, number, *rest)

    monkeypatch.setattr(Detecting, "request", watched)
    return found


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The queries, positives and weights of each batch as training saw them."""
    found: list[np.ndarray] = []
    real = loop.Collator.__call__

    def watched(self: loop.Collator, features: Any) -> dict[str, Any]:
        rows = [feature["row"] for feature in features]
        found.append(np.column_stack([self.data.queries[rows], self.data.positives[rows], self.data.weights[rows]]))
        return real(self, features)

    monkeypatch.setattr(loop.Collator, "__call__", watched)
    return found


class Table(Targets):
    """Scores of all pairs [Q, N]."""

    def __init__(self, scores: Float32) -> None:
        self.scores = scores

    def of(self, queries: Int32, documents: Int32) -> Float32:
        return self.scores[queries[:, None], documents[None, :]]


class TestPerplexity:
    @pytest.fixture
    def garden(self, tiny_collection: Path) -> Collection:
        return Beir(path=str(tiny_collection)).load()

    def test_by_brute_force_among_all_rows(self, garden: Collection) -> None:
        """Queries have up to three positives here, and documents several queries; of epoch 1, the second."""
        data = instances(garden, "train", None, Recipe(epochs=2))
        scores = np.random.default_rng(0).uniform(-1, 1, (40, 60)).astype(np.float32)
        found = perplexity(Table(scores), data, 1, PairMixture(batch=999, temperature=0.1), 0)
        positives = garden.qrels["train"].by_query()
        others = np.unique(data.positives)
        for row, value in enumerate(found):
            query, own = int(data.queries[row]), int(data.positives[row])
            counted = [scores[query, d] / 0.1 for d in others if d == own or d not in positives[query]]
            assert value == pytest.approx(logsumexp(counted) - scores[query, own] / 0.1, rel=1e-4, abs=1e-5)
        assert max(map(len, positives.values())) > 1
        assert len(others) < len(data.keys)

    def test_batches_are_drawn_at_random_and_are_all_as_large(self) -> None:
        """With equal scores a perplexity is the log of how many were compared."""
        labels = Qrels.of([(row, row, 1) for row in range(70)])
        texts = [str(row) for row in range(70)]
        data = instances(
            Collection(
                name="c",
                document_ids=texts,
                titles=[""] * 70,
                texts=texts,
                query_ids=texts,
                queries=texts,
                qrels={"train": labels},
            ),
            "train",
            None,
        )
        even = np.exp(perplexity(Table(np.zeros((70, 70), np.float32)), data, 0, PairMixture(batch=32), 0)).round()
        assert sorted(even) == [23] * 46 + [24] * 24
        scores = np.random.default_rng(0).uniform(-1, 1, (70, 70)).astype(np.float32)
        one, same, other = (perplexity(Table(scores), data, 0, PairMixture(batch=8), seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, same)
        assert (one != other).mean() > 0.8
        everyone = perplexity(Table(scores), data, 0, PairMixture(batch=70), 0)
        assert (one <= everyone + 1e-5).all()
        assert one.mean() < everyone.mean() - 1

    def test_mined_negatives_have_no_say(self, garden: Collection) -> None:
        plain = instances(garden, "train", None)
        mined = replace(plain, negatives=np.tile(np.arange(60, dtype=np.int32), (len(plain.queries), 1)))
        scores = np.random.default_rng(0).uniform(-1, 1, (40, 60)).astype(np.float32)
        found = [perplexity(Table(scores), data, 0, PairMixture(), 0) for data in (plain, mined)]
        np.testing.assert_array_equal(*found)


def swapped(garden: Collection) -> tuple[Collection, np.ndarray]:
    """Ask twice for each document of the garden by its title, and exchange a quarter of the positives; and which."""
    asked = [f"{how} {title}" for title in garden.titles for how in ("how often for my", "when is it good")]
    rng, right = np.random.default_rng(0), np.repeat(np.arange(60), 2)
    chosen, positives = np.sort(rng.permutation(120)[:30]), right.copy()
    positives[chosen] = right[np.roll(chosen, 7)]
    labels = Qrels.of([(query, document, 1) for query, document in enumerate(positives.tolist())])
    ids = [f"q{query}" for query in range(120)]
    made = replace(garden, query_ids=ids, queries=asked, qrels={"train": labels}, truth={})
    return made, positives != right


def test_planted_mismatches_have_the_higher_perplexity_after_a_short_warm_up(
    tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """As the paper says: trained from random weights on the noisy pairs themselves, for three epochs."""
    noisy, mismatched = swapped(Beir(path=str(tiny_collection)).load())
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=3e-3, max_length=32, precision="float32")
    data = instances(noisy, "train", None, recipe)
    model = SentenceTransformer(str(tiny_encoder))
    job = TrainingJob(data=data, collection=noisy, loss=InfoNCE(), recipe=recipe, seed=0)
    looking = Detecting(PairMixture(warm_up=0), job, tmp_path)

    def area() -> float:
        found = perplexity(looking._scores(model, 0), data, 0, looking.detector, 0)
        return float(roc_auc_score(mismatched[data.queries[:120]], found))

    before = area()
    loop.train(model, job, tmp_path)
    after = area()
    assert after > max(0.9, before + 0.1)
    looking.request(model, 1, data.queries)
    _, told = looking.take(1)
    flagged = ~looking.clean[0]
    assert told["flagged"] == pytest.approx(flagged.mean())
    assert mismatched[data.queries[:120]][flagged].mean() > 0.6  # of a quarter of all


def by_hand(state: dict[str, Any], encoder: Path, collection: Collection, data: Instances, epoch: int) -> np.ndarray:
    """Which rows of an epoch match, by a fresh model with the weights of a look, all rows being compared."""
    model = SentenceTransformer(str(encoder))
    model.load_state_dict(state)
    model.max_seq_length = 32
    rows = np.arange(len(data.keys)) + epoch * len(data.keys)
    others = np.unique(data.positives[rows])
    queries = model.encode([collection.queries[row] for row in data.queries[rows]], normalize_embeddings=True)
    passages = collection.passages()
    scores = queries @ model.encode([passages[row] for row in others], normalize_embeddings=True).T / 0.05
    known = data.known.contains(data.queries[rows][:, None], others[None, :])
    own = others[None, :] == data.positives[rows][:, None]
    values = logsumexp(np.where(known & ~own, -np.inf, scores), axis=1) - scores[own]
    fit = GaussianMixture(2, random_state=1, max_iter=1000).fit(values[:, None])
    clean: np.ndarray = fit.predict_proba(values[:, None])[:, fit.means_[:, 0].argmin()] > 0.5
    return clean


def test_weights_are_those_of_a_look_at_the_end_of_each_epoch(
    tmp_path: Path, tiny_encoder: Path, states: dict[int, dict[str, Any]], handed: list[np.ndarray]
) -> None:
    """By a fresh model; replayed as they were handed. Promoted documents stand in for positives now and then."""
    method = "without-duplicates(detector=pair-mixture(batch=999), loss=npc)"
    (trial,) = plan(tmp_path, tiny_encoder, [method])
    store = Store(tmp_path / "store")
    assert trial.training is not None
    told = left(store, trial)[1]
    clean = read_clean(store.path(trial.training))
    collection = read_collection(store.path(trial.training.collection))
    data, batches = trial.training.replay(store.path, collection)
    assert clean.shape == (3, len(data.keys))
    assert clean[0].all()
    assert sorted(states) == [1, 2]
    for epoch in (1, 2):
        wanted = by_hand(states[epoch], tiny_encoder, collection, data, epoch)
        assert (clean[epoch] == wanted).mean() > 0.95  # where the fits ended differs by a hair
        assert 0 < clean[epoch].mean() < 1
    assert told["flagged"] == [[2, pytest.approx(1 - clean[1].mean())], [4, pytest.approx(1 - clean[2].mean())]]
    assert len(handed) == len(batches) == 6
    for batch, found in zip(batches, handed, strict=True):
        now = np.column_stack([data.queries[batch], data.positives[batch], data.weights[batch]])
        np.testing.assert_array_equal(now, found)
    labels = trial.training.rows(store.path, collection)[0]
    assert (data.positives != instances(collection, "train", None, Recipe(epochs=3)).positives).any()
    np.testing.assert_array_equal(data.weights, np.where(clean.ravel(), labels.weights, 0))
    cost = store.cost(trial.training)
    assert cost["queries_encoded"] == 2 * 32
    assert cost["detection_seconds"] > 0


class TestWarmUp:
    def test_one_beyond_the_training_leaves_the_loss_alone(self, tmp_path: Path, tiny_encoder: Path) -> None:
        names = ["npc(detector=null)", "npc(warm_up=3)", "npc(warm_up=1)"]
        never, beyond, early = (left(Store(tmp_path / "s"), it) for it in plan(tmp_path, tiny_encoder, names))
        assert beyond == never
        assert early[0] != never[0]

    def test_none_looks_before_the_first_step(
        self, tmp_path: Path, tiny_encoder: Path, handed: list[np.ndarray]
    ) -> None:
        (trial,) = plan(tmp_path, tiny_encoder, ["in-batch(detector=pair-mixture(warm_up=0))"])
        store = Store(tmp_path / "store")
        told = left(store, trial)[1]["flagged"]
        assert [step for step, _ in told] == [0, 2, 4]
        assert trial.training is not None
        clean = read_clean(store.path(trial.training))
        weights = np.concatenate([batch[:, 2] for batch in handed])
        assert weights.reshape(3, -1).mean(axis=1).tolist() == pytest.approx(clean.mean(axis=1).tolist())
        assert (clean.mean(axis=1) < 1).all()

    def test_it_counts_epochs_of_its_own_stage(
        self, tmp_path: Path, tiny_encoder: Path, handed: list[np.ndarray]
    ) -> None:
        """The second stage has the second half of epoch 1, then 2 and 3: it looks before these two."""
        name = 'curriculum(stages=["in-batch(work=0.375)", "npc(work=0.625)"])'
        (trial,) = plan(tmp_path, tiny_encoder, [name], train={**TRAIN, "epochs": 4})
        store = Store(tmp_path / "store")
        assert [step for step, _ in left(store, trial)[1]["flagged"]] == [1, 3]
        assert trial.training is not None
        assert trial.sequence is not None
        clean = read_clean(store.path(trial.training))
        assert [bool(epoch.all()) for epoch in clean] == [True, True, False, False]
        replay = trial.sequence.replay(store.path, read_collection(store.path(trial.training.collection)))
        assert len(replay.batches) == len(handed) == 8
        for batch, found in zip(replay.batches, handed, strict=True):
            np.testing.assert_array_equal(replay.data.weights[batch], found[:, 2])


def test_the_same_twice(tmp_path: Path, tiny_encoder: Path) -> None:
    found = []
    for name in ("one", "two"):
        (trial,) = plan(tmp_path / name, tiny_encoder, ["npc(warm_up=0, batch=8)"])
        found.append(left(Store(tmp_path / name / "store"), trial))
    assert found[0] == found[1]


def test_documents_that_are_not_trained_are_not_encoded_again(tmp_path: Path, tiny_encoder: Path) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, ["npc(trains=queries, warm_up=2)"])
    store = Store(tmp_path / "store")
    left(store, trial)
    assert trial.training is not None
    cost = store.cost(trial.training)
    assert cost["queries_encoded"] == 32
    assert "documents_encoded" not in cost


class TestWhatIsTold:
    @pytest.fixture(scope="class")
    def made(self, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Store, list[Trial]]:
        folder = tmp_path_factory.mktemp("told")
        names = [WIDE, "npc(detector=null)", "npc(detector=null, loss=infonce)"]
        found = plan(folder, tiny_encoder, names, gradient=True)
        store = Store(folder / "store")
        for trial in found:
            for stage in (*trial.breakdowns, *trial.counts):
                store.ensure(stage)
        return store, found

    def test_rates_are_of_the_rows_that_weighed(self, made: tuple[Store, list[Trial]]) -> None:
        store, (found, without, plain) = made
        assert found.training is not None
        assert found.false_negatives is not None
        assert without.false_negatives is not None
        assert without.false_negatives == plain.false_negatives
        assert found.false_negatives != without.false_negatives
        assert found.training in found.false_negatives.inputs
        assert without.training not in without.false_negatives.inputs
        collection = read_collection(store.path(found.training.collection))
        data, batches = found.training.replay(store.path, collection)
        truth = collection.truth["train"].at_least(1)
        seen = np.concatenate(batches)
        false = truth.contains(data.queries[seen][:, None], data.negatives[seen]).mean(axis=1)
        rates = read_rates(found.counts, store.path)
        assert 0 < data.weights[seen].mean() < 1
        assert rates["exact"]["rate"] == pytest.approx(np.average(false, weights=data.weights[seen]))

    def test_what_is_flagged_is_held_against_what_is_planted(self, tmp_path: Path, tiny_encoder: Path) -> None:
        planted = {"mismatched": {"collection": moving_grids.HELPDESK, "rate": 0.3}}
        found, plain = plan(tmp_path, tiny_encoder, [WIDE, "npc(detector=null)"], collection=planted)
        assert not any(isinstance(stage, DetectorQuality) for stage in plain.breakdowns)
        (stage,) = [stage for stage in found.breakdowns if isinstance(stage, DetectorQuality)]
        store = Store(tmp_path / "store")
        shares = breakdown_files.read(store.ensure(stage))
        assert found.training is not None
        clean = read_clean(store.path(found.training))
        labels = read_collection(store.path(found.training.collection)).qrels["train"].at_least(1)
        wrong = ~HelpdeskV1(articles=120, queries=32, dev=6, test=6).load().truth["train"].contains(
            labels.queries, labels.documents
        )
        assert wrong.sum() == round(0.3 * len(labels))
        for epoch in (1, 2):
            precision, recall = (shares[f"detector-{which}"][str(epoch + 1)] for which in ("precision", "recall"))
            assert precision.interval()[0] == pytest.approx(wrong[~clean[epoch]].mean())
            assert recall.interval()[0] == pytest.approx((~clean[epoch])[wrong].mean())
            assert (precision.reference, recall.reference) == pytest.approx((wrong.mean(), (~clean[epoch]).mean()))
        told = pooled([{"name": found.name, "axes": {}, "spelling": found.spelling}], {found.name: shares})
        (table,) = [table for table in tables(told) if table["title"] == "Precision and recall of detectors"]
        assert [line[1] for line in table["body"]] == ["2", "3"]

    def test_the_average_pushes_nobody_where_it_is_taken_to_be(self, made: tuple[Store, list[Trial]]) -> None:
        """So before the training the gradient falls where InfoNCE's does."""
        store, (_, npc, plain) = made
        shares = []
        for trial in (npc, plain):
            (stage,) = [stage for stage in trial.breakdowns if isinstance(stage, WeighFalseNegatives)]
            shares.append(breakdown_files.read(store.path(stage))["gradient"]["mined, start"].interval()[0])
        assert 0 < shares[0] == pytest.approx(shares[1], rel=1e-4)


def test_a_detector_is_part_of_a_training_s_identity(tmp_path: Path, tiny_encoder: Path) -> None:
    plain, detecting = plan(tmp_path, tiny_encoder, ["naive", "naive(detector=pair-mixture)"])
    assert plain.training is not None
    assert detecting.training is not None
    assert plain.training.identity()["parameters"]["detector"] is None
    assert "training" not in plain.training.schedule
    assert detecting.training.identity()["parameters"]["detector"]["name"] == "pair-mixture"


def test_with_a_refresh_it_is_refused_and_with_an_average_not() -> None:
    with pytest.raises(ValueError, match=r"rows would change by it and by detector pair-mixture; give refresh=never, "):
        resolve("npc(refresh=every-epoch)")
    assert resolve("npc(refresh=every-epoch, detector=null)").refresh.is_dynamic
