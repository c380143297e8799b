"""Negatives that move with the encoder, from grids that are run as far as needed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import TRAIN, curves, plan, weights
from sentence_transformers import SentenceTransformer

from negbench.encoders.encode import encode, frozen_copy
from negbench.errors import InputError
from negbench.evaluation.overlap import drawn_pairs, overlap, pairs
from negbench.plan.trials import Trial
from negbench.stages.evaluation import breakdown_files
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.inputs import read_collection
from negbench.stages.refresh.full_search import FullSearch
from negbench.stages.refresh.rounds import read_rounds
from negbench.store import Store, ancestors, load_arrays
from negbench.training import loop
from negbench.types import CandidatePool, Negatives


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Any]]:
    """What the weights were at each refresh, by its number."""
    found: dict[int, dict[str, Any]] = {}
    real = FullSearch.replacement

    def watched(self: FullSearch, model: SentenceTransformer, number: int, *rest: Any) -> Any:
        found[number] = copy.deepcopy(model.state_dict())
        return real(self, model, number, *rest)

    monkeypatch.setattr(FullSearch, "replacement", watched)
    return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_list_is_that_of_a_search_by_the_encoder_at_that_step(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, states: dict[int, dict[str, Any]], precision: str
) -> None:
    """Brute force by a fresh model with the weights of that step; queries have several positives here."""
    train = {**TRAIN, "precision": precision}
    (trial,) = plan(tmp_path, tiny_encoder, ["naive(refresh=every(steps=3))"], collection=str(tiny_collection),
                    train=train)  # fmt: skip
    store = Store(tmp_path / "store")
    assert trial.training is not None
    rounds = read_rounds(store.ensure(trial.training) / "rounds")
    collection = read_collection(store.path(trial.training.collection))
    labels, asked = collection.qrels["train"].by_query(), collection.split_queries("train")
    assert len(rounds) == len(states) == 2
    lists = [load_arrays(Negatives, store.path(trial.training.negatives))]  # type: ignore[arg-type]
    hits: list[list[bool]] = []
    for number, one in enumerate(rounds, start=1):
        model = SentenceTransformer(str(tiny_encoder))
        model.load_state_dict(states[number])
        model.max_seq_length = 32
        texts = [collection.queries[row] for row in asked]
        if precision == "float32":
            queries, documents = (model.encode(it, normalize_embeddings=True) for it in (texts, collection.passages()))
        else:
            queries, documents = (
                encode(model, it, side, "bfloat16").astype(np.float16).astype(np.float32)
                for it, side in ((texts, "query"), (collection.passages(), "document"))
            )
        scores = queries @ documents.T
        hits.append([bool(set(np.argsort(-row)[:10]) & set(labels[q])) for row, q in zip(scores, asked, strict=True)])
        assert one.found.tolist() == hits[-1]
        for at, query in enumerate(asked.tolist()):
            scores[at, labels[query]] = -np.inf
        for epoch in range(3):  # whichever epoch takes its draw from this list
            here = one.negatives.of_epoch(epoch)
            for mine, row in zip(here.documents, scores, strict=True):
                np.testing.assert_allclose(row[mine], np.sort(row)[::-1][:3], atol=1e-6)
            np.testing.assert_allclose(here.scores, np.sort(scores, axis=1)[:, ::-1][:, :3], atol=1e-6)
        lists.append(one.negatives)
    assert not np.array_equal(lists[0].documents, lists[1].documents)
    assert not np.array_equal(lists[1].documents, lists[2].documents)
    told = curves(store, trial)
    lost = sum(was and not still_is for was, still_is in zip(*hits, strict=True)) / sum(hits[0])
    assert told["refresh_forgotten"][1][1] == pytest.approx(lost)
    assert [value for _, value in told["refresh_found"]] == [pytest.approx(np.mean(it)) for it in hits]


def test_what_is_replayed_is_what_was_handed(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[np.ndarray] = []

    class Watched(loop.Collator):
        def __call__(self, features: Any) -> dict[str, Any]:
            rows = [feature["row"] for feature in features]
            handed.append(
                np.column_stack([self.data.queries[rows], self.data.positives[rows], self.data.negatives[rows]])
            )
            return super().__call__(features)

    monkeypatch.setattr(loop, "Collator", Watched)
    method = {"without-duplicates": {"refresh": "every(steps=2)", "selection": "uniform", "growing": True}}
    (trial,) = plan(tmp_path, tiny_encoder, [method])
    store = Store(tmp_path / "store")
    assert trial.training is not None
    store.ensure(trial.training)
    collection = read_collection(store.path(trial.training.collection))
    data, batches = trial.training.replay(store.path, collection)
    assert len(batches) == len(handed) > 4
    for batch, found in zip(batches, handed, strict=True):
        np.testing.assert_array_equal(
            np.column_stack([data.queries[batch], data.positives[batch], data.negatives[batch]]), found
        )


class TestNoOtherTrace:
    def test_a_refresh_beyond_the_end(self, tmp_path: Path, tiny_encoder: Path) -> None:
        never, beyond = plan(tmp_path, tiny_encoder, ["ance(refresh=never)", "ance(refresh=every(steps=999))"])
        store = Store(tmp_path / "store")
        assert weights(store, never) == weights(store, beyond)
        assert curves(store, never) == curves(store, beyond)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_a_refresh_that_finds_the_same(self, tmp_path: Path, tiny_encoder: Path, precision: str) -> None:
        """All that is no positive is drawn, so the encoder moves and the negatives do not; dropout is on."""
        names = [f"naive(negatives=200, selection.depth=200, refresh={it})" for it in ("never", "every(steps=2)")]
        train = {**TRAIN, "epochs": 2, "dropout": None, "precision": precision}
        never, moved = plan(tmp_path, tiny_encoder, names, train=train)
        store = Store(tmp_path / "store")
        assert weights(store, never) == weights(store, moved)
        assert curves(store, never).items() <= curves(store, moved).items()
        assert {value for _, value in curves(store, moved)["refresh_redrawn"]} == {1.0}
        assert all(value > 0 for _, value in curves(store, moved)["refresh_staleness"])

    def test_the_same_twice(self, tmp_path: Path, tiny_encoder: Path) -> None:
        found = []
        for name in ("one", "two"):
            (trial,) = plan(tmp_path / name, tiny_encoder, ["simans(refresh=every(steps=2), candidates.depth=20)"])
            store = Store(tmp_path / name / "store")
            found.append((weights(store, trial), curves(store, trial)))
        assert found[0] == found[1]

    def test_a_training_that_was_interrupted(
        self, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (trial,) = plan(tmp_path, tiny_encoder, ["ance(refresh=every(steps=2))"])
        whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
        real = FullSearch.replacement

        def fails(self: FullSearch, model: SentenceTransformer, number: int, *rest: Any) -> Any:
            if number == 2:
                raise KeyboardInterrupt
            return real(self, model, number, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(FullSearch, "replacement", fails)
            with pytest.raises(KeyboardInterrupt):
                weights(broken, trial)
        assert weights(broken, trial) == weights(whole, trial)
        assert curves(broken, trial) == curves(whole, trial)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Store, dict[str, Trial]]:
    """Three ways to draw from the same number of ranks, run and counted."""
    folder = tmp_path_factory.mktemp("counted")
    shallow = {"candidates.depth": 12}
    methods = [
        {"ance": {**shallow, "depth": 12, "refresh": "every(steps=2)"}},
        {"bm25": {"selection": "uniform(depth=12)"}},
        "random",
    ]
    judge = f"bi-encoder(model={tiny_encoder}, max_length=32)"
    keys = {"judge": judge, "gradient": True, "train": {**TRAIN, "learning_rate": 1e-3}}
    found = {trial.method: trial for trial in plan(folder, tiny_encoder, methods, **keys)}
    store = Store(folder / "store")
    for trial in found.values():
        for end in (trial.evaluation, *trial.counts, *trial.breakdowns):
            for stage in ancestors(end):
                store.ensure(stage)
    return store, found


def test_negatives_stay_near_the_encoder_as_ance_says(counted: tuple[Store, dict[str, Trial]]) -> None:
    """Of the negatives used last, the share among the trained encoder's first: ANCE > BM25 > random."""
    store, found = counted
    shares = {}
    for method, trial in found.items():
        assert trial.training is not None
        collection = read_collection(store.path(trial.training.collection))
        model = SentenceTransformer(str(store.path(trial.training) / "model"))
        asked = collection.split_queries("train")
        queries = model.encode([collection.queries[row] for row in asked], normalize_embeddings=True)
        documents = model.encode(collection.passages(), normalize_embeddings=True)
        top = np.argsort(-(queries @ documents.T), axis=1)[:, :12].astype(np.int32)
        rounds = read_rounds(store.path(trial.training) / "rounds")
        assert trial.training.negatives is not None
        last = rounds[-1].negatives if rounds else store.load(Negatives, trial.training.negatives)
        shares[method] = overlap(drawn_pairs(last), pairs(asked, top))[0]
    assert shares["ance"] > shares["bm25"] > shares["random"]


