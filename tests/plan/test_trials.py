from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from planning import METHODS, by, keys, plan, pool_key, text_of

from negbench import registry
from negbench.collections.beir import Beir
from negbench.collections.resolve import collection_name, source_of
from negbench.errors import InputError
from negbench.evaluation.false_negatives.exact import Exact
from negbench.filters.denoise import Denoise
from negbench.plan.trials import BM25_SEARCH, START
from negbench.registry import registered
from negbench.stages.mining.pool import TrainTeacher
from negbench.stages.mining.pool_features import ScorePool
from negbench.store import Stage


def test_planning_imports_none_of_the_heavy_libraries(collection: Path, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text_of(collection, weights))
    code = """
import sys
from pathlib import Path
from negbench.config.grid import read
from negbench.plan.graph import planned
from negbench.plan.trials import trials
from negbench.store import Store

found = planned(trials(read(Path(sys.argv[1]))), Store(Path(sys.argv[2])))
heavy = ("torch", "transformers", "sentence_transformers", "mlflow", "datasets", "ir_datasets", "pyarrow", "pandas")
print(len(found), [name for name in heavy if name in sys.modules])
"""
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "store")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stages, _, heavy = found.partition(" ")
    assert int(stages) > 30
    assert heavy.strip() == "[]"
    assert not (tmp_path / "store").exists()


def test_there_is_a_trial_for_each_method_and_seed_and_the_references(collection: Path, weights: Path) -> None:
    found = plan(collection, weights)
    assert [(trial.method, trial.seed) for trial in found] == [
        (BM25_SEARCH, None),
        (START, None),
        *[(method, seed) for seed in (0, 1) for method in METHODS],
    ]
    names = [trial.name for trial in found]
    assert len(set(names)) == len(names)
    assert {BM25_SEARCH, START, "in-batch seed 1"} <= set(names)
    assert {trial.form for trial in found[:2]} == {"reference"}
    assert {trial.collection_name for trial in found} == {"socks"}


def test_a_start_that_is_drawn_afresh_is_a_trial_a_seed(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, encoder={"model": str(weights), "reinit_layers": 1})
    assert [trial.seed for trial in found if trial.method == START] == [0, 1]
    assert by(found, START, 0).evaluation.key != by(found, START, 1).evaluation.key
    assert [trial.seed for trial in found if trial.method == BM25_SEARCH] == [None]


def test_one_dense_pool_serves_every_sampler_and_seed(collection: Path, weights: Path) -> None:
    found = plan(collection, weights)
    dense = {pool_key(by(found, method, seed)) for method in ("simans", "denoised") for seed in (0, 1)}
    assert len(dense) == 1
    assert len({pool_key(by(found, "rank-band", seed)) for seed in (0, 1)} - dense) == 1  # of an index
    assert len({pool_key(by(found, "bm25", seed)) for seed in (0, 1)} - dense) == 1
    assert len({pool_key(by(found, "random", seed)) for seed in (0, 1)} - dense) == 2  # drawn, so by seed
    # the pool's embeddings of the corpus are those that the start is evaluated with
    assert keys(by(found, START, None), "embeddings") & keys(by(found, "simans"), "embeddings")


def test_drawn_layers_keep_the_dense_pools_of_the_seeds_apart(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, encoder={"model": str(weights), "reinit_layers": 1})
    pools = [{pool_key(by(found, method, seed)) for method in ("simans", "denoised")} for seed in (0, 1)]
    assert [len(pool) for pool in pools] == [1, 1]
    assert pools[0] != pools[1]
    assert len({pool_key(by(found, "bm25", seed)) for seed in (0, 1)}) == 1


@pytest.mark.parametrize("reinit_layers", [0, 1])
def test_all_methods_of_a_seed_start_from_the_same_encoder(collection: Path, weights: Path, reinit_layers: int) -> None:
    found = plan(collection, weights, encoder={"model": str(weights), "reinit_layers": reinit_layers})
    starts = [{key for method in METHODS for key in keys(by(found, method, seed), "encoder")} for seed in (0, 1)]
    assert [len(start) for start in starts] == [1, 1]
    assert (starts[0] == starts[1]) == (reinit_layers == 0)
    assert starts[0] <= keys(by(found, START, 0 if reinit_layers else None), "encoder")


