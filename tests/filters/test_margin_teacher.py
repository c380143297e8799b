"""Margins of a teacher's scores: by brute force, and as sentence-transformers mines with a cross-encoder."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pools import candidate_pool

from negbench.config.grid import read
from negbench.filters import Filter
from negbench.filters.margin import Margin
from negbench.methods import resolve, with_teacher
from negbench.plan.trials import trials
from negbench.requirements import TeacherScores
from negbench.stages.inputs import read_collection
from negbench.stages.mining.draw import DrawNegatives
from negbench.store import Store
from negbench.teachers import Teacher
from negbench.teachers.cross_encoder import PretrainedCrossEncoder
from negbench.types import Negatives

SCORES = st.one_of(st.sampled_from([0.0, 0.5, 0.475, np.nan]), st.floats(0, 1, width=32))
SHAPE = st.shared(st.tuples(st.integers(1, 4), st.integers(1, 8)), key="shape")
OF_POSITIVES = SHAPE.flatmap(lambda shape: hnp.arrays(np.float32, (shape[0], 3), elements=SCORES))
DEFAULT_TEACHER = "score-fusion"


@given(
    hnp.arrays(np.float32, SHAPE, elements=SCORES),
    OF_POSITIVES,
    st.sampled_from([0.0, 0.05, 0.25, 1.0]),
    st.sampled_from(["absolute", "percent"]),
    st.sampled_from(["lowest", "highest"]),
    st.integers(1, 9),
)
def test_the_rule_by_brute_force(
    scores: np.ndarray, of_positives: np.ndarray, margin: float, unit: str, positive: str, depth: int
) -> None:
    rule = Margin.model_validate(
        {"margin": margin, "unit": unit, "positive": positive, "teacher": DEFAULT_TEACHER, "teacher_depth": depth}
    )
    pool = candidate_pool(  # by the retriever every candidate beats every positive
        np.full(scores.shape, 9.0),
        positive_scores=np.zeros(of_positives.shape),
        teacher_scores=scores,
        positive_teacher_scores=of_positives,
    )
    expected = []
    for row, positives in zip(scores.tolist(), of_positives.tolist(), strict=True):
        known = sorted(score for score in positives if not math.isnan(score))
        kept = [rank < depth and not math.isnan(score) for rank, score in enumerate(row)]
        if known:
            limit = known[0] if positive == "lowest" else known[-1]
            limit -= margin * (abs(limit) if unit == "percent" else 1)
            kept = [keep and score <= limit for keep, score in zip(kept, row, strict=True)]
        expected.append(kept)
    assert pool.without(rule.reject(pool)).available().tolist() == expected


def test_without_a_teacher_nothing_is_asked_and_the_identity_is_what_it_was() -> None:
    plain = Margin()
    assert (plain.requires, plain.needed_depth, plain.spelling) == ((), 0, "margin")
    assert Margin(margin=0.1, teacher_depth=7).identity()["parameters"] == {
        "margin": 0.1,
        "unit": "percent",
        "positive": "lowest",
    }
    asked = Filter.model_validate(f"margin(teacher={DEFAULT_TEACHER}, teacher_depth=30)")
    assert asked.requires == (TeacherScores(Teacher.model_validate(DEFAULT_TEACHER), 30),)
    assert asked.needed_depth == 30
    assert Filter.model_validate(asked.spelling) == asked
    assert {"teacher", "teacher_depth"} <= set(asked.identity()["parameters"])


def test_the_grid_s_teacher_is_asked_only_where_the_margin_asks_one() -> None:
    other = Teacher.model_validate("cross-encoder(model=other)")
    assert with_teacher(resolve("percent"), other) == resolve("percent")
    told = with_teacher(resolve(f"percent(teacher={DEFAULT_TEACHER})"), other)
    assert told.filters == (Margin(teacher=other),)
    own = resolve("percent(teacher=cross-encoder(model=own))")
    assert with_teacher(own, other) == own


@pytest.fixture(scope="module")
def cross_encoder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with one output and random weights, over the vocabulary of ``tiny_encoder``."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("cross-encoder")
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.3,
        num_labels=1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("parameters", "theirs"),
    [
        ({"unit": "absolute", "margin": 0.05}, {"absolute_margin": 0.05}),
        ({"unit": "absolute", "margin": 0.1}, {"absolute_margin": 0.1}),
        ({"unit": "percent", "margin": 0.05}, {"relative_margin": 0.05}),
        ({"unit": "percent", "margin": 0.2}, {"relative_margin": 0.2}),
    ],
)
def test_the_negatives_are_those_of_sentence_transformers(
    parameters: dict[str, Any],
    theirs: dict[str, float],
    tiny_collection: Path,
    tiny_encoder: Path,
    cross_encoder: Path,
    tmp_path: Path,
) -> None:
    """Its ``top`` is by the cross-encoder's scores, as ``teacher-hardest`` is; both leave short queries out."""
    from datasets import Dataset
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    teacher = PretrainedCrossEncoder(model=str(cross_encoder))
    margin = Margin.model_validate({**parameters, "teacher": teacher, "teacher_depth": 60})
    method = {
        "candidates": "dense(depth=60)",
        "filters": [margin.spelling],
        "selection": f"teacher-hardest(depth=60, teacher={teacher.spelling})",
        "fill": "drop",
        "draws": "once",
    }
    grid = {
        "name": "g",
        "collection": str(tiny_collection),
        "encoder": str(tiny_encoder),
        "methods": [{"naive": method}],
        "negatives": 4,
        "train": {"precision": "float32", "max_length": 128},
    }
    path = tmp_path / "grid.yaml"
    path.write_text(json.dumps(grid))
    stage = trials(read(path))[-1].negatives
    assert isinstance(stage, DrawNegatives)
    store = Store(tmp_path / "store")
    drawn = Negatives.of_epoch(store.load(Negatives, _made(store, stage)), 0)
    collection = read_collection(store.path(stage.pool.collection))
    passages = collection.passages()
    ours = {
        collection.queries[query]: [passages[row] for row in of_query]
        for query, of_query in zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True)
        if min(of_query) >= 0
    }
    labels = collection.qrels["train"].triples()
    mined = mine_hard_negatives(
        Dataset.from_dict(
            {"query": [collection.queries[it] for it, _, _ in labels], "answer": [passages[it] for _, it, _ in labels]}
        ),
        SentenceTransformer(str(tiny_encoder), device="cpu"),
        corpus=passages,
        cross_encoder=CrossEncoder(str(cross_encoder), device="cpu"),
        range_max=60,
        num_negatives=4,
        sampling_strategy="top",
        output_format="n-tuple",
        verbose=False,
        **theirs,  # type: ignore[arg-type]
    )
    expected = {line["query"]: [line[f"negative_{n}"] for n in (1, 2, 3, 4)] for line in mined}
    assert 4 <= len(expected) < len(drawn.queries)  # some queries have too few negatives, and go
    assert ours == expected


def _made(store: Store, stage: DrawNegatives) -> DrawNegatives:
    store.ensure(stage)
    return stage
