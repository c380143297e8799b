"""Methods in stages: what each training gets, and what is told of all of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import moving_grids
import numpy as np
import pytest
from moving_grids import TRAIN

from negbench.errors import InputError
from negbench.methods import Method, named, resolve
from negbench.plan.trials import Trial
from negbench.report import results
from negbench.stages.evaluation import breakdown_files
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.inputs import Embed, read_collection
from negbench.stages.mining.pool import BuildPool
from negbench.stages.training.sequence import TrainingSequence
from negbench.store import Store
from negbench.types import Negatives

plan = partial(moving_grids.plan, negatives=2)


def in_phases(*phases: str) -> dict[str, Any]:
    return {"curriculum": {"phases": list(phases)}}


def sequence_of(trial: Trial) -> TrainingSequence:
    assert trial.sequence is not None
    return trial.sequence


class TestWhatATrainingGets:
    def test_weights_and_candidates(self, tmp_path: Path, tiny_encoder: Path) -> None:
        """From the stage before, or the start, as each stage says."""
        names = ["naive(work=0.2)", "naive(work=0.3)", "naive(work=0.5, candidates_from=start)"]
        (trial,) = plan(tmp_path, tiny_encoder, [in_phases(*names)])
        first, second, third = sequence_of(trial).trainings
        assert (second.encoder, third.encoder) == (first, second)
        miners = []
        for training in (first, second, third):
            assert training.negatives is not None
            vectors = training.negatives.pool.documents
            assert isinstance(vectors, Embed)
            miners.append(vectors.encoder)
        assert miners == [first.encoder, first, first.encoder]
        assert trial.training == third

    def test_a_round_that_begins_anew(self, tmp_path: Path, tiny_encoder: Path) -> None:
        changed = {"rounds": {"as": "faithful"}}
        teacher = {"trained-cross-encoder": {"model": str(tiny_encoder)}}
        (trial,) = plan(tmp_path, tiny_encoder, [changed], teacher=teacher)
        first, second = sequence_of(trial).trainings
        assert first.encoder == second.encoder
        assert first.step_range == second.step_range == (0.0, 1.0)
        assert isinstance(second.negatives.pool.documents, Embed)  # type: ignore[union-attr]
        assert second.negatives.pool.documents.encoder == first  # type: ignore[union-attr]

    @pytest.mark.parametrize("positives", ["each", "one"])
    def test_the_rows_of_stages_are_those_of_one_training(
        self, tmp_path: Path, tiny_encoder: Path, positives: str
    ) -> None:
        """Work in proportion to seven steps: 2, 2 and 3."""
        names = ["bm25(work=0.3)", "bm25(work=0.25)", "bm25(work=0.45)"]
        train = {**TRAIN, "positives": positives}
        stages, whole = plan(tmp_path, tiny_encoder, [in_phases(*names), "bm25"], train=train)
        store = Store(tmp_path / "store")
        for trial in (stages, whole):
            for stage in trial.counts:
                store.ensure(stage)
        collection = read_collection(store.path(whole.evaluation.collection))
        one, many = (sequence_of(trial).replay(store.path, collection) for trial in (whole, stages))
        assert len(one.batches) == len(many.batches) > 5
        for left, right in zip(one.batches, many.batches, strict=True):
            for name in ("queries", "positives", "negatives", "weights"):
                np.testing.assert_array_equal(getattr(one.data, name)[left], getattr(many.data, name)[right])
            np.testing.assert_array_equal(one.epochs[left], many.epochs[right])
        steps = [len(training.replay(store.path, collection)[1]) for training in sequence_of(stages).trainings]
        assert steps == [round(0.3 * sum(steps)), round(0.55 * sum(steps)) - round(0.3 * sum(steps)), steps[2]]
        rates = [read_rates(it.counts, store.path) for it in (stages, whole)]
        assert rates[0]["exact"] == rates[1]["exact"]

    def test_a_stage_without_a_step_is_refused(self, tmp_path: Path, tiny_encoder: Path) -> None:
        (trial,) = plan(tmp_path, tiny_encoder, [in_phases("bm25(work=0.01)", "random(work=0.99)")])
        with pytest.raises(InputError, match=r"no step lies between 0 and 0.01 of a training of"):
            Store(tmp_path / "store").ensure(sequence_of(trial).trainings[0])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Trial, Store]:
    """In-batch, then BM25 with two negatives, then one of the encoder's own, which draws again; all made."""
    folder = tmp_path_factory.mktemp("mixed")
    names = ["in-batch(work=0.2)", "bm25(work=0.4)", 'naive(work=0.4, negatives=1, refresh="every(steps=1)")']
    (trial,) = plan(folder, tiny_encoder, [in_phases(*names)], curve_points=3)
    store = Store(folder / "store")
    for stage in trial.stages:
        store.ensure(stage)
    return trial, store


