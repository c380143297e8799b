"""Candidates by a model other than the encoder trained, in a plan: what is shared, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planning import by, keys, plan, pool_key, text_of

from negbench.encoders import files
from negbench.errors import InputError
from negbench.methods import resolve
from negbench.registry import lookup
from negbench.stages.inputs import StartEncoder
from negbench.store import Stage, ancestors


@pytest.fixture
def miner(weights: Path) -> Path:
    """Return another folder that a plan takes for an encoder, with other bytes."""
    folder = shutil.copytree(weights, weights.parent / "miner")
    (folder / "model.safetensors").write_bytes(b"other weights")
    return folder


def encoders_of(stage: Stage) -> set[str]:
    """The folders of the encoders that a stage's output depends on."""
    return {Path(it.spec.model).name for it in ancestors(stage) if isinstance(it, StartEncoder)}


def test_methods_students_and_seeds_share_a_miner_s_pool(collection: Path, weights: Path, miner: Path) -> None:
    students = [{"model": str(weights)}, {"model": str(weights), "keep_layers": 1}]
    methods = [{name: {"encoder": str(miner)}} for name in ("naive", "percent")]
    found = plan(collection, weights, methods, encoder=None, axes={"encoder": students})
    mined = [trial for trial in found if trial.negatives is not None]
    assert len(mined) == 2 * 2 * 2
    assert len({pool_key(trial) for trial in mined}) == 1
    assert len({trial.training.key for trial in mined if trial.training is not None}) == 8
    for trial in mined:
        assert trial.negatives is not None
        assert encoders_of(trial.negatives.pool) == {"miner"}
        assert len(keys(trial, "encoder")) == 2
    vectors = {stage.key for trial in mined for stage in ancestors(trial.negatives) if stage.kind == "embeddings"}  # type: ignore[arg-type]
    assert len(vectors) == 2  # of documents and of training queries, once for all


def test_the_student_as_its_own_miner_finds_what_it_finds_anyway(collection: Path, weights: Path) -> None:
    pools = {
        pool_key(by(plan(collection, weights, [method]), "naive"))
        for method in ("naive", {"naive": {"encoder": str(weights)}}, {"naive": {"encoder": {"model": str(weights)}}})
    }
    assert len(pools) == 1


@pytest.mark.parametrize("name", ["dense", "voyager", "hybrid"])
def test_an_encoder_that_is_not_given_is_no_part_of_spelling_or_key(name: str) -> None:
    retriever = lookup("retriever", name)()
    assert retriever.spelling == name
    assert "encoder" not in retriever.identity()["parameters"]


def test_a_warm_up_and_phases_leave_a_miner_s_candidates_alone(collection: Path, weights: Path, miner: Path) -> None:
    naive = {"work": 0.5, "encoder": str(miner)}
    method = {"curriculum": {"phases": [{"naive": naive}, {"percent": naive}]}}
    warm = plan(collection, weights, [method], warm_up={"epochs": 1})
    (sequence,) = [trial.sequence for trial in warm if trial.sequence is not None and trial.seed == 0]
    pools = [it.negatives.pool for it in sequence.trainings if it.negatives is not None]
    assert len(pools) == 2
    assert len({pool.key for pool in pools}) == 1
    assert encoders_of(pools[0]) == {"miner"}


def test_similarities_of_candidates_are_by_the_miner_too(collection: Path, weights: Path, miner: Path) -> None:
    trial = by(plan(collection, weights, [{"trisampler": {"encoder": str(miner)}}]), "trisampler")
    assert trial.negatives is not None
    (feature,) = trial.negatives.features
    assert feature.kind == "similarity"
    assert encoders_of(feature) == {"miner"}


def test_queries_are_clustered_by_the_student(collection: Path, weights: Path, miner: Path) -> None:
    trial = by(plan(collection, weights, [{"naive": {"encoder": str(miner), "batching": "topics"}}]), "naive")
    assert trial.training is not None
    assert trial.training.clusters is not None
    assert encoders_of(trial.training.clusters) == {"encoder"}


@pytest.mark.parametrize(
    "written",
    [
        "all-MiniLM-L6-v2",
        {"model": "all-MiniLM-L6-v2", "keep_layers": 2},
        {"model": "a folder, with (odd) letters/x"},
        {"model": "123"},
        {"model": "owner/model", "query_prompt": "Instruct: find\nQuery: ", "document_prompt": 'say "x", y: '},
        {"language": "fr", "size": "small"},
    ],
)
@pytest.mark.parametrize("name", ["dense", "voyager", "hybrid"])
def test_a_spelling_reads_back(name: str, written: Any) -> None:
    method = resolve({"naive": {"candidates": {name: {"encoder": written, "depth": 50}}}})
    assert method.candidates is not None
    assert method.candidates.miner is not None
    again = resolve(method.spelling)
    assert again == method
    assert again.candidates is not None
    assert again.candidates.miner == method.candidates.miner


def test_a_language_s_model_brings_its_prompts() -> None:
    method = resolve({"naive": {"encoder": {"language": "de", "size": "small"}}})
    assert method.spelling == (
        'naive(encoder=intfloat/multilingual-e5-small(query_prompt="query: ", document_prompt="passage: "))'
    )


