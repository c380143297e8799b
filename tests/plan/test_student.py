"""What an encoder cannot be trained with is refused when a grid is planned, in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from planning import plan
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import AutoTokenizer

from negbench.errors import InputError
from negbench.stages.inputs import Embed, start_of
from negbench.store import ancestors

LORA = {"precision": "float32", "lora": {"rank": 2}}


@pytest.fixture
def static(tiny_encoder: Path, tmp_path: Path) -> Path:
    """A folder with static embeddings, 8 wide."""
    module = StaticEmbedding(AutoTokenizer.from_pretrained(tiny_encoder), embedding_dim=8)
    SentenceTransformer(modules=[module]).save_pretrained(str(tmp_path / "static"), create_model_card=False)
    return tmp_path / "static"


@pytest.mark.parametrize(
    "loss",
    ["matryoshka(dimensions=[4, 8])", "spread-out(loss=matryoshka(dimensions=[8]))", "matryoshka(dimensions=[9])"],
)
def test_more_dimensions_than_the_vectors_have_are_refused(loss: str, collection: Path, static: Path) -> None:
    with pytest.raises(
        InputError, match=r"method in-batch\(.*takes the first [89] dimensions.*static have 8; give"
    ) as told:
        plan(collection, static, ["random", {"in-batch": {"loss": loss}}])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("loss", ["matryoshka(dimensions=[7])", "matryoshka", "infonce"])
def test_fewer_dimensions_are_planned(loss: str, collection: Path, static: Path) -> None:
    assert plan(collection, static, [{"in-batch": {"loss": loss}}])


@pytest.mark.parametrize(
    "keys", [{"train": LORA}, {"train": {"precision": "float32"}, "warm_up": {"lora": {"rank": 2}}}]
)
def test_adapters_without_a_transformer_are_refused(keys: dict[str, object], collection: Path, static: Path) -> None:
    with pytest.raises(InputError, match=r"train\.lora: encoder .*static has no transformer.*; take lora out$"):
        plan(collection, static, ["in-batch"], **keys)


@pytest.mark.parametrize(("key", "value"), [("gradient_checkpointing", True), ("dtype", "bfloat16")])
def test_what_a_transformer_alone_can_do_is_refused_without_one(
    key: str, value: object, collection: Path, static: Path
) -> None:
    with pytest.raises(InputError, match=rf"train\.{key}: encoder .*static has no transformer.*; take {key} out$"):
        plan(collection, static, ["in-batch"], train={"precision": "float32", key: value})


def test_adapters_in_a_transformer_are_planned(collection: Path, tiny_encoder: Path) -> None:
    assert plan(collection, tiny_encoder, ["in-batch"], train=LORA)


@pytest.mark.parametrize("prompt", [None, "query: "])
def test_vectors_without_a_transformer_are_whole(
    prompt: str | None, collection: Path, static: Path, tiny_encoder: Path
) -> None:
    """Also those of the trained encoder and, where a prompt alters the start, of the encoder as published."""
    for model, expected in ((static, "float32"), (tiny_encoder, "bfloat16")):
        encoder = {"model": str(model), "query_prompt": prompt}
        trials = plan(collection, ".", ["random"], train={"precision": "bfloat16"}, encoder=encoder)
        vectors = [stage for trial in trials for stage in trial.stages if isinstance(stage, Embed)]
        assert vectors
        assert {stage.precision for stage in vectors} == {expected}


@pytest.mark.parametrize("whole", ["student", "miner", "judge", "batches", "all"])
def test_each_model_s_vectors_have_its_own_precision(
    whole: str, collection: Path, static: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """Of student, miner, judge and the teacher of batches, one has no transformer, or all four."""
    folders = {role: tmp_path / role for role in ("student", "miner", "judge", "batches")}
    for number, (role, folder) in enumerate(folders.items()):
        shutil.copytree(static if whole in (role, "all") else tiny_encoder, folder)
        weights = folder / "model.safetensors"  # other bytes: a judge may not be what mines
        tensors = load_file(weights)
        save_file({name: tensor + number for name, tensor in tensors.items()}, weights)
    methods = [
        {"naive": {"encoder": str(folders["miner"])}},
        {"in-batch": {"batching": f"neighbours(teacher={folders['batches']})"}},
    ]
    trials = plan(
        collection,
        ".",
        methods,
        train={"precision": "bfloat16"},
        encoder={"model": str(folders["student"])},
        judge={"bi-encoder": {"model": str(folders["judge"])}},
    )
    found = {
        (Path(start.spec.model).name, stage.precision)
        for trial in trials
        for end in (*trial.result_stages, *trial.stages)
        for stage in ancestors(end)
        if isinstance(stage, Embed) and (start := start_of(stage)) is not None
    }
    assert found == {(role, "float32" if whole in (role, "all") else "bfloat16") for role in folders}