class TestWhatIsTold:
    def test_the_rate_is_over_all_that_was_handed(self, mixed: tuple[Trial, Store]) -> None:
        """Counted by hand, row by row, from what each round drew."""
        trial, store = mixed
        collection = read_collection(store.path(trial.evaluation.collection))
        truth = collection.truth["train"].by_query()
        false = handed = 0
        for training in sequence_of(trial).trainings:
            data, batches = training.replay(store.path, collection)
            for row in np.concatenate(batches).tolist():
                mine = [it for it in data.negatives[row].tolist() if it >= 0]
                handed += len(mine)
                false += len(set(mine) & set(truth[int(data.queries[row])].tolist()))
        rates = read_rates(trial.counts, store.path)
        assert handed > 20
        assert rates["exact"]["rate"] == pytest.approx(false / handed)

    def test_each_row_finds_its_own_place_in_the_gathered_draw(self, mixed: tuple[Trial, Store]) -> None:
        trial, store = mixed
        collection = read_collection(store.path(trial.evaluation.collection))
        replay = sequence_of(trial).replay(store.path, collection)
        assert trial.negatives is not None
        drawn = trial.negatives.located(store.path).negatives
        rows = np.searchsorted(drawn.queries, replay.data.queries)
        for row in np.unique(np.concatenate(replay.batches)).tolist():
            mine = replay.data.negatives[row]
            mine = mine[mine >= 0]
            first = int(replay.columns[row])
            np.testing.assert_array_equal(drawn.documents[rows[row], first : first + len(mine)], mine)

    def test_by_round(self, mixed: tuple[Trial, Store]) -> None:
        """Round 0 has no negatives, 1 is BM25's, the rest are the encoder's, which search again after each step."""
        trial, store = mixed
        (where,) = [stage for stage in trial.breakdowns if stage.kind == "where"]
        found = breakdown_files.read(store.path(where))["round"]
        names = list(found)
        assert names[:2] == ["1", "2"]
        assert sum(share.reference for share in found.values()) == pytest.approx(1)
        assert found["1"].reference > found["2"].reference

    def test_curves_run_on(self, mixed: tuple[Trial, Store]) -> None:
        trial, store = mixed
        curves = sequence_of(trial).curves(store)
        steps = [step for step, _ in curves["loss"]]
        assert steps == list(range(1, len(steps) + 1))
        watched = [step for step, _ in curves["dev_nDCG@10"]]
        assert watched[0] == 0
        assert watched == sorted(set(watched))
        assert max(watched) == len(steps)

    def test_the_record_prices_all_trainings(self, mixed: tuple[Trial, Store]) -> None:
        trial, store = mixed
        row = results.record(trial, [trial], store, None)
        assert len(row["digests"]["training"]) == 3
        assert row["cost"]["steps"] == len(sequence_of(trial).curves(store)["loss"])