def test_what_is_measured_at_a_refresh(counted: tuple[Store, dict[str, Trial]]) -> None:
    store, found = counted
    training = found["ance"].training
    assert training is not None
    told = curves(store, found["ance"])
    assert [step for step, _ in told["refresh_in_top"]] == [step for step, _ in told["refresh_staleness"]] == [2, 4]
    assert training.negatives is not None
    rounds = [
        store.load(Negatives, training.negatives),
        *[it.negatives for it in read_rounds(store.path(training) / "rounds")],
    ]
    for at, (_, share) in enumerate(told["refresh_redrawn"]):
        before, after = (
            {(q, d) for q, row in zip(it.queries.tolist(), it.documents.tolist(), strict=True) for d in row}
            for it in (one.of_epoch(0) for one in rounds[at : at + 2])
        )
        assert share == pytest.approx(len(before & after) / len(before))
        assert share <= told["refresh_in_top"][at][1] < 1
    assert all(0 < value < 1 for _, value in told["refresh_staleness"])


def test_its_cost_is_counted(counted: tuple[Store, dict[str, Trial]]) -> None:
    store, found = counted
    assert found["ance"].training is not None
    cost = store.cost(found["ance"].training)
    assert (cost["refreshes"], cost["documents_encoded"], cost["queries_encoded"]) == (2, 240, 64)
    assert 0 < cost["refresh_seconds"] < cost["seconds"]


