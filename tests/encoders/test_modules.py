"""What an encoder's files tell of its modules is what the loaded model has."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_models import LAYOUTS, Maker

from negbench.encoders.adapters import transformers_of
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.modules import dimensions_of, has_transformer
from negbench.encoders.spec import EncoderSpec

NOT_TOLD = ("two poolings", "words", *(layout for layout in LAYOUTS if "router" in layout), "relative positions")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_tell_what_the_model_has(layout: str, tmp_path: Path, tiny_encoder: Path) -> None:
    spec = EncoderSpec(model=str(LAYOUTS[layout](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))))
    model = build(spec, 0)
    width = encode(model, ["soil"], "query", "float32").shape[1]
    assert dimensions_of(spec) == (None if layout in NOT_TOLD else width)
    assert has_transformer(spec) == bool(transformers_of(model))