def test_each_method_and_seed_has_its_own_training(collection: Path, weights: Path) -> None:
    found = [trial for trial in plan(collection, weights) if trial.training is not None]
    for kind in (lambda trial: trial.training.key, lambda trial: trial.evaluation.key):
        assert len({kind(trial) for trial in found}) == len(found) == 2 * len(METHODS)
    assert len({trial.negatives.key for trial in found if trial.negatives}) == 2 * (len(METHODS) - 1)


def test_the_control_has_no_pool(collection: Path, weights: Path) -> None:
    control = by(plan(collection, weights), "in-batch")
    assert control.negatives is None
    assert control.training is not None
    assert control.training.negatives is None
    costed = {"collection", "encoder", "training", "embeddings", "evaluation"}
    assert {stage.kind for stage in control.costed_stages} == costed
    estimated = costed | {"false-negatives", "in-batch-false-negatives"}
    assert {stage.kind for stage in control.result_stages} == estimated


def test_stages_come_inputs_first_and_each_once(collection: Path, weights: Path) -> None:
    for trial in plan(collection, weights):
        seen: set[str] = set()
        for stage in trial.stages:
            assert {parent.key for parent in stage.inputs} <= seen
            assert stage.key not in seen
            seen.add(stage.key)
        assert trial.evaluation.key in seen


def test_keys_do_not_depend_on_where_the_files_lie(collection: Path, weights: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(collection, moved / "mittens")
    shutil.copytree(weights, moved / "other-encoder")
    plain = METHODS[:-1]
    before, after = plan(collection, weights, plain), plan(moved / "mittens", moved / "other-encoder", plain)
    assert [keys(trial) for trial in before] == [keys(trial) for trial in after]
    assert {trial.collection_name for trial in after} == {"mittens"}


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/test.tsv"])
def test_other_content_is_another_collection(collection: Path, weights: Path, name: str) -> None:
    before = plan(collection, weights)
    path = collection / name
    path.write_text(
        path.read_text().replace("sock", "stocking").replace("q0\td0", "q0\td8").replace("q4\td4", "q4\td8")
    )
    for old, new in zip(before, plan(collection, weights), strict=True):
        kinds = {stage.key: stage.kind for stage in old.stages}
        assert {kinds[key] for key in keys(old) & keys(new)} <= {"encoder"}


def test_other_weights_are_another_encoder(collection: Path, weights: Path) -> None:
    before = plan(collection, weights)
    (weights / "model.safetensors").write_bytes(b"others")
    after = plan(collection, weights)
    assert by(before, BM25_SEARCH, None).evaluation.key == by(after, BM25_SEARCH, None).evaluation.key
    assert pool_key(by(before, "bm25")) == pool_key(by(after, "bm25"))
    for method in METHODS:
        old, new = by(before, method), by(after, method)
        assert old.evaluation.key != new.evaluation.key
        assert not keys(old, "training", "encoder", "embeddings") & keys(new, "training", "encoder", "embeddings")
    assert pool_key(by(before, "simans")) != pool_key(by(after, "simans"))


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (
            {"train": {"precision": "float32", "epochs": 2}},
            {"collection", "encoder", "pool", "scores", "teacher"},
        ),
        ({"negatives": 2}, {"collection", "encoder", "pool", "scores", "teacher"}),
        (
            {"split": "dev"},
            {"collection", "encoder", "pool", "scores", "teacher", "negatives", "training"}
            | {"false-negatives", "in-batch-false-negatives"},
        ),
        (
            {"measures": ["AP"]},
            {"collection", "encoder", "pool", "scores", "teacher"}
            | {"negatives", "training", "embeddings", "false-negatives", "in-batch-false-negatives"},
        ),
        ({"train": {"precision": "float32", "max_length": 64}}, {"collection", "encoder"}),
        ({"train": {"precision": "bfloat16"}}, {"collection", "encoder"}),
        ({"seeds": [2]}, {"collection", "encoder", "pool", "scores", "teacher"}),
        ({"name": "other", "baseline": "in-batch"}, None),
    ],
    ids=["epochs", "negatives", "split", "measures", "max_length", "precision", "seeds", "name"],
)
def test_a_change_reaches_what_depends_on_it_and_no_more(
    collection: Path, weights: Path, change: dict[str, object], kept: set[str] | None
) -> None:
    old = by(plan(collection, weights), "denoised")
    new = by(plan(collection, weights, **change), "denoised", 2 if "seeds" in change else 0)
    if kept is None:
        assert keys(old) == keys(new)
        return
    for kind in {stage.kind for stage in old.costed_stages} - {"embeddings"}:  # of which some stay and some do not
        assert (keys(old, kind) == keys(new, kind)) == (kind in kept), kind
    if "embeddings" in kept:
        assert keys(old, "embeddings") == keys(new, "embeddings")