def test_false_negatives_are_those_of_every_round(counted: tuple[Store, dict[str, Trial]]) -> None:
    store, found = counted
    trial = found["ance"]
    assert trial.training is not None
    collection = read_collection(store.path(trial.training.collection))
    data, batches = trial.training.replay(store.path, collection)
    truth = {
        (q, d) for q, d in zip(collection.truth["train"].queries, collection.truth["train"].documents, strict=True)
    }
    handed = [(data.queries[row], d) for batch in batches for row in batch for d in data.negatives[row]]
    by_round = np.array([pair in truth for pair in handed]).reshape(len(batches), -1)
    rates = read_rates(trial.counts, store.path)
    assert rates["exact"]["rate"] == pytest.approx(by_round.mean())
    assert not {"propensity", "held-out"} & set(rates)  # these speak of the first candidates alone
    shares: dict[str, Any] = {}
    for stage in trial.breakdowns:
        shares |= breakdown_files.read(store.path(stage))
    for at in range(3):
        assert shares["round"][str(at)].interval()[0] == pytest.approx(by_round[2 * at : 2 * at + 2].mean())
    for group in ("rank", "gap", "epoch", "round"):
        whole = sum(share.interval()[0] * share.reference for share in shares[group].values())
        assert whole == pytest.approx(rates["exact"]["rate"])
    assert shares["gradient"]["mined, start"].reference == pytest.approx(rates["exact"]["rate"])
    (judging,) = {it.judging for it in trial.estimates if it.judging is not None}
    scores = np.load(store.path(judging) / "scores.npy")
    drawn = store.load(Negatives, judging.negatives)
    assert scores.shape == drawn.documents.shape == (32, 27)  # three lists, each with a draw for three epochs
    assert np.array_equal(np.isnan(scores), drawn.documents < 0)
    assert (drawn.documents >= 0).sum() == 32 * 9  # each list serves one epoch


def test_a_round_lies_in_its_own_pool(counted: tuple[Store, dict[str, Trial]]) -> None:
    """Ranks and gaps of the first round are those of the stored pool; those of later ones lie in pools of their own."""
    store, found = counted
    trial = found["ance"]
    assert trial.negatives is not None
    drawn, pool = store.load(Negatives, trial.negatives), store.load(CandidatePool, trial.negatives.pool)
    gaps = np.load(store.path(trial.negatives) / "places/gaps.npy")
    spread = pool.scores.std(axis=1, dtype=np.float64)
    wanted = (pool.positive_scores.min(axis=1)[:, None] - drawn.scores[:, :3]) / spread[:, None]
    np.testing.assert_allclose(gaps[:, :3], wanted, rtol=1e-4)
    np.testing.assert_array_equal(np.take_along_axis(pool.documents, drawn.ranks[:, :3], 1), drawn.documents[:, :3])
    assert not np.array_equal(np.take_along_axis(pool.documents, drawn.ranks[:, 3:6], 1), drawn.documents[:, 3:6])
    assert np.isfinite(gaps).all()


