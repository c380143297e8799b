"""Vectors that no transformer makes are float32, wherever a model is read at a precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_models import LAYOUTS, Maker
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.modules import precision_of_vectors
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import SIDES, Side
from negbench.runners.evaluate import evaluate, evaluated
from negbench.stages.evaluation.quality import EvaluateEncoder
from negbench.stages.inputs import read_vectors
from negbench.store import Store
from negbench.teachers import Teacher

TEXTS = ["give basil water", "heavy clay keeps the roots wet", "a cool room before the first cold night"]

WHOLE: dict[str, tuple[Callable[[Maker], Path], tuple[Side, ...]]] = {
    "static": (LAYOUTS["static"], SIDES),
    "static, normalised and truncated": (LAYOUTS["static, normalised and truncated"], SIDES),
    "words": (LAYOUTS["words"], SIDES),
    "two static routes": (lambda make: make.of(Router.for_query_document([make.static()], [make.static()])), SIDES),
    "router with static queries": (LAYOUTS["router with static queries"], ("query",)),
    "router with static documents": (
        lambda make: make.of(
            Router.for_query_document([Transformer(str(make.bert)), Pooling(32, "mean")], [make.static()])
        ),
        ("document",),
    ),
    "router": (LAYOUTS["router"], ()),
    "mean": (LAYOUTS["mean"], ()),
    "bare": (LAYOUTS["bare"], ()),
}
"""Layouts with the sides whose texts reach no transformer."""


@pytest.fixture
def make(tmp_path: Path, tiny_encoder: Path) -> Maker:
    """Make models around the tiny BERT."""
    return Maker(tmp_path / "made", tiny_encoder.parent / "bert")


@pytest.mark.parametrize("kind", WHOLE)
def test_bfloat16_is_for_the_sides_that_it_changes(kind: str, make: Maker) -> None:
    """It is told by the files, and the loaded model is the truth."""
    of_kind, whole = WHOLE[kind]
    spec = EncoderSpec(model=str(of_kind(make)))
    model = build(spec, 0)
    for side in SIDES:
        exact, narrow = (encode(model, TEXTS, side, precision) for precision in ("float32", "bfloat16"))
        assert np.array_equal(exact, narrow) == (side in whole)
        assert precision_of_vectors(spec, side, "bfloat16") == ("float32" if side in whole else "bfloat16")
        assert precision_of_vectors(spec, side, "float32") == "float32"


@pytest.mark.parametrize("kind", ["static", "router with static queries", "mean"])
def test_evaluate_stores_and_scores_whole_vectors(kind: str, make: Maker, tmp_path: Path, collection: Path) -> None:
    of_kind, whole = WHOLE[kind]
    given = str(of_kind(make)), str(collection), "test"
    store, measures = Store(tmp_path / "store"), ("nDCG@10",)
    stage = evaluated(*given, "bfloat16", None, measures, lambda line: None, store)
    assert isinstance(stage, EvaluateEncoder)
    for vectors in (stage.documents, stage.queries):
        stored = read_vectors(store.path(vectors))
        assert stored.dtype == (np.float32 if vectors.side in whole else np.float16)
    if whole == SIDES:
        found = [
            evaluate(*given, precision, None, measures, lambda line: None, store)  # type: ignore[arg-type]
            for precision in ("float32", "bfloat16")
        ]
        assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["cosine", "sigmoid", "ensemble", "fusion"])
def test_teachers_and_judges_score_static_embeddings_in_float32(kind: str, make: Maker) -> None:
    """A teacher is handed the grid's precision as it is."""
    one, two = ({"bi-encoder": {"model": str(make.of(make.static())), "temperature": it}} for it in (None, 0.05))
    judge = Teacher.model_validate(
        {
            "cosine": one,
            "sigmoid": two,
            "ensemble": {"ensemble": {"judges": [one, two]}},
            "fusion": {"rank-fusion": {"judges": [one, two]}},
        }[kind]
    )
    pairs = [(query, text) for query in TEXTS for text in TEXTS]
    exact, narrow = (judge.checked_scores(pairs, None, precision) for precision in ("float32", "bfloat16"))
    assert exact.dtype == np.float32
    assert len(np.unique(exact)) > 1
    assert np.array_equal(exact, narrow)
