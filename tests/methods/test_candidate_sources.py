"""Several sources of candidates: how they are spelled, how they share a row, and what is refused."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from negbench.errors import InputError, plainly
from negbench.methods import Method, method_file, named, resolve
from negbench.methods.listing import axes, cost
from negbench.methods.sources import CandidateSources
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.dense import Dense


def sources(text: str) -> CandidateSources:
    found = resolve(f"naive(candidates={text})").candidates
    assert isinstance(found, CandidateSources)
    return found


@pytest.mark.parametrize(
    ("candidates", "spelled"),
    [
        (["bm25", "dense"], "[bm25, dense]"),
        (["bm25(share=0.25)", "dense(share=0.75, depth=300)"], "[bm25(share=0.25), dense(share=0.75, depth=300)]"),
        (
            [{"bm25": {"k1": 1.2, "share": 0.5}}, {"dense": {"share": 0.5}}],
            "[bm25(share=0.5, k1=1.2), dense(share=0.5)]",
        ),
        (["dense", "dense(depth=50)", {"corpus": None}], "[dense, dense(depth=50), corpus]"),
    ],
)
def test_a_list_is_spelled_and_read_back(candidates: Any, spelled: str) -> None:
    method = resolve({"naive": {"candidates": candidates, "filters": ["margin"]}})
    assert method.spelling == f"naive(filters=[margin], candidates={spelled})"
    assert resolve(method.spelling) == method


def test_a_method_file_may_have_several(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(
        "summary: s\npaper: none\nyear: 2024\nshows: s\n"
        "candidates: [bm25(share=0.5), {dense: {share: 0.5}}]\nselection: top\n"
    )
    method = method_file.read(path, "both", Method)
    assert str(method.candidates) == "[bm25(share=0.5), dense(share=0.5)]"
    path.write_text(path.read_text().replace("share=0.5", "share=0.25"))
    with pytest.raises(InputError, match=r"both.yaml:5: candidates: the shares add up to 0.75; expected 1$"):
        method_file.read(path, "both", Method)


def test_a_list_of_one_is_that_retriever() -> None:
    assert resolve("naive(candidates=[bm25])") == resolve("naive(candidates=bm25)")
    assert resolve("naive(candidates=[dense])").spelling == "naive"


def test_each_source_alone_is_a_method_as_deep_as_its_parts_look() -> None:
    method = resolve("naive(candidates=[bm25, dense(depth=300)], filters=[denoise(depth=250)])")
    assert [one.retriever for one in method.by_source] == [BM25(depth=250), Dense(depth=300)]
    assert (method.retriever, named("naive").by_source) == (None, (named("naive"),))
    assert axes(method).startswith("candidates [bm25, dense(depth=300)]; ")
    assert cost(method) == "a BM25 index, a teacher's scores of 250 ranks a query, the corpus encoded once by the start"


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.integers(1, 40))
def test_shares_are_rounded_to_whole_negatives(parts: list[int], negatives: int) -> None:
    """To those that lie nearest, in squares; of equally near ones, to the most for the source named first."""
    total = sum(parts)
    names = ["bm25", "dense", "okapi"]
    text = ", ".join(f"{name}(share={part / total!r})" for name, part in zip(names, parts, strict=False))
    wanted = [negatives * part / total for part in parts]
    near = [
        counts
        for counts in itertools.product(*[(math.floor(want), math.floor(want) + 1) for want in wanted])
        if sum(counts) == negatives
    ]

    def off(counts: tuple[int, ...]) -> tuple[float, list[int]]:
        distance = sum((count - want) ** 2 for count, want in zip(counts, wanted, strict=True))
        return round(distance, 6), [-count for count in counts]

    nearest = min(near, key=off)
    if 0 not in nearest:
        assert sources(f"[{text}]").counts(negatives) == nearest
        return
    with pytest.raises(ValueError, match=f"gives none of {negatives} negatives a row; ask for more negatives, or"):
        sources(f"[{text}]").counts(negatives)


def test_equal_remainders_go_to_the_source_named_first() -> None:
    assert sources("[bm25, dense]").counts(5) == (3, 2)
    assert sources("[dense, bm25, okapi]").counts(4) == (2, 1, 1)
    assert sources("[bm25(share=0.25), dense(share=0.75)]").counts(4) == (1, 3)
    assert sources("[bm25(share=0.1), dense(share=0.2), corpus(share=0.7)]").counts(10) == (1, 2, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": ["bm25", "bm25(depth=200)"]}, "bm25 is given twice; give each retriever once"),
        ({"candidates": ["bm25(share=0.5)", "dense"]}, "some retrievers have a share and some do not"),
        ({"candidates": ["bm25(share=0.5)", "dense(share=0.6)"]}, "the shares add up to 1.1; expected 1"),
        ({"candidates": ["bm25(share=0.5)"]}, "the shares add up to 0.5; expected 1"),
        ({"candidates": ["bm25(share=0)", "dense(share=1)"]}, "expected more than 0, found 0"),
        ({"candidates": []}, "expected a retriever, or a list of several, found an empty list"),
        ({"candidates": ["bm25", "dens"]}, "no retriever is called 'dens'; did you mean dense?"),
        ({"candidates": ["bm25", "dense"], "refresh": "every-epoch"}, "refresh every-epoch: needs one retriever"),
        ({"candidates": ["bm25", "dense"], "labels": ["promote"]}, "labels promote goes with one retriever"),
        ({"fill": "drop", "selection": "mixture"}, "fill drop: selection mixture leaves slots empty on purpose"),
        ({"fill": "drop", "refresh": "every-epoch"}, "fill drop: refresh every-epoch needs the same rows"),
        ({"fill": "drop", "detector": "pair-mixture"}, "fill drop: detector pair-mixture needs the same rows"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        resolve({"naive": changes})
    said = plainly(caught.value.errors()[0])
    assert message in said
    assert "\n" not in said


def test_without_candidates_nothing_is_dropped_and_a_phase_has_one_source() -> None:
    with pytest.raises(ValidationError, match="without candidates no row is short"):
        resolve("in-batch(fill=drop)")
    with pytest.raises(ValidationError, match="phase naive draws from several retrievers"):
        resolve(
            {"curriculum": {"phases": ["random(work=0.5)", {"naive": {"work": 0.5, "candidates": ["bm25", "dense"]}}]}}
        )
