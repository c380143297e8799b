"""Teachers: what they are trained on, who scores whom, and that a score is what the model says."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_ranked import planted, ranked_pool
from sentence_transformers import CrossEncoder

from negbench.collections.beir import Beir
from negbench.errors import InputError
from negbench.retrieval.bm25 import BM25
from negbench.stages.inputs import LoadCollection
from negbench.stages.mining.pool import BuildPool, TrainTeacher
from negbench.stages.mining.pool_features import ScorePool
from negbench.store import Store, load_arrays
from negbench.teachers.cross_encoder import PretrainedCrossEncoder, load
from negbench.teachers.trained import corrected
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training import teacher as training
from negbench.training.teacher import fold_of, train_fold, training_pairs
from negbench.types import CandidatePool, Float32, Int64

PAIRS = [
    ("how often must i water my basil", "give basil water when the soil feels dry"),
    ("where does mint get enough sun", "cut old shoots of tulip"),
    ("will rose live through snow", ""),
]


def tiny_teacher(tiny_encoder: Path, **changed: Any) -> TrainedCrossEncoder:
    recipe = {"batch_size": 8, "learning_rate": 3e-3, "max_length": 48, "depth": 20, "negatives": 2}
    return TrainedCrossEncoder(model=str(tiny_encoder), **{**recipe, **changed})


class TestFolds:
    @given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=20), folds=st.integers(2, 7))
    def test_a_fold_follows_from_the_text_alone(self, texts: list[str], folds: int) -> None:
        found = fold_of(texts, folds)
        assert ((found >= 0) & (found < folds)).all()
        assert found[::-1].tolist() == fold_of(texts[::-1], folds).tolist()
        for text, fold in zip(texts, found.tolist(), strict=True):
            assert fold_of([text], folds).tolist() == [fold]

    def test_twins_share_a_fold(self) -> None:
        names = [f"will plant {number} live through snow" for number in range(200)]
        twins = [f"  Will plant\t{number} LIVE through  snow\n" for number in range(200)]
        assert fold_of(names, 5).tolist() == fold_of(twins, 5).tolist()

    def test_folds_are_about_as_large(self) -> None:
        sizes = np.bincount(fold_of([f"question {number}" for number in range(2000)], 5))
        assert abs(sizes - 400).max() < 5 * (2000 * 0.2 * 0.8) ** 0.5


@st.composite
def pools(draw: st.DrawFn) -> CandidatePool:
    count, depth = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    ranked = []
    for _ in range(count):
        length = draw(st.integers(0, depth))
        ranked.append((draw(st.permutations(range(20)))[:length] + [-1] * depth)[:depth])
    return ranked_pool(
        ranked, [sorted(draw(st.sets(st.integers(0, 19), min_size=1, max_size=4))) for _ in range(count)]
    )


class TestTrainingPairs:
    @given(
        pool=pools(),
        negatives=st.integers(1, 4),
        depth=st.integers(1, 12),
        most=st.none() | st.integers(1, 3),
        data=st.data(),
    )
    def test_positives_and_what_may_be_drawn_beside_them(
        self, pool: CandidatePool, negatives: int, depth: int, most: int | None, data: st.DataObject
    ) -> None:
        teacher = TrainedCrossEncoder(negatives=negatives, depth=depth, positives=most)
        chosen = data.draw(st.sets(st.integers(0, len(pool.queries) - 1)))
        members = np.array(sorted(chosen), np.int64)
        found = training_pairs(teacher, pool, members, 0)
        assert {query for query, _, _ in found} == chosen
        for query in chosen:
            positives = {int(row) for row in pool.positives[query] if row >= 0}
            reachable = {int(row) for row in pool.documents[query, :depth] if row >= 0} - positives
            taken = [row for asked, row, label in found if asked == query and label == 1.0]
            beside = [row for asked, row, label in found if asked == query and label == 0.0]
            assert set(taken) <= positives
            assert len(set(taken)) == len(taken) == min(len(positives), most or len(positives))
            assert set(beside) <= reachable  # and so never a known positive
            assert len(set(beside)) == len(beside) == min(len(reachable), negatives * len(taken))
        assert {label for _, _, label in found} <= {0.0, 1.0}

    @given(pool=pools(), order=st.randoms(use_true_random=False))
    def test_neither_the_order_nor_the_company_of_queries_has_a_say(self, pool: CandidatePool, order: Any) -> None:
        teacher = TrainedCrossEncoder(negatives=2, depth=12)
        places = list(range(len(pool.queries)))
        order.shuffle(places)
        there = training_pairs(teacher, pool, np.array(places, np.int64), 0)
        for query in places:
            alone = training_pairs(teacher, pool, np.array([query], np.int64), 0)
            assert alone == [pair for pair in there if pair[0] == query]

    def test_what_a_filter_threw_out_is_not_drawn(self) -> None:
        pool = ranked_pool([[1, 2, 3, 4]], [[9]])
        kept = replace(pool, excluded=np.array([[True, False, True, False]]))
        found = training_pairs(TrainedCrossEncoder(negatives=4), kept, np.array([0]), 0)
        assert sorted(found) == [(0, 2, 0.0), (0, 4, 0.0), (0, 9, 1.0)]

    def test_the_seed_decides(self) -> None:
        pool = ranked_pool([list(range(15))], [[19]])
        draws = {str(training_pairs(TrainedCrossEncoder(negatives=3), pool, np.array([0]), seed)) for seed in range(5)}
        assert len(draws) == 5


def sigmoid(values: Any) -> Float32:
    return np.asarray(1 / (1 + np.exp(-np.asarray(values, np.float64))), np.float32)


@pytest.fixture(scope="module")
def given_folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cross-encoder with a random head that tells texts apart."""
    folder = tmp_path_factory.mktemp("given") / "cross"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = CrossEncoder(str(tiny_encoder), num_labels=1)
        torch.nn.init.normal_(model.model.classifier.weight, std=1.0)
    model.save_pretrained(str(folder))
    return folder


