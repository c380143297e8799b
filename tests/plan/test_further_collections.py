"""Further collections to evaluate on, and prompts that hold there alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from planning import by, plan

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.runners import local
from negbench.stages.evaluation.quality import EvaluateEncoder
from negbench.stages.inputs import read_vectors
from negbench.store import Store


@pytest.fixture
def other(tiny_collection: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_collection, tmp_path / "other")
    return tmp_path / "other"


def evaluation(tiny_collection: Path, tiny_encoder: Path, further: object, method: str = "start") -> EvaluateEncoder:
    trial = by(plan(tiny_collection, tiny_encoder, ["in-batch"], evaluate_on=[further]), method, None)
    found = trial.extra_evaluations["other"]
    assert isinstance(found, EvaluateEncoder)
    return found


def test_prompts_hold_there_alone(tiny_collection: Path, tiny_encoder: Path, other: Path, tmp_path: Path) -> None:
    """They are put before its texts; the side without one, and the grid's own collection, keep their vectors."""
    plain = evaluation(tiny_collection, tiny_encoder, str(other))
    prompted = evaluation(tiny_collection, tiny_encoder, {"collection": str(other), "query_prompt": "frost "})
    assert evaluation(tiny_collection, tiny_encoder, {"collection": str(other)}).key == plain.key
    assert prompted.documents.key == plain.documents.key
    assert prompted.queries.key != plain.queries.key

    store = Store(tmp_path / "store")
    local.make(prompted.queries, store, lambda label: None, lambda folder: folder)
    garden = Beir(path=str(other)).load()
    texts = [garden.queries[row] for row in garden.split_queries("test")]
    model = build(EncoderSpec(model=str(tiny_encoder), query_prompt="frost "), 0)
    right = encode(model, texts, "query", "float32")
    np.testing.assert_allclose(read_vectors(store.path(prompted.queries)), right, atol=1e-6)


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (
            {"collection": "helpdesk", "query": "x"},
            "evaluate_on.0.query: no key is called 'query'; did you mean query_prompt",
        ),
        ({"collection": "helpdsk"}, "did you mean helpdesk"),
        ("helpdsk", "did you mean helpdesk"),
    ],
)
def test_bad_ones_are_one_line(tiny_collection: Path, tiny_encoder: Path, further: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        plan(tiny_collection, tiny_encoder, ["in-batch"], evaluate_on=[further])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("further", "name"),
    [
        (["{there}/other", "{there}/else/other"], "other"),
        (["{there}/other", {"collection": "{there}/other", "query_prompt": "frost "}], "other"),
        (["hidden(collection=helpdesk)", "hidden(collection=helpdesk, seed=1)"], "hidden(helpdesk)"),
        (["{there}/else/garden"], "garden"),
        (["{there}/geometry"], "geometry"),
        (["{there}/negatives"], "negatives"),
    ],
)
def test_results_of_one_name_are_refused(
    further: list[object], name: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """One of them would have been lost without a word."""
    own = tmp_path / "garden"
    for folder in (own, *(tmp_path / it for it in ("other", "else/other", "else/garden", "geometry", "negatives"))):
        shutil.copytree(tiny_collection, folder)
    listed = json.loads(json.dumps(further).replace("{there}", str(tmp_path)))
    with pytest.raises(InputError) as caught:
        plan(own, tiny_encoder, ["in-batch"], evaluate_on=listed)
    assert f"evaluate_on: two results would be called {name}; " in str(caught.value)


def test_the_grid_s_own_collection_may_be_among_them(tiny_collection: Path, tiny_encoder: Path, other: Path) -> None:
    found = plan(tiny_collection, tiny_encoder, ["in-batch"], evaluate_on=[str(tiny_collection), str(other)])
    assert list(by(found, "in-batch").elsewhere) == ["other"]
