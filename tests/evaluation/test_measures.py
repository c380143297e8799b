from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.evaluation import measures
from negbench.evaluation.ranking import evaluate
from negbench.types import Collection, Qrels

DOCUMENTS = 40
HERE = ["nDCG@1", "nDCG@10", "nDCG", "RR@1", "RR@10", "RR", "R@5", "R@100", "P@1", "P@10", "AP", "AP@7", "Success@3"]
HERE += ["RR(rel=2)@10", "R(rel=3)@5", "P(rel=2)@10", "AP(rel=2)", "AP(rel=2)@7", "Success(rel=2)@3"]
HERE += ["nDCG(judged_only=True)@10", "nDCG(judged_only=True)@2", "nDCG(judged_only=True)"]
HERE += ["Judged@1", "Judged@10", "Judged@100"]

grades = st.dictionaries(st.integers(0, DOCUMENTS - 1), st.integers(-2, 3), max_size=20)
rankings = st.lists(st.integers(0, DOCUMENTS - 1), unique=True, max_size=30)


def per_query(judged: list[dict[int, int]], ranked: list[list[int]], wanted: list[str]) -> dict[str, list[float]]:
    collection = Collection(
        name="tiny",
        document_ids=[f"d{row}" for row in range(DOCUMENTS)],
        titles=[""] * DOCUMENTS,
        texts=["text"] * DOCUMENTS,
        query_ids=[f"q{row}" for row in range(len(judged))],
        queries=["text"] * len(judged),
        qrels={"test": Qrels.of([(q, d, grade) for q, mine in enumerate(judged) for d, grade in mine.items()])},
    )
    depth = max(map(len, ranked))
    documents = np.array([mine + [-1] * (depth - len(mine)) for mine in ranked], np.int32).reshape(len(ranked), depth)
    scores = np.where(documents >= 0, -np.arange(depth, dtype=np.float32), np.float32(np.nan)).astype(np.float32)
    found = evaluate(documents, scores, np.arange(len(judged), dtype=np.int32), collection, "test", wanted)
    return {name: column.tolist() for name, column in found.per_query.items()}


@given(st.lists(st.tuples(grades, rankings), min_size=1, max_size=5))
def test_to_the_last_bit_what_ir_measures_says(cases: list[tuple[dict[int, int], list[int]]]) -> None:
    """Graded, negative and missing judgments, empty rankings, ties in grade; query by query."""
    ours = per_query([judged for judged, _ in cases], [ranked for _, ranked in cases], HERE)
    for row, (judged, ranked) in enumerate(cases):
        if max(judged.values(), default=0) <= 0:
            assert all(math.isnan(ours[name][row]) for name in HERE)
            continue
        if not ranked:  # some of ir-measures' providers divide by the length
            assert all(ours[name][row] == 0 for name in HERE)
            continue
        qrels = {"q": {f"d{document}": grade for document, grade in judged.items()}}
        run = {"q": {f"d{document}": -float(rank) for rank, document in enumerate(ranked)}}
        truth = {}
        for name in HERE:  # one by one: trec_eval keeps one ``rel`` for all of a call's measures
            truth[name] = ir_measures.calc_aggregate([ir_measures.parse_measure(name)], qrels, run)
        assert {name: ours[name][row] for name in HERE} == {
            name: next(iter(values.values())) for name, values in truth.items()
        }


def test_a_hand_computed_case() -> None:
    """Grades 3, 1, 1 and a judged -1; found at ranks 2, 4, never, and 1, with an unjudged document at rank 3."""
    found = per_query([{0: 3, 1: 1, 2: 1, 3: -1}], [[3, 0, 9, 1]], ["nDCG@10", "nDCG@3", "AP", "RR(rel=3)", "Judged@3"])
    best = 3 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["nDCG@10"] == pytest.approx([(3 / math.log2(3) + 1 / math.log2(5)) / best])
    assert found["nDCG@3"] == pytest.approx([3 / math.log2(3) / best])
    assert found["AP"] == pytest.approx([(1 / 2 + 2 / 4) / 3])
    assert found["RR(rel=3)"] == [0.5]
    assert found["Judged@3"] == pytest.approx([2 / 3])


@pytest.mark.parametrize("spelling", HERE)
def test_the_common_ones_are_computed_here(spelling: str) -> None:
    assert measures.computed(ir_measures.parse_measure(spelling))


@pytest.mark.parametrize(
    "spelling",
    ["Bpref", "Rprec", "AP(judged_only=True)", "nDCG(dcg='exp-log2')@10", "nDCG(gains={1:3})@10", "AP(rel=2.5)"],
)
def test_what_means_something_else_is_left_to_ir_measures(spelling: str) -> None:
    assert not measures.computed(ir_measures.parse_measure(spelling))


@pytest.mark.parametrize(
    ("spellings", "depth"), [([], 0), (["RR@10", "nDCG@20"], 20), (["RR@10", "AP"], None), (["AP"], None)]
)
def test_no_more_ranks_are_looked_at_than_needed(spellings: list[str], depth: int | None) -> None:
    assert measures.deepest([ir_measures.parse_measure(spelling) for spelling in spellings]) == depth