class TestCrops:
    def test_a_warm_up_on_the_corpus(self, tmp_path: Path, tiny_encoder: Path) -> None:
        """Its queries are spans; what is false among their negatives is not asked."""
        (trial,) = plan(tmp_path, tiny_encoder, [in_phases("bm25(work=0.4, pairs=crops)", "naive(work=0.6)")])
        store = Store(tmp_path / "store")
        first, second = sequence_of(trial).trainings
        assert trial.negatives == second.negatives
        assert trial.false_negatives is not None
        store.ensure(trial.false_negatives)
        crops, labels = (read_collection(store.path(it.collection)) for it in (first, second))
        assert crops.passages() == labels.passages()
        drawn = store.load(Negatives, first.negatives)  # type: ignore[arg-type]
        own = dict(zip(crops.qrels["train"].queries.tolist(), crops.qrels["train"].documents.tolist(), strict=True))
        for query, documents in zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True):
            assert own[query] not in documents
        rows = sequence_of(trial).replay(store.path, labels)
        np.testing.assert_array_equal(np.unique(rows.data.queries), labels.split_queries("train"))

    def test_dense_candidates_of_crops_share_the_documents(self, tmp_path: Path, tiny_encoder: Path) -> None:
        (trial,) = plan(tmp_path, tiny_encoder, [in_phases("naive(work=0.5, pairs=crops)", "naive(work=0.5)")])
        pools = [it.negatives.pool for it in sequence_of(trial).trainings]  # type: ignore[union-attr]
        assert all(isinstance(pool, BuildPool) for pool in pools)
        assert {pool.documents.collection for pool in pools} == {trial.evaluation.collection}  # type: ignore[union-attr]
        assert pools[0].queries.collection == pools[0].collection  # type: ignore[union-attr]


def method(**changed: Any) -> Method:
    return Method(name="made", summary="", paper="", year=2026, shows="", **changed)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"phases": ["bm25(work=0.5)", "random(work=0.4)"]}, "the phases do 0.9 of a training's work"),
            ({"phases": ["bm25(work=0.5)", "random(work=0.6)"]}, "the phases take 1.1 of a training"),
            ({"phases": ["curriculum(work=1)"]}, "phase curriculum has phases of its own"),
            ({"phases": ["bm25(work=1)"], "loss": "pairwise-nll"}, "a method has phases or loss, not both"),
            ({"phases": ["bm26(work=1)"]}, "bm25"),
            ({"phases": ["bm25"]}, "work"),
        ],
    )
    def test_by_name(self, changed: dict[str, Any], says: str) -> None:
        with pytest.raises(ValueError, match=says):
            method(**changed)

    def test_other_forms_may_do_more(self) -> None:
        twice = method(form="faithful", phases=["bm25(work=1)", "bm25(work=1, weights_from=start)"])
        assert [phase.work for phase in twice.phases] == [1, 1]


def test_the_former_key_is_read_as_well() -> None:
    entry = ["random(work=0.2)", "naive(work=0.8)"]
    assert resolve({"curriculum": {"stages": entry}}) == resolve(in_phases(*entry))
    assert method(stages=entry) == method(phases=entry)
    with pytest.raises(ValueError, match="phases and stages are one key; give phases"):
        resolve({"curriculum": {"stages": entry, "phases": entry}})


@pytest.mark.parametrize("name", ["curriculum", "ladder", "rounds", "stable", "multi-stage", "cl-drd"])
def test_spelled_and_read_again(name: str) -> None:
    shipped = named(name)
    assert resolve(shipped.spelling) == shipped
    changed = resolve({name: {"phases": ["random(work=0.25, pairs=crops)", "simans(work=0.75, a=1.5)"]}})
    assert resolve(changed.spelling) == changed
    assert [phase.spelling for phase in changed.phases] == [
        "random(work=0.25, pairs=crops)",
        "simans(work=0.75, a=1.5)",
    ]


def test_a_teacher_reaches_the_stages(tmp_path: Path, tiny_encoder: Path) -> None:
    teacher = {"trained-cross-encoder": {"model": str(tiny_encoder), "folds": 3}}
    (trial,) = plan(tmp_path, tiny_encoder, ["cl-drd"], teacher=teacher)
    assert sum(stage.kind == "teacher" for stage in trial.stages) == 3
    assert len({stage.key for training in sequence_of(trial).trainings for stage in training.targets}) == 1