def test_a_method_s_parameter_changes_that_method_alone(collection: Path, weights: Path) -> None:
    before, after = (
        plan(collection, weights, ["random", "simans"]),
        plan(collection, weights, ["random", {"simans": {"a": 1}}]),
    )
    assert keys(by(before, "random")) == keys(by(after, "random"))
    old, new = by(before, "simans"), by(after, "simans")
    assert pool_key(old) == pool_key(new)
    assert keys(old, "negatives", "training").isdisjoint(keys(new, "negatives", "training"))


def test_a_form_for_dot_products_is_refused_before_any_work(collection: Path, weights: Path) -> None:
    with pytest.raises(InputError, match=r"method dpr\(as=faithful\): its paper's constants are for raw dot products"):
        plan(collection, weights, ["in-batch", "dpr(as=faithful)"])
    plan(collection, weights, ["in-batch", "dpr"])


def test_a_deeper_look_is_a_deeper_pool(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, ["simans", {"rank-band": {"high": 300}}])
    assert pool_key(by(found, "simans")) != pool_key(by(found, "rank-band"))
    negatives = by(found, "rank-band").negatives
    assert negatives is not None
    assert negatives.pool.retriever.depth == 300


def test_a_teacher_s_copies_are_shared_over_seeds_and_depths_of_asking(collection: Path, weights: Path) -> None:
    found = plan(collection, weights)
    one, two = by(found, "denoised", 0), by(found, "denoised", 1)
    assert keys(one, "teacher", "scores") == keys(two, "teacher", "scores")
    copies = [stage for stage in one.stages if isinstance(stage, TrainTeacher)]
    assert [copy.fold for copy in copies] == [0, 1]
    (scores,) = [stage for stage in one.stages if isinstance(stage, ScorePool)]
    assert scores.copies == tuple(copies)
    assert scores.depth == 50


