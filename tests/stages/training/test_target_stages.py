"""What losses ask of the plan, and the stages that answer."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parrot import Parrot
from planning import by, plan
from scipy import stats

from negbench.collections import storage
from negbench.collections.helpdesk import Helpdesk
from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.trials import trials
from negbench.requirements import GuideTargets
from negbench.retrieval.bm25 import BM25
from negbench.rng import CounterRNG, key
from negbench.samplers.top import Top
from negbench.stages.evaluation.gradient import WeighFalseNegatives, scored
from negbench.stages.evaluation.judging import JudgeNegatives
from negbench.stages.inputs import LoadCollection, read_collection, read_vectors
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.pool import BuildPool, TrainTeacher
from negbench.stages.mining.pool_features import ScorePool
from negbench.stages.training.targets import DrawNoise, GuideStage, LexicalStage, MarkGenerated, TeachTargets
from negbench.store import Store, load_arrays, save_arrays
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder
from negbench.training.targets import PairTargets
from negbench.types import CandidatePool, Negatives


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Any]:
    """A stored collection, its pool, and negatives: three drawn, one more than the pool holds, one promoted."""
    source = Helpdesk(articles=100, queries=12, dev=3, test=3)
    spec = LoadCollection(source, source.fingerprint())
    pool = BuildPool(collection=spec, retriever=BM25(depth=4), split="train", seed=None, documents=None, queries=None)
    draw = DrawNegatives(pool=pool, labels=(), filters=(), sampler=Top(), features=(), fill="corpus", k=6, seed=0)
    folders = {stage: tmp_path / stage.kind for stage in (spec, pool, draw)}
    for folder in folders.values():
        folder.mkdir()
    collection = source.load()
    storage.save(collection, folders[spec])
    for stage in (pool, draw):
        stage.run(folders.__getitem__, folders[stage])
    drawn = load_arrays(Negatives, folders[draw])
    promoted = np.full((len(drawn.queries), 1), -1, np.int32)
    promoted[0] = next(row for row in range(100) if row not in drawn.documents[0] and row not in drawn.positives[0])
    save_arrays(replace(drawn, promoted=promoted), folders[draw])
    return {"collection": collection, "spec": spec, "pool": pool, "draw": draw, "folders": folders}


def wanted_pairs(stages: dict[str, Any]) -> set[tuple[int, int]]:
    drawn = load_arrays(Negatives, stages["folders"][stages["draw"]])
    labels = stages["collection"].qrels["train"].at_least(1)
    found = {*zip(labels.queries.tolist(), labels.documents.tolist(), strict=True)}
    for table in (drawn.documents, drawn.promoted):
        found |= {(q, d) for q, row in zip(drawn.queries.tolist(), table.tolist(), strict=True) for d in row if d >= 0}
    return found


def pairs_of(found: PairTargets) -> dict[tuple[int, int], float]:
    return {(n >> 32, n & 0xFFFFFFFF): s for n, s in zip(found.pairs.tolist(), found.scores.tolist(), strict=True)}


def test_a_teacher_scores_all_that_is_trained_with_fills_too(stages: dict[str, Any], tmp_path: Path) -> None:
    collection, teacher = stages["collection"], Parrot.model_construct(log=[])
    stage = TeachTargets(
        collection=stages["spec"],
        split="train",
        negatives=stages["draw"],
        teacher=teacher,
        fingerprint="",
        copies=(),
        precision="float32",
    )
    assert {stages["spec"], stages["draw"], stages["pool"]} <= set(stage.inputs)
    cost = stage.run(stages["folders"].__getitem__, tmp_path)
    found, passages = pairs_of(stage.read(tmp_path)), collection.passages()
    assert found == {(q, d): len(collection.queries[q]) * 1000 + len(passages[d]) for q, d in wanted_pairs(stages)}
    assert load_arrays(Negatives, stages["folders"][stages["draw"]]).origins.any()
    assert cost == {"teacher_calls": len(found), "unscored": 0}


def test_what_was_said_of_the_pool_is_not_asked_again(stages: dict[str, Any], tmp_path: Path) -> None:
    teacher = Parrot.model_construct(log=[])
    scores = ScorePool(pool=stages["pool"], teacher=teacher, fingerprint="", depth=3, copies=(), precision="float32")
    draw = replace(stages["draw"], features=(scores,))
    folders = {**stages["folders"], scores: tmp_path / "scores", draw: stages["folders"][stages["draw"]]}
    (tmp_path / "scores").mkdir()
    (tmp_path / "told").mkdir()
    scores.run(folders.__getitem__, tmp_path / "scores")
    stage = TeachTargets(
        collection=stages["spec"],
        split="train",
        negatives=draw,
        teacher=teacher,
        fingerprint="",
        copies=(),
        precision="float32",
    )
    assert scores in stage.inputs
    cost = stage.run(folders.__getitem__, tmp_path / "told")
    pool = load_arrays(CandidatePool, folders[stages["pool"]])
    ranked = {(q, d) for q, row in zip(pool.queries.tolist(), pool.documents[:, :3].tolist(), strict=True) for d in row}
    positive = {(q, d) for q, row in zip(pool.queries.tolist(), pool.positives.tolist(), strict=True) for d in row}
    assert cost["teacher_calls"] == len(wanted_pairs(stages) - ranked - positive) > 0
    (_, asked), passages = teacher.log[1], stages["collection"].passages()
    assert len(asked) == cost["teacher_calls"]
    whole = {(q, d): len(stages["collection"].queries[q]) * 1000 + len(passages[d]) for q, d in wanted_pairs(stages)}
    assert pairs_of(stage.read(tmp_path / "told")) == whole


def test_bm25_s_scores_are_those_of_its_ranking(stages: dict[str, Any], tmp_path: Path) -> None:
    stage = LexicalStage(collection=stages["spec"], split="train", negatives=stages["draw"], bm25=BM25(depth=1))
    stage.run(stages["folders"].__getitem__, tmp_path)
    found, pool = pairs_of(stage.read(tmp_path)), load_arrays(CandidatePool, stages["folders"][stages["pool"]])
    assert set(found) == wanted_pairs(stages)
    ranked = 0
    for row, query in enumerate(pool.queries.tolist()):
        for table, scores in ((pool.documents, pool.scores), (pool.positives, pool.positive_scores)):
            for document, score in zip(table[row].tolist(), scores[row].tolist(), strict=True):
                if (query, document) in found:
                    assert found[query, document] == pytest.approx(score)
                    ranked += 1
    assert ranked > 40


def test_noise_is_of_the_ids_and_even(stages: dict[str, Any], tmp_path: Path) -> None:
    stage = DrawNoise(collection=stages["spec"], split="train", negatives=stages["draw"])
    stage.run(stages["folders"].__getitem__, tmp_path)
    found, collection = pairs_of(stage.read(tmp_path)), stages["collection"]
    assert set(found) == wanted_pairs(stages)
    assert stats.kstest(list(found.values()), "uniform").pvalue > 0.001
    assert len(set(found.values())) == len(found)
    (query, document), said = next(iter(found.items()))
    ids = key(collection.query_ids[query]), key(collection.document_ids[document])
    alone = CounterRNG(0, "pair-noise").uniform(*(np.uint64(it) for it in ids))
    assert said == pytest.approx(float(alone), abs=1e-6)


def test_a_guide_s_cosines_are_those_of_the_teacher_it_is(
    stages: dict[str, Any], tmp_path: Path, tiny_encoder: Path
) -> None:
    guide, collection = BiEncoder(model=str(tiny_encoder)), stages["collection"]
    for negatives in (stages["draw"], None):
        stage = GuideStage(
            collection=stages["spec"],
            split="train",
            negatives=negatives,
            guide=guide,
            fingerprint="",
            precision="float32",
        )
        out = tmp_path / str(negatives is None)
        out.mkdir()
        cost = stage.run(stages["folders"].__getitem__, out)
        labels = collection.qrels["train"].at_least(1)
        documents = np.unique([d for _, d in wanted_pairs(stages)] if negatives else labels.documents).astype(np.int32)
        assert cost["documents_encoded"] == len(documents)
        queries = collection.split_queries("train")[:3]
        passages = collection.passages()
        pairs = [(collection.queries[q], passages[d]) for q in queries for d in documents]
        found = np.clip(stage.read(out).of(queries, documents), 0, 1)
        np.testing.assert_allclose(found.ravel(), guide.score(pairs, None, "float32"), atol=1e-5)


def test_generated_negatives_are_those_after_the_corpus(stages: dict[str, Any], tmp_path: Path) -> None:
    size = len(stages["collection"].document_ids)
    drawn = load_arrays(Negatives, stages["folders"][stages["draw"]])
    last = drawn.documents.copy()
    last[:, -1] = size + np.arange(len(last))
    for name in ("draw", "marks"):
        (tmp_path / name).mkdir()
    save_arrays(replace(drawn, documents=last), tmp_path / "draw")
    stage = MarkGenerated(collection=stages["spec"], split="train", negatives=stages["draw"])
    stage.run({**stages["folders"], stages["draw"]: tmp_path / "draw"}.__getitem__, tmp_path / "marks")
    found = pairs_of(stage.read(tmp_path / "marks"))
    assert {document for (_, document), told in found.items() if told} == {*range(size, size + len(last))}
    assert all(told == (document >= size) for (_, document), told in found.items())
    assert len(found) > len(last)


def test_a_loss_that_tells_generated_negatives_needs_some(collection: Path, weights: Path) -> None:
    writer = {"llm-writer": {"model": "made-up", "server": "http://localhost:1"}}
    keys = {"negatives": 2, "loss": "query-view-entropy"}
    found = by(plan(collection, weights, [{"bm25": {**keys, "written": writer}}]), "bm25")
    assert found.training is not None
    (stage,) = found.training.targets
    assert isinstance(stage, MarkGenerated)
    with pytest.raises(InputError, match=r"method bm25\(.*none are generated; give written$"):
        plan(collection, weights, [{"bm25": keys}])


def test_a_loss_that_requires_targets_has_the_stage_that_provides_them(collection: Path, weights: Path) -> None:
    teacher = f"trained-cross-encoder(model={weights}, folds=2)"
    mse = {"bm25": {"loss": {"margin-mse": {"teacher": teacher}}}}
    lexical = {"random": {"loss": "margin-hinge(lexical=0.1)"}}
    guided = {"in-batch": {"loss": {"gist": {"guide": f"bi-encoder(model={weights})"}}}}
    plain = plan(collection, weights, ["bm25", "random", "in-batch"])
    found = plan(collection, weights, [mse, lexical, guided])
    for name, kind in (("bm25", TeachTargets), ("random", LexicalStage), ("in-batch", GuideStage)):
        before, after = by(plain, name), by(found, name)
        assert before.training is not None
        assert after.training is not None
        assert before.training.targets == ()
        (stage,) = after.training.targets
        assert isinstance(stage, kind)
        assert stage in after.stages
        assert before.negatives == after.negatives
        assert before.training != after.training
    told = by(found, "bm25").stages
    assert len([stage for stage in told if isinstance(stage, TrainTeacher)]) == 2
    assert not any(isinstance(stage, ScorePool) for stage in told)


def test_a_grid_s_teacher_teaches_losses_too(collection: Path, weights: Path) -> None:
    teacher = f"trained-cross-encoder(model={weights}, folds=3)"
    found = by(plan(collection, weights, [{"bm25": {"loss": "margin-mse"}}], teacher=teacher), "bm25")
    assert found.spelling == "bm25(loss=margin-mse)"
    assert len([stage for stage in found.stages if isinstance(stage, TrainTeacher)]) == 3


def test_a_loss_of_mined_negatives_wants_some(collection: Path, weights: Path) -> None:
    for loss in ("margin-mse", "pairwise-nll", "margin-hinge"):
        with pytest.raises(InputError, match=f"loss {loss} learns from mined negatives alone"):
            plan(collection, weights, [{"in-batch": {"loss": loss}}])


def test_a_grid_runs_and_its_gradient_is_replayed(tmp_path: Path, tiny_encoder: Path) -> None:
    """With a learning rate of next to nothing, the replayed batches give the losses of the training."""
    guide = f"gist(guide=bi-encoder(model={tiny_encoder}), margin=0.05)"
    methods = [
        {"bm25": {"loss": "margin-hinge(margin=1.0, lexical=0.1)"}},
        {"random": {"loss": guide}},
        {"in-batch": {"loss": "passage-centric"}},
        {"in-batch": {"loss": "matryoshka(loss=multi-positive)"}},
    ]
    train = {"batch_size": 8, "learning_rate": 1e-12, "max_length": 64, "precision": "float32"}
    grid = {"name": "g", "collection": "helpdesk(articles=100, queries=16, dev=4, test=4)", "methods": methods}
    grid |= {"encoder": {"model": str(tiny_encoder)}, "negatives": 2, "train": train, "gradient": True}
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    store = Store(tmp_path / "store")
    for trial in (it for it in trials(read(tmp_path / "grid.yaml")) if it.training is not None):
        (stage,) = [stage for stage in trial.breakdowns if isinstance(stage, WeighFalseNegatives)]
        store.ensure(stage)
        training = stage.training
        assert set(training.targets) <= set(stage.inputs)
        collection = read_collection(store.path(training.collection))
        data, batches = training.replay(store.path, collection)
        data = training.told(store.path, data)
        vectors = [read_vectors(store.path(embed)) for embed in stage.start]
        asked = collection.split_queries("train")
        seen = [scored(data, batch, asked, *vectors) for batch in batches]
        assert all((not batch.scored.targets) == (trial.method == "in-batch") for batch in seen)
        losses = [float(training.loss.mean(batch.scored, batch.weights)) for batch in seen]
        curve = json.loads((store.path(training) / "curves.json").read_text())["loss"]
        assert [value for _, value in curve] == pytest.approx(losses, rel=1e-3)


def test_a_loss_with_two_teachers_is_told_both(tmp_path: Path, tiny_encoder: Path) -> None:
    """The pairs' scores are those that MarginMSE is told, the guide's those that GISTEmbed is."""
    teacher = {"trained-cross-encoder": {"model": str(tiny_encoder), "max_length": 32}}
    guide = f'loss.guide="bi-encoder(model=\\"{tiny_encoder}\\")"'
    few = f"depth=12, {guide}"
    names = [f"tas-balanced-dual({few})", "tas-balanced(depth=12)", f"tas-balanced-infonce(loss=gist, {few})"]
    grid = {
        "name": "g",
        "collection": "helpdesk(articles=100, queries=24, dev=3, test=3)",
        "encoder": {"model": str(tiny_encoder)},
        "methods": names,
        "teacher": teacher,
        "train": {"batch_size": 8, "max_length": 16, "precision": "float32"},
        "gradient": True,
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    both, pairs, batch = [it.training for it in trials(read(tmp_path / "grid.yaml")) if it.training is not None]
    assert both.targets == (*pairs.targets, *batch.targets)
    store = Store(tmp_path / "store")
    store.ensure(both)
    collection = read_collection(store.path(both.collection))
    data = both.told(store.path, both.rows(store.path, collection)[0])
    found = data.targets[GuideTargets].of(data.queries[:4], np.unique(data.positives[:4]))
    assert np.isfinite(found).all()
    assert [target["key"] for target in both.identity()["parameters"]["targets"]] == [it.key for it in both.targets]


class Broken(Teacher):
    """Gives the same score to all pairs."""

    says: float
    refuses: bool

    @property
    def may_refuse(self) -> bool:
        return self.refuses

    @property
    def spelling(self) -> str:
        return "broken"

    def fingerprint(self) -> str:
        return "broken"

    def score(self, pairs: Any, folder: Path | None, precision: Any) -> np.ndarray:
        return np.full(len(pairs), self.says, np.float32)


@pytest.mark.parametrize(
    ("says", "refuses", "reason"),
    [
        (math.nan, False, r"teacher broken: \d+ of \d+ scores are NaN or infinite"),
        (math.inf, True, r"teacher broken: \d+ of \d+ scores are NaN or infinite"),
        (math.nan, True, r"teacher broken: none of the \d+ pairs has a score"),
    ],
)
@pytest.mark.parametrize("asks", ["pool", "targets", "judge"])
def test_a_teacher_whose_scores_are_no_numbers_fails_the_stage_by_name(
    stages: dict[str, Any], tmp_path: Path, asks: str, says: float, refuses: bool, reason: str
) -> None:
    teacher = Broken.model_construct(says=says, refuses=refuses)
    stage: Any = {
        "pool": ScorePool(
            pool=stages["pool"], teacher=teacher, fingerprint="", depth=3, copies=(), precision="float32"
        ),
        "targets": TeachTargets(
            collection=stages["spec"],
            split="train",
            negatives=stages["draw"],
            teacher=teacher,
            fingerprint="",
            copies=(),
            precision="float32",
        ),
        "judge": JudgeNegatives(stages["draw"], teacher, "", "float32"),
    }[asks]
    with pytest.raises(InputError, match=reason):
        stage.run(stages["folders"].__getitem__, tmp_path)
    assert not [*tmp_path.glob("*.npy")]


def test_a_teacher_that_refused_some_of_the_pool_may_refuse_them_again(stages: dict[str, Any], tmp_path: Path) -> None:
    """Of the pairs that are asked about here none has a score; of all that is trained with most have."""
    teacher = Broken.model_construct(says=math.nan, refuses=True)
    scores = ScorePool(pool=stages["pool"], teacher=teacher, fingerprint="", depth=4, copies=(), precision="float32")
    pool = load_arrays(CandidatePool, stages["folders"][stages["pool"]])
    (tmp_path / "scores").mkdir()
    np.save(tmp_path / "scores/candidates.npy", np.where(pool.available(), np.float32(0.5), np.float32(np.nan)))
    np.save(tmp_path / "scores/positives.npy", np.where(pool.positives >= 0, np.float32(1), np.float32(np.nan)))
    draw = replace(stages["draw"], features=(scores,))
    folders = {**stages["folders"], scores: tmp_path / "scores", draw: stages["folders"][stages["draw"]]}
    (tmp_path / "told").mkdir()
    cost = TeachTargets(
        collection=stages["spec"],
        split="train",
        negatives=draw,
        teacher=teacher,
        fingerprint="",
        copies=(),
        precision="float32",
    ).run(folders.__getitem__, tmp_path / "told")
    assert cost["unscored"] == cost["teacher_calls"] > 0


def test_vectors_of_a_teacher_are_those_of_a_guide(tmp_path: Path, tiny_encoder: Path) -> None:
    """One stage serves both, and training takes the vectors from it."""
    teacher = f'bi-encoder(model="{tiny_encoder}")'
    grid = {
        "name": "g",
        "collection": "helpdesk(articles=100, queries=24, dev=3, test=3)",
        "encoder": {"model": str(tiny_encoder)},
        "methods": [
            {"naive": {"loss": f"{name}={teacher})"}} for name in ("gist(guide", "embedding-distillation(teacher")
        ],
        "train": {"batch_size": 8, "max_length": 16, "precision": "float32"},
        "gradient": True,
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    guided, imitating = [trial for trial in trials(read(tmp_path / "grid.yaml")) if trial.training is not None]
    assert guided.training is not None
    assert imitating.training is not None
    assert [it.key for it in guided.training.targets] == [it.key for it in imitating.training.targets]
    assert not any(isinstance(it, WeighFalseNegatives) for it in imitating.breakdowns)  # no vectors to replay it with
    store = Store(tmp_path / "store")
    store.ensure(imitating.training)
    curve = json.loads((store.path(imitating.training) / "curves.json").read_text())["loss"]
    assert np.isfinite([value for _, value in curve]).all()
