"""What a spec alters in the weights, and that it alters nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from negbench.encoders import weights
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError

TEXTS = ["how often must i water my basil", "cut old shoots of tulip in early spring", "clover"]


def spec(model: Path, **altered: Any) -> EncoderSpec:
    return EncoderSpec(model=str(model), **altered)


def bert(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model[0].auto_model.state_dict().items()}


def hidden_states(folder: Path, texts: list[str]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the output of the embeddings and of each layer in turn, by transformers itself, and the mask."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**inputs, output_hidden_states=True).hidden_states
    return list(found), inputs["attention_mask"]


def normalised(rows: torch.Tensor) -> np.ndarray[Any, Any]:
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


def mean_of(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


class TestReinitialisedLayers:
    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    def test_only_the_top_layers_change(self, tiny_encoder: Path, count: int) -> None:
        before, after = bert(build(spec(tiny_encoder), 0)), bert(build(spec(tiny_encoder, reinit_layers=count), 0))
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert {name.split(".")[2] for name in changed} == {str(layer) for layer in range(3 - count, 3)}
        assert all(name.startswith("encoder.layer.") for name in changed)
        matrices = {name for name in before if name.startswith("encoder.layer.") and before[name].ndim == 2}
        top = {name for name in matrices if int(name.split(".")[2]) >= 3 - count}
        assert top <= changed

    def test_what_the_new_weights_are(self, tiny_encoder: Path) -> None:
        after = bert(build(spec(tiny_encoder, reinit_layers=3), 0))
        drawn = torch.cat([value.flatten() for name, value in after.items() if "layer." in name and value.ndim == 2])
        assert len(drawn) > 20_000
        assert drawn.std().item() == pytest.approx(0.15, rel=0.02)  # the model's initializer_range
        assert abs(drawn.mean().item()) < 0.15 * 4 / len(drawn) ** 0.5
        for name, value in after.items():
            if "encoder.layer." in name and name.endswith(".bias"):
                assert not value.any(), name
            if "encoder.layer." in name and "LayerNorm.weight" in name:
                assert (value == 1).all(), name

    def test_trained_layer_norms_and_biases_are_put_back(self, tiny_encoder: Path, tmp_path: Path) -> None:
        """The tiny encoder's norms are the identity by birth, so a trained one is played here."""
        from safetensors.torch import save_file

        shutil.copytree(tiny_encoder, tmp_path / "trained")
        tensors = load_file(tiny_encoder / "model.safetensors")
        save_file(
            {name: value + 0.5 for name, value in tensors.items()},
            tmp_path / "trained/model.safetensors",
            {"format": "pt"},
        )
        after = bert(build(spec(tmp_path / "trained", reinit_layers=1), 0))
        assert (after["encoder.layer.2.output.LayerNorm.weight"] == 1).all()
        assert not after["encoder.layer.2.output.LayerNorm.bias"].any()
        assert not after["encoder.layer.2.attention.self.query.bias"].any()
        assert (after["encoder.layer.1.output.LayerNorm.weight"] == 1.5).all()

    def test_the_seed_alone_decides(self, tiny_encoder: Path) -> None:
        first, again, other = (bert(build(spec(tiny_encoder, reinit_layers=1), seed)) for seed in (3, 3, 4))
        name = "encoder.layer.2.output.dense.weight"
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])

    def test_global_randomness_is_left_alone(self, tiny_encoder: Path) -> None:
        before = torch.get_rng_state()
        build(spec(tiny_encoder, reinit_layers=1), 0)
        assert torch.equal(before, torch.get_rng_state())

    def test_more_layers_than_there_are(self, tiny_encoder: Path) -> None:
        with pytest.raises(InputError, match="reinit_layers=4, but it has 3 layers"):
            build(spec(tiny_encoder, reinit_layers=4), 0)
        with pytest.raises(InputError, match="reinit_layers=3, but it has 2 layers"):
            build(spec(tiny_encoder, keep_layers=2, reinit_layers=3), 0)


class TestKeptLayers:
    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    def test_it_is_the_model_cut_off_after_so_many_layers(self, tiny_encoder: Path, count: int) -> None:
        hidden, mask = hidden_states(tiny_encoder, TEXTS)
        found = encode(build(spec(tiny_encoder, keep_layers=count), 0), TEXTS, "document", "float32")
        np.testing.assert_allclose(found, normalised(mean_of(hidden[count], mask)), atol=1e-6)

    def test_the_cut_is_saved(self, tiny_encoder: Path, tmp_path: Path) -> None:
        model = build(spec(tiny_encoder, keep_layers=2), 0)
        model.save_pretrained(str(tmp_path / "cut"), create_model_card=False)
        assert json.loads((tmp_path / "cut/config.json").read_text())["num_hidden_layers"] == 2
        again = SentenceTransformer(str(tmp_path / "cut"))
        assert np.array_equal(encode(model, TEXTS, "query", "float32"), encode(again, TEXTS, "query", "float32"))

    def test_more_layers_than_there_are(self, tiny_encoder: Path) -> None:
        with pytest.raises(InputError, match="keep_layers=4, but it has 3 layers"):
            build(spec(tiny_encoder, keep_layers=4), 0)


