"""The attention that a spec chooses: kept in what is stored, and refused in one line where it cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_models import Maker

from negbench.encoders import files
from negbench.encoders.encode import encode, frozen_copy
from negbench.encoders.load import build, load, save
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.stages.inputs import StartEncoder

TEXTS = ["water my basil", "cut old shoots of tulip in early spring"]


def test_it_is_kept_when_the_encoder_is_stored(tiny_encoder: Path, tmp_path: Path) -> None:
    """Vectors are those of torch's own attention, up to rounding."""
    plain = build(EncoderSpec(model=str(tiny_encoder)), 0)
    chosen = build(EncoderSpec(model=str(tiny_encoder), attention="eager"), 0)
    save(frozen_copy(chosen), tmp_path / "chosen")
    save(plain, tmp_path / "plain")
    names = [
        model[0].auto_model.config._attn_implementation
        for model in (plain, load(tmp_path / "plain"), chosen, load(tmp_path / "chosen"))
    ]
    assert names == ["sdpa", "sdpa", "eager", "eager"]
    right = encode(plain, TEXTS, "query", "float32")
    np.testing.assert_allclose(encode(load(tmp_path / "chosen"), TEXTS, "query", "float32"), right, atol=1e-5)


def test_it_is_part_of_the_key_only_where_it_is_chosen(tiny_encoder: Path) -> None:
    parameters = [
        StartEncoder(EncoderSpec(model=str(tiny_encoder), **more), "digest", None).identity()["parameters"]
        for more in ({}, {"attention": "eager"})
    ]
    assert parameters[1] == {**parameters[0], "attention": "eager"}
    assert "attention" not in parameters[0]


def test_flash_attention_that_is_not_installed_is_refused(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="flash attention needs the package flash-attn, which is not installed"):
        files.check(EncoderSpec(model=str(tiny_encoder), attention="flash_attention_2"))


def test_static_embeddings_have_none(tiny_encoder: Path, tmp_path: Path) -> None:
    make = Maker(tmp_path / "made", tiny_encoder.parent / "bert")
    with pytest.raises(InputError, match="attention=eager: there is no transformer that has one"):
        build(EncoderSpec(model=str(make.of(make.static())), attention="eager"), 0)