@pytest.mark.parametrize("name", ["ance", "adore", "negative-cache", "conan", "naive(refresh=every(steps=5))"])
def test_a_refresh_is_the_student_s_and_refuses_a_miner(
    name: str, collection: Path, weights: Path, miner: Path, negbench: Callable[..., Any]
) -> None:
    spelled = f"{name[:-1]}, encoder={miner})" if name.endswith(")") else f"{name}(encoder={miner})"
    (collection.parent / "grid.yaml").write_text(text_of(collection, weights, [spelled]))
    said = negbench("plan", "grid.yaml", cwd=collection.parent)
    (line,) = said.err.splitlines()
    assert said.code == 2
    assert "compares and searches with the encoder that is trained, not with" in line
    assert line.endswith("leave out the encoder of dense, or give refresh=never")


def test_draws_may_be_renewed_from_a_miner_s_candidates(collection: Path, weights: Path, miner: Path) -> None:
    method = {"naive": {"encoder": str(miner), "refresh": "redraw(steps=2)", "selection": "uniform"}}
    trial = by(plan(collection, weights, [method]), "naive")
    assert trial.training is not None
    assert trial.training.is_dynamic
    assert encoders_of(trial.training.mined.pool) == {"miner"}


def _no_code(folder: Path) -> None:
    pass


def _own_module(folder: Path) -> None:
    (folder / "modules.json").write_text(json.dumps([{"type": "custom_st.Transformer", "path": ""}]))


def _own_architecture(folder: Path) -> None:
    config = {"model_type": "nobodys-own", "auto_map": {"AutoModel": "modeling_own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))


def _own_code_of_a_known_architecture(folder: Path) -> None:
    config = {"model_type": "bert", "auto_map": {"AutoModel": "modeling_own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("[PAD]\n")


@pytest.mark.parametrize(
    ("fields", "change", "said"),
    [
        ({"model": "/no/such/folder"}, _no_code, "encoder '/no/such/folder': no such folder; give a model folder or"),
        ({"keep_layer": 1}, _no_code, "encoder.keep_layer: no key is called 'keep_layer'; did you mean keep_layers"),
        ({"keep_layers": -1}, _no_code, "encoder.keep_layers: expected at least 0, found -1"),
        ({"language": "fr"}, _no_code, "encoder: give model, or language and size, not both"),
        ({}, _own_module, "needs code that comes with the model (custom_st.Transformer), and no remote code is run"),
        ({}, _own_architecture, "needs code that comes with the model (nobodys-own), and no remote code is run"),
        ({}, _own_code_of_a_known_architecture, None),
    ],
)
def test_a_miner_that_cannot_be_used_is_refused_before_any_work(
    fields: dict[str, Any],
    change: Callable[[Path], None],
    said: str | None,
    collection: Path,
    weights: Path,
    miner: Path,
    negbench: Callable[..., Any],
) -> None:
    change(miner)
    method = {"naive": {"encoder": {"model": str(miner), **fields}}}
    (collection.parent / "grid.yaml").write_text(text_of(collection, weights, [method]))
    for command in ("plan", "run") if said else ("plan",):
        outcome = negbench(command, "grid.yaml", cwd=collection.parent)
        if said is None:
            assert outcome.code == 0
            continue
        (line,) = outcome.err.splitlines()
        assert (outcome.code, said in line) == (2, True), line
    assert not (collection.parent / ".negbench").exists()
    assert not (collection.parent / "runs").exists()


@pytest.mark.parametrize("whose", ["student", "miner"])
def test_flash_attention_needs_bfloat16_of_any_encoder(
    whose: str, collection: Path, weights: Path, miner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "find_spec", lambda _: object())  # as if its package were installed
    flash = {"model": str(weights), "attention": "flash_attention_2"}
    method = {"naive": {"encoder": flash if whose == "miner" else str(miner)}}
    student = flash if whose == "student" else str(weights)
    with pytest.raises(InputError, match=r"flash attention needs bfloat16; set train\.precision=bfloat16"):
        plan(collection, weights, [method], encoder=student)


def test_constants_for_dot_products_refuse_a_miner_that_compares_by_cosines(
    collection: Path, weights: Path, miner: Path
) -> None:
    dot = {"model": str(weights), "similarity": "dot"}
    method = {"star": {"as": "faithful", "encoder": str(miner)}}
    with pytest.raises(InputError, match=r"encoder \S*/miner compares by cosines; give it similarity: dot"):
        plan(collection, weights, [method], encoder=dot)
    method["star"]["encoder"] = {"model": str(miner), "similarity": "dot"}  # type: ignore[assignment]
    assert by(plan(collection, weights, [method], encoder=dot), "star").negatives is not None


def test_who_mines_does_not_judge(collection: Path, weights: Path, miner: Path) -> None:
    with pytest.raises(InputError, match="a model that selects negatives cannot judge how many are false"):
        plan(collection, weights, [{"naive": {"encoder": str(miner)}}], judge=f"bi-encoder(model={miner})")
    judged = plan(collection, weights, [{"naive": {"encoder": str(miner)}}], judge=f"bi-encoder(model={weights})")
    assert "judged" in {stage.kind for stage in by(judged, "naive").stages}