class TestPooling:
    def test_each_pooling_is_what_it_is_called(self, tiny_encoder: Path) -> None:
        hidden, mask = hidden_states(tiny_encoder, TEXTS)
        last = mask.sum(dim=1) - 1
        wanted = {
            "cls": hidden[-1][:, 0],
            "mean": mean_of(hidden[-1], mask),
            "max": hidden[-1].masked_fill(mask[:, :, None] == 0, -1e9).max(dim=1).values,
            "lasttoken": hidden[-1][torch.arange(len(TEXTS)), last],
        }
        for pooling, rows in wanted.items():
            found = encode(build(spec(tiny_encoder, pooling=pooling), 0), TEXTS, "document", "float32")
            np.testing.assert_allclose(found, normalised(rows), atol=1e-6, err_msg=pooling)

    def test_nothing_else_changes(self, tiny_encoder: Path, tmp_path: Path) -> None:
        """Prompts, similarity and token limit survive; a dot-product model does not become a cosine one."""
        model = SentenceTransformer(str(tiny_encoder), prompts={"query": "ask: "}, similarity_fn_name="dot")
        del model[2]
        model.max_seq_length = 17
        model.save_pretrained(str(tmp_path / "dot"), create_model_card=False)
        changed = build(spec(tmp_path / "dot", pooling="cls"), 0)
        assert (changed.similarity_fn_name, changed.prompts["query"], changed.max_seq_length) == ("dot", "ask: ", 17)
        hidden, _ = hidden_states(tiny_encoder, TEXTS)
        np.testing.assert_allclose(encode(changed, TEXTS, "document", "float32"), hidden[-1][:, 0], atol=1e-6)

    def test_a_bare_transformer_gets_mean_pooling(self, tiny_encoder: Path) -> None:
        bare = tiny_encoder.parent / "bert"
        hidden, mask = hidden_states(tiny_encoder, TEXTS)
        for altered in ({}, {"pooling": "mean"}):
            found = encode(build(spec(bare, **altered), 0), TEXTS, "document", "float32")
            np.testing.assert_allclose(found, normalised(mean_of(hidden[-1], mask)), atol=1e-6)


class TestPrompts:
    def test_the_spec_goes_before_the_model(self, tiny_encoder: Path, tmp_path: Path) -> None:
        own = {"query": "question: ", "document": "passage: "}
        SentenceTransformer(str(tiny_encoder), prompts=own).save_pretrained(str(tmp_path / "own"))
        for altered, wanted in (
            ({}, own),
            ({"query_prompt": "q "}, {**own, "query": "q "}),
            ({"query_prompt": "", "document_prompt": "d "}, {"query": "", "document": "d "}),
        ):
            assert build(spec(tmp_path / "own", **altered), 0).prompts == wanted

    def test_a_default_prompt_is_not_added_on_top(self, tiny_encoder: Path, tmp_path: Path) -> None:
        prompts = {"query": "water ", "document": ""}
        model = SentenceTransformer(str(tiny_encoder), prompts=prompts, default_prompt_name="query")
        model.save_pretrained(str(tmp_path / "default"), create_model_card=False)
        plain = SentenceTransformer(str(tiny_encoder))
        built = build(spec(tmp_path / "default"), 0)
        for side, read in (("document", "basil"), ("query", "water basil")):
            found = encode(built, ["basil"], side, "float32")  # type: ignore[arg-type]
            np.testing.assert_allclose(found, plain.encode([read]), atol=1e-6)


class TestWhatIsRefused:
    def test_weights_that_are_damaged(self, tiny_encoder: Path, tmp_path: Path) -> None:
        shutil.copytree(tiny_encoder, tmp_path / "damaged")
        (tmp_path / "damaged/model.safetensors").write_bytes(b"not weights at all")
        with pytest.raises(InputError, match=r"encoder .*damaged: cannot be loaded: ") as caught:
            build(spec(tmp_path / "damaged"), 0)
        assert "\n" not in str(caught.value)

    def test_offline_weights_that_were_tampered_with(
        self, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(tiny_encoder, tmp_path / "package")
        monkeypatch.setattr(weights, "_offline_folder", lambda: tmp_path / "package")
        for name in weights.OFFLINE_NAMES:
            assert weights.fingerprint(name, None) == f"sha256:{weights.OFFLINE_SHA256}"
            with pytest.raises(InputError, match=r"sha256 is .*, expected 53aa51172d142c89"):
                build(EncoderSpec(model=name), 0)


def test_a_hub_model_is_loaded_at_the_commit_in_its_digest(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commits lie in the hub's cache; ``revision`` chooses, main is the default."""
    from huggingface_hub import constants

    repository = tmp_path / "models--owner--tiny"
    commits = {"main": "a" * 40, "other": "b" * 40}
    for prompt, commit in commits.items():
        SentenceTransformer(str(tiny_encoder), prompts={"query": prompt}).save_pretrained(
            str(repository / "snapshots" / commit), create_model_card=False
        )
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commits["main"])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert weights.fingerprint("owner/tiny", None) == f"commit:{commits['main']}"
    assert weights.fingerprint("owner/tiny", commits["other"]) == f"commit:{commits['other']}"
    assert build(EncoderSpec(model="owner/tiny"), 0).prompts["query"] == "main"
    assert build(EncoderSpec(model="owner/tiny", revision=commits["other"]), 0).prompts["query"] == "other"