def test_chances_differ_from_round_to_round(tmp_path: Path, tiny_encoder: Path) -> None:
    """An encoder that stands still finds the same candidates; what is drawn from them is drawn anew."""
    train = {**TRAIN, "learning_rate": 1e-14}
    (trial,) = plan(tmp_path, tiny_encoder, ["ance(depth=40, refresh=every-epoch)"], train=train)
    store = Store(tmp_path / "store")
    told = curves(store, trial)
    assert {value for _, value in told["refresh_in_top"]} == {1.0}
    assert all(value < 0.3 for _, value in told["refresh_redrawn"])
    assert all(abs(value) < 1e-6 for _, value in told["refresh_staleness"])


@pytest.mark.parametrize(
    "method",
    [
        "trisampler(refresh=every-epoch)",
        "rrra(refresh=every-epoch)",
        "rance(refresh=every-epoch)",
        "hybrid(refresh=every-epoch)",
        "ance(candidates=voyager)",
        "without-duplicates(refresh=every-epoch)",
    ],
)
def test_what_a_method_s_parts_ask_is_answered_anew(tmp_path: Path, tiny_encoder: Path, method: str) -> None:
    """An encoder that stands still: each answer is then the stored one."""
    train = {**TRAIN, "learning_rate": 1e-14, "epochs": 2}
    (trial,) = plan(tmp_path, tiny_encoder, [method], train=train)
    store = Store(tmp_path / "store")
    assert trial.training is not None
    store.ensure(trial.training)
    draw = trial.training.mined
    (again,) = read_rounds(store.path(trial.training) / "rounds")
    wanted = draw.choose(draw.candidates(store.path), store.path, 1)
    np.testing.assert_array_equal(again.negatives.documents, wanted.documents)
    np.testing.assert_array_equal(again.negatives.promoted, wanted.promoted)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (
            "bm25(refresh=every-epoch)",
            "bm25 finds the same whatever the encoder; candidates that move with it are dense",
        ),
        ("random(refresh=every(steps=2))", "refresh every(steps=2): corpus finds the same whatever the encoder"),
        ("in-batch(refresh=every-epoch)", "refresh every-epoch: without candidates there is nothing to search again"),
        ("denoised(refresh=every-epoch)", "denoise asks a teacher, who scored the first candidates alone"),
        ("rocketqa(refresh=every-epoch)", "promote asks a teacher, who scored the first candidates alone"),
        ("teacher-hardest(refresh=every-epoch)", "teacher-hardest asks a teacher"),
        ("ance(loss=margin-mse)", "loss margin-mse is told about the first negatives alone"),
        ("ance(refresh=every)", "methods.0.refresh.steps"),
        ("ance(refresh=every(steps=0))", "methods.0.refresh.steps: expected at least 1, found 0"),
        ("ance(refresh=sometimes)", "no refresh is called 'sometimes'"),
    ],
)
def test_what_cannot_move_is_refused_in_one_line(tmp_path: Path, tiny_encoder: Path, method: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        plan(tmp_path, tiny_encoder, [method])
    assert reason in str(error.value)
    assert "grid.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_moves_cannot_be_repaired(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="repair: ance refreshes its negatives"):
        plan(tmp_path, tiny_encoder, ["ance"], repair="replaced")


def test_a_refresh_changes_the_training_and_not_its_first_draw(tmp_path: Path, tiny_encoder: Path) -> None:
    never, moving = plan(tmp_path, tiny_encoder, ["ance(refresh=never)", "ance"])
    assert never.training is not None
    assert moving.training is not None
    assert never.training.key != moving.training.key
    assert never.training.negatives == moving.training.negatives
    assert never.negatives == never.training.negatives


def test_a_copy_for_encoding_leaves_the_model_as_it_is(tiny_encoder: Path) -> None:
    model = SentenceTransformer(str(tiny_encoder)).train()
    copied = frozen_copy(model)
    assert model.training
    assert not copied.training
    assert all(a is not b for a, b in zip(model.parameters(), copied.parameters(), strict=True))