class TestScores:
    def test_a_score_is_the_sigmoid_of_the_output(self, given_folder: Path) -> None:
        teacher = PretrainedCrossEncoder(model=str(given_folder))
        found = teacher.score(PAIRS, None, "float32")
        raw = CrossEncoder(str(given_folder)).predict(PAIRS, activation_fn=torch.nn.Identity())
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, sigmoid(raw), atol=1e-6)
        assert np.ptp(found) > 0.001
        assert teacher.training_folds == 0

    def test_bfloat16_is_close_and_is_not_float32(self, given_folder: Path) -> None:
        teacher = PretrainedCrossEncoder(model=str(given_folder))
        exact, fast = (teacher.score(PAIRS, None, precision) for precision in ("float32", "bfloat16"))
        assert fast.dtype == np.float32
        np.testing.assert_allclose(fast, exact, atol=0.02)
        assert not np.array_equal(fast, exact)

    def test_pairs_are_cut_at_max_length(self, given_folder: Path) -> None:
        short = PretrainedCrossEncoder(model=str(given_folder), max_length=9)
        ends = [("mint", f"give mint water when the soil {end}") for end in ("feels dry", "is in shade")]
        first, second = short.score(ends, None, "float32")
        assert first == pytest.approx(second, abs=1e-6)  # rows of a batch may be rounded apart
        first, second = PretrainedCrossEncoder(model=str(given_folder)).score(ends, None, "float32")
        assert abs(first - second) > 1e-4

    def test_nothing_to_score(self, given_folder: Path) -> None:
        found = PretrainedCrossEncoder(model=str(given_folder)).score([], None, "float32")
        assert (found.shape, found.dtype) == ((0,), np.float32)

    def test_its_digest_is_that_of_the_weights(self, given_folder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
        shutil.copytree(given_folder, tmp_path / "moved")
        teachers = [
            PretrainedCrossEncoder(model=str(folder)) for folder in (given_folder, tmp_path / "moved", tiny_encoder)
        ]
        first, moved, other = (teacher.fingerprint() for teacher in teachers)
        assert first == moved != other

    def test_layers_are_dropped_from_the_top(self, tiny_encoder: Path) -> None:
        cut, whole = load(tiny_encoder, 32, keep_layers=2, new_head=True), load(tiny_encoder, 32, new_head=True)
        assert len(cut.model.bert.encoder.layer) == 2
        kept = cut.model.bert.state_dict()
        assert all(
            torch.equal(kept[name], value) for name, value in whole.model.bert.state_dict().items() if name in kept
        )
        with pytest.raises(InputError, match="keep_layers=4, but it has 3 layers"):
            load(tiny_encoder, 32, keep_layers=4, new_head=True)


@pytest.fixture(scope="module")
def twins(tiny_collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the garden with a second copy of each training query, in capitals and with labels of its own."""
    folder = tmp_path_factory.mktemp("twins") / "garden"
    shutil.copytree(tiny_collection, folder)
    garden = Beir(path=str(folder)).load()
    with (folder / "queries.jsonl").open("a") as queries, (folder / "qrels/train.tsv").open("a") as judged:
        for query in garden.split_queries("train").tolist():
            queries.write(f'{{"_id": "twin-{query}", "text": " {garden.queries[query].upper()}"}}\n')
            judged.write(f"twin-{query}\t{garden.document_ids[(query * 7) % 60]}\t1\n")
    return folder


class TestCrossFitting:
    """A teacher of two copies over the garden with twins, through the stages that a grid uses."""

    @pytest.fixture(scope="class")
    def scored(self, twins: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
        source = Beir(path=str(twins))
        collection = LoadCollection(source, source.fingerprint())
        pool = BuildPool(
            collection=collection, retriever=BM25(depth=20), split="train", seed=None, documents=None, queries=None
        )
        teacher = tiny_teacher(tiny_encoder)
        print_of = teacher.fingerprint()
        copies = tuple(TrainTeacher(pool, teacher, print_of, fold, "float32") for fold in range(2))
        scores = ScorePool(
            pool=pool, teacher=teacher, fingerprint=print_of, depth=8, copies=copies, precision="float32"
        )
        store = Store(tmp_path_factory.mktemp("store"))
        trained_on: list[list[int]] = []

        def watched(teacher: TrainedCrossEncoder, pool: CandidatePool, members: Int64, seed: int) -> Any:
            pairs = training_pairs(teacher, pool, members, seed)
            trained_on.append(sorted({query for query, _, _ in pairs}))
            return pairs

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "training_pairs", watched)
            folder = store.ensure(scores)
        return {
            "collection": source.load(),
            "pool": load_arrays(CandidatePool, store.path(pool)),
            "scores": np.load(folder / "candidates.npy"),
            "calls": store.cost(scores)["teacher_calls"],
            "copies": [store.path(copy) / "model" for copy in copies],
            "trained_on": trained_on,
        }

    def test_the_copy_that_scores_a_query_was_trained_on_neither_it_nor_its_twin(self, scored: dict[str, Any]) -> None:
        collection, pool = scored["collection"], scored["pool"]
        texts = [" ".join(collection.queries[row].lower().split()) for row in pool.queries]
        assert len(set(texts)) == len(texts) / 2  # everybody has a twin
        copies = [CrossEncoder(str(folder), max_length=48) for folder in scored["copies"]]
        learnt = [{texts[query] for query in members} for members in scored["trained_on"]]
        assert learnt[0] | learnt[1] == set(texts)
        assert not learnt[0] & learnt[1]
        for query, text in enumerate(texts):
            (stranger,) = [copy for copy, known in zip(copies, learnt, strict=True) if text not in known]
            asked = np.flatnonzero(~np.isnan(scored["scores"][query]))
            pairs = [
                (collection.queries[pool.queries[query]], collection.passages()[pool.documents[query, rank]])
                for rank in asked
            ]
            raw = stranger.predict(pairs, activation_fn=torch.nn.Identity())
            np.testing.assert_allclose(scored["scores"][query, asked], sigmoid(raw), atol=1e-6)

    def test_the_copies_differ(self, scored: dict[str, Any]) -> None:
        first, second = ((folder / "model.safetensors").read_bytes() for folder in scored["copies"])
        assert first != second

    def test_the_first_ranks_are_scored_but_for_known_positives(self, scored: dict[str, Any]) -> None:
        pool = scored["pool"]
        asked = (pool.documents >= 0) & ~pool.known & (np.arange(20) < 8)
        np.testing.assert_array_equal(~np.isnan(scored["scores"]), asked)
        assert scored["calls"] == asked.sum() + (pool.positives >= 0).sum()
        assert pool.known[:, :8].any()


class TestTraining:
    def test_what_can_be_learnt_holds_for_queries_never_seen(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny_teacher(tiny_encoder, epochs=4, batch_size=4)
        fold = fold_of(collection.queries, 2)
        assert 3 < fold.sum() < 13
        for copy in range(2):
            train_fold(teacher, pool, collection, copy, 0, "float32", tmp_path / str(copy), tmp_path / "scratch")
        for query in range(16):
            pairs = [(collection.queries[query], collection.texts[row]) for row in pool.documents[query]]
            scores = teacher.score(pairs, tmp_path / str(fold[query]), "float32")
            assert scores[0] > 0.5 > scores[1:].max()

    def test_twice_is_the_same_to_the_byte_and_leaves_no_trace(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny_teacher(tiny_encoder)
        costs = []
        for name, state in (("first", 5), ("second", 6)):  # the state of the process has no say either
            draws = []
            for trains in (False, True):
                random.seed(state)
                np.random.seed(state)
                torch.manual_seed(state)
                if trains:
                    scratch = tmp_path / "scratch"
                    costs.append(train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / name, scratch))
                draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
            assert draws[0] == draws[1]
        first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
        assert first == second
        members = int((fold_of(collection.queries, 2) != 0).sum())
        assert costs[0] == costs[1] == {"steps": float(-(-3 * members // 8)), "pairs_read": 3.0 * members}

    def test_bfloat16_leaves_float32_weights(self, tiny_encoder: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file

        collection, pool = planted()
        train_fold(tiny_teacher(tiny_encoder), pool, collection, 0, 0, "bfloat16", tmp_path / "m", tmp_path / "scratch")
        assert {value.dtype for value in load_file(tmp_path / "m/model.safetensors").values()} == {torch.float32}

    def test_a_learning_rate_that_breaks_the_weights(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny_teacher(tiny_encoder, learning_rate=1e38)
        with pytest.raises(InputError, match=r"trained-cross-encoder\(.*: trained at learning_rate=1e\+38, low"):
            train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        assert not (tmp_path / "m").exists()

    def test_of_several_gpus_one_is_used(
        self, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As where transformers counts two, and would hand each half of every batch."""
        import sentence_transformers

        real = sentence_transformers.CrossEncoderTrainingArguments
        made: list[Any] = []

        def on_two(**named: Any) -> Any:
            made.append(real(**named))
            made[0]._n_gpu = 2
            return made[0]

        monkeypatch.setattr(sentence_transformers, "CrossEncoderTrainingArguments", on_two)
        collection, pool = planted()
        cost = train_fold(tiny_teacher(tiny_encoder), pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "s")
        members = int((fold_of(collection.queries, 2) != 0).sum())
        assert cost["steps"] == -(-3 * members // 8)
        assert made[0].n_gpu == 1

    def test_too_few_queries_for_two_folds(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        one = ranked_pool(pool.documents[:1].tolist(), [[0]])
        fold = int(fold_of(collection.queries[:1], 2)[0])
        with pytest.raises(InputError, match=f"all 1 training queries fall into fold {fold + 1}"):
            train_fold(tiny_teacher(tiny_encoder), one, collection, fold, 0, "float32", tmp_path / "m", tmp_path)


def test_a_prior_turns_probabilities_by_bayes() -> None:
    """Scores of a mixture learnt at one share of relevant pairs are right at another: means match within bins."""
    rng = np.random.default_rng(0)
    relevant = rng.random(400_000) < 0.05
    evidence = rng.standard_normal(len(relevant)) + 1.5 * relevant
    likelihood = np.exp(1.5 * evidence - 1.5**2 / 2)
    learnt = (likelihood * 0.5 / (likelihood * 0.5 + 0.5)).astype(np.float32)  # one negative a positive
    found = corrected(learnt, 0.5, 0.05)
    assert found.dtype == np.float32
    bins = np.digitize(found, [0.02, 0.1, 0.3, 0.6])
    for number in range(5):
        here = bins == number
        assert relevant[here].mean() == pytest.approx(found[here].mean(), abs=0.02)
    np.testing.assert_allclose(corrected(learnt, 0.2, 0.2), learnt, rtol=1e-5)
    assert corrected(np.array([0, 1], np.float32), 0.5, 0.01).tolist() == [0, 1]
