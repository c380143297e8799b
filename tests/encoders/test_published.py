"""The model as published, by what its files say, held against what it does when it is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from planning import by, plan

from negbench.encoders.load import build
from negbench.encoders.published import as_published, is_altered, tokens_of
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import limits_of
from negbench.plan.trials import START, UNTOUCHED
from negbench.stages.inputs import StartEncoder


def test_its_length_is_that_of_the_loaded_model(tiny_encoder: Path) -> None:
    spec = EncoderSpec(model=str(tiny_encoder))
    assert set(limits_of(build(spec, 0)).values()) == {tokens_of(spec)} == {128}


def test_static_embeddings_have_no_limit_and_files_may_say_nothing(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "static").mkdir()
    modules = [{"type": "sentence_transformers.models.StaticEmbedding", "path": ""}]
    (tmp_path / "static/modules.json").write_text(json.dumps(modules))
    assert tokens_of(EncoderSpec(model=str(tmp_path / "static"))) == float("inf")
    assert tokens_of(EncoderSpec(model=str(weights))) is None


@pytest.mark.parametrize(
    ("change", "length", "altered"),
    [
        ({}, 128, False),
        ({}, 256, False),
        ({}, 127, True),
        ({"keep_layers": 1}, 128, True),
        ({"reinit_layers": 1}, 128, True),
        ({"query_prompt": "query: "}, 128, True),
        ({"pooling": "cls"}, 128, True),
        ({"similarity": "dot"}, 128, True),
        ({"similarity": "cosine"}, 128, False),
        ({"attention": "eager"}, 128, False),
    ],
)
def test_what_gives_other_vectors_is_altered(tiny_encoder: Path, change: dict, length: int, altered: bool) -> None:  # type: ignore[type-arg]
    spec = EncoderSpec(model=str(tiny_encoder), **change)
    assert is_altered(spec, {"query": 512, "document": length}) == altered
    assert not is_altered(as_published(spec), {"query": 128, "document": 128})


def test_its_row_shares_its_stages_over_grids(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    collection = shutil.copytree(tiny_collection, tmp_path / "garden")
    plans = [
        plan(collection, tiny_encoder, ["in-batch"], train={"precision": "float32", **recipe}, **more)
        for recipe, more in (
            ({"max_length": 16}, {}),
            ({"max_length": 64, "epochs": 2}, {"encoder": {"model": str(tiny_encoder), "keep_layers": 1}}),
            ({}, {"warm_up": {"epochs": 1}}),
        )
    ]
    (key,) = {by(found, UNTOUCHED, None).evaluation.key for found in plans}
    (encoder,) = [it for it in by(plans[1], UNTOUCHED, None).stages if isinstance(it, StartEncoder)]
    assert encoder.spec == EncoderSpec(model=str(tiny_encoder))
    same = plan(collection, tiny_encoder, ["in-batch"])
    assert UNTOUCHED not in [trial.method for trial in same]  # start is that model
    assert by(same, START, None).evaluation.key != key  # its stage says the limit, though the texts are the same