def test_filters_share_one_teacher_asked_as_deep_as_any(
    collection: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("filter")
    monkeypatch.setitem(registry._REGISTRY, "filter", dict(registry._REGISTRY["filter"]))

    class Again(Denoise):
        """Another filter that asks a teacher."""

        name: ClassVar[str] = "denoise-again"

    teacher = f"trained-cross-encoder(model={weights})"
    filters = [f"denoise(depth=20, teacher={teacher})", f"denoise-again(depth=40, teacher={teacher})"]
    negatives = by(plan(collection, weights, [{"simans": {"filters": filters}}]), "simans").negatives
    assert negatives is not None
    (scores,) = negatives.features
    assert isinstance(scores, ScorePool)
    assert scores.depth == 40
    filters[1] = filters[1].replace("model=", "folds=3, model=")
    with pytest.raises(InputError, match=r"simans.*its parts use different teachers; give them the same one"):
        plan(collection, weights, [{"simans": {"filters": filters}}])


def test_an_estimator_more_changes_no_other_stage(
    collection: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("estimator")
    monkeypatch.setitem(registry._REGISTRY, "estimator", dict(registry._REGISTRY["estimator"]))
    keyed = {"judge": f"bi-encoder(model={weights})", "held_out": 0.5}
    before = plan(collection, weights, ["bm25", "random"], **keyed)

    class Another(Exact):
        """An estimator of somebody's own."""

        name: ClassVar[str] = "another"

    after = plan(collection, weights, ["bm25", "random"], **keyed)
    for old, new in zip(before, after, strict=True):
        known, there = ({stage.key for stage in trial.stages} for trial in (old, new))
        more = [stage for stage in new.stages if stage.key not in known]
        assert known <= there
        assert [stage.label for stage in more] == (
            ["estimate the false-negative rate, another"] if new.estimates else []
        )


@pytest.mark.parametrize("chosen", [{}, {"estimators": ["exact", "clicked"]}])
def test_an_estimator_that_reads_what_no_grid_has_is_refused_by_name(
    collection: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, list[str]]
) -> None:
    registered("estimator")
    monkeypatch.setitem(registry._REGISTRY, "estimator", dict(registry._REGISTRY["estimator"]))

    class Clicked(Exact):
        """An estimator from a log of clicks."""

        name: ClassVar[str] = "clicked"
        reads: ClassVar[tuple[Any, ...]] = ("judge", "clicks")

    with pytest.raises(InputError, match="clicked reads clicks, which no grid can give; choose one that reads judge"):
        plan(collection, weights, ["bm25"], **chosen)
    assert plan(collection, weights, ["bm25"], estimators=["exact"])


def test_only_the_estimators_that_are_chosen_are_asked_and_each_is_set_by_itself(
    collection: Path, weights: Path
) -> None:
    keyed = {"judge": f"bi-encoder(model={weights})", "held_out": 0.5}
    some, others = (
        by(plan(collection, weights, ["bm25"], **keyed, estimators=chosen), "bm25")
        for chosen in (["exact", "held-out(frequency=0.3)"], ["exact", "held-out(frequency=0.4)", "judge"])
    )
    assert [it.estimator.spelling for it in some.estimates] == ["exact", "held-out(frequency=0.3)"]
    assert not keys(some, "judged")
    assert keys(others, "judged")
    shared = {stage.label for stage in some.stages if stage.key in keys(others)}
    assert "estimate the false-negative rate, exact" in shared
    assert "estimate the false-negative rate, held-out(frequency=0.3)" not in shared
    with pytest.raises(
        InputError, match=r"estimators: held-out is given twice, and a table has one place for its rate"
    ):
        plan(collection, weights, estimators=["held-out", "held-out(frequency=0.3)"])


def test_a_grid_s_teacher_is_asked_where_a_method_does_not_say(collection: Path, weights: Path) -> None:
    teacher = f"trained-cross-encoder(model={weights}, folds=3)"
    own = {"cross-encoder-filter": {"teacher": f"trained-cross-encoder(model={weights}, folds=4)"}}
    found = plan(collection, weights, ["rocketqa", own, "tas-balanced"], teacher=teacher)
    for method, spelling, folds in (("rocketqa", "rocketqa", 3), ("tas-balanced", "tas-balanced", 3)):
        trial = by(found, method)
        assert trial.spelling == spelling
        assert len([stage for stage in trial.stages if isinstance(stage, TrainTeacher)]) == folds
    stages = by(found, "cross-encoder-filter").stages
    assert len([stage for stage in stages if isinstance(stage, TrainTeacher)]) == 4


def test_axes_make_trials_of_their_own_that_share_what_they_can(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, ["simans"], seeds=[0], axes={"negatives": [1, 2]})
    assert [trial.name for trial in found] == [
        f"{name} negatives={count}" for count in (1, 2) for name in (BM25_SEARCH, START, "simans seed 0")
    ]
    one, two = (trial for trial in found if trial.method == "simans")
    assert pool_key(one) == pool_key(two)
    assert one.negatives != two.negatives
    assert found[0].evaluation == found[3].evaluation


@pytest.mark.parametrize("asked", ["auto", "float32", "bfloat16"])
def test_the_precision_is_settled_when_planning(collection: Path, weights: Path, asked: str) -> None:
    for trial in plan(collection, weights, train={"precision": asked}):
        if trial.training is not None:
            settled = trial.training.recipe.precision
            assert settled in ("float32", "bfloat16")
            assert asked in ("auto", settled)
            assert '"precision": "auto"' not in json.dumps([stage.identity() for stage in trial.stages])


def test_a_collection_is_named_without_the_path_to_it_however_deep(collection: Path) -> None:
    assert collection_name(source_of({"hidden": {"collection": str(collection)}})) == "hidden(socks)"


def test_files_are_read_once_however_many_points_and_seeds(
    collection: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_files: list[str] = []
    real = Beir.fingerprint

    def counted(source: Beir) -> str:
        read_files.append(source.path)
        return real(source)

    monkeypatch.setattr(Beir, "fingerprint", counted)
    plan(collection, weights, axes={"negatives": [1, 2, 3]})
    assert read_files == [str(collection)]


def test_what_does_not_exist_is_refused(collection: Path, weights: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        plan(collection, weights, encoder=str(weights.parent / "gone"))
    (weights / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        plan(collection, weights)


def test_stages_are_equal_by_key_and_say_what_they_do(collection: Path, weights: Path) -> None:
    one, two = plan(collection, weights), plan(collection, weights)
    stages: list[Stage] = [stage for trial in one for stage in trial.stages]
    assert set(stages) == {stage for trial in two for stage in trial.stages}
    assert all(len(stage.label) > 5 for stage in stages)
    assert json.loads(json.dumps([stage.identity() for stage in stages])) == [stage.identity() for stage in stages]
