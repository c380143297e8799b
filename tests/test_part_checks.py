"""A part that returns what it must not fails its trial by name, and no row is published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from negbench import mining, part_checks
from negbench.errors import PartError
from negbench.filters.rank_band import RankBand
from negbench.labels.check_positives import CheckPositives
from negbench.mining import Rules
from negbench.retrieval.corpus import Corpus
from negbench.retrieval.pool import build
from negbench.samplers.mixture import Mixture
from negbench.samplers.top import Top
from negbench.types import CandidatePool, Collection, Draw, Qrels

K = 3


def pool() -> CandidatePool:
    """Two queries over ten documents; the first rank of each is its known positive."""
    collection = Collection(
        name="small",
        document_ids=[f"d{row}" for row in range(10)],
        titles=[""] * 10,
        texts=[f"text {row}" for row in range(10)],
        query_ids=["q0", "q1"],
        queries=["one", "two"],
        qrels={"train": Qrels.of([(0, 0, 1), (1, 1, 1)])},
    )
    found = build(Corpus(depth=6), collection, np.array([0, 1], np.int32), "train", 0)
    known = np.zeros(found.known.shape, np.bool_)
    known[:, 0] = True
    return replace(found, known=known)


def positions(*rows: list[int]) -> Any:
    return np.array(rows, np.int32)


WRONG: dict[str, tuple[Any, str]] = {
    "beyond the pool": (positions([1, 2, 6], [1, 2, 3]), "query 0: 6 is outside of the pool's 6 columns"),
    "no such code": (positions([1, 2, 3], [1, 2, -3]), "query 1: -3 is outside of the pool's 6 columns"),
    "known": (positions([1, 2, 3], [1, 0, 3]), "query 1: 0 is a known positive"),
    "filtered": (positions([1, 2, 3], [1, 2, 5]), "query 1: 5 was taken out by a filter or has no score"),
    "left to the batch": (positions([1, 2, 3], [-2, 1, 2]), "query 1: -2 is a slot for the batch, and it leaves none"),
    "twice": (positions([4, 2, 4], [1, 2, 3]), "query 0: 4 was drawn twice"),
    "too few": (positions([1, 2], [1, 2]), "returned int32 [2, 2]; expected integers [2, 3]"),
    "no integers": (np.ones((2, K)), "returned float64 [2, 3]; expected integers [2, 3]"),
}


@pytest.mark.parametrize(("drawn", "problem"), WRONG.values(), ids=WRONG)
def test_a_sampler_that_draws_wrongly_is_named(drawn: Any, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Top, "draw", lambda *_: Draw(drawn, np.ones(2, np.float32)))
    rules = Rules(Top(), filters=(RankBand(low=0, high=5),))
    with pytest.raises(PartError) as caught:
        mining.mine(pool(), rules, K, 0, np.array([-1, -1], np.int32), 10)
    assert str(caught.value) == f"sampler top: {problem}"


@pytest.mark.parametrize("leaves", [False, True])
def test_what_is_allowed_passes(leaves: bool) -> None:
    part_checks.check_positions(Top(), positions([1, 2, 3], [4, -1, -1]), pool(), K, leaves)


def test_slots_are_left_by_a_sampler_that_says_so() -> None:
    part_checks.check_positions(Mixture(), positions([-2, -2, -2], [1, -1, 2]), pool(), K, Mixture.leaves_slots)


def test_the_first_rank_counts_as_any_other() -> None:
    free = replace(pool(), known=np.zeros((2, 6), np.bool_))
    part_checks.check_positions(Top(), positions([0, 1, 2], [5, 0, 3]), free, K)
    with pytest.raises(PartError, match="query 0: 0 was drawn twice"):
        part_checks.check_positions(Top(), positions([0, 1, 0], [5, 0, 3]), free, K)


def test_a_filter_that_returns_no_mask_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RankBand, "reject", lambda self, pool: pool.scores)
    with pytest.raises(PartError, match=r"^filter rank-band: returned float32 \[2, 6\]; expected bool \[2, 6\]$"):
        mining.filtered(pool(), Rules(Top(), filters=(RankBand(),)))


def test_masks_and_weights_of_another_shape_are_refused() -> None:
    given = pool()
    weights = np.ones(given.positives.shape, np.float32)
    for mask in (np.ones((2, 5), np.bool_), np.ones((1, 6), np.bool_), np.ones(6, np.bool_)):
        with pytest.raises(PartError, match=r"returned bool \[.*\]; expected bool \[2, 6\]"):
            part_checks.check_mask(Top(), mask, (2, 6))
        with pytest.raises(PartError, match=r"expected bool \[2, 6\]"):
            part_checks.check_labels(Top(), mask, weights, given)
    for wrong in (weights[:1], weights[:, :0], np.ones((2, 2), np.float32)):
        with pytest.raises(PartError, match=r"returned weights \[.*\]; expected \[2, 1\]"):
            part_checks.check_labels(Top(), np.zeros((2, 6), np.bool_), wrong, given)
    part_checks.check_labels(Top(), np.zeros((2, 6), np.bool_), weights * 0, given)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_weights_of_positives_that_are_none_are_refused(weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(self: object, pool: CandidatePool, labels: Any) -> Any:
        return replace(labels, positive_weights=np.full_like(labels.positive_weights, weight))

    monkeypatch.setattr(CheckPositives, "apply", judge)
    with pytest.raises(PartError, match=r"^label-rule check-positives.*query 0: .* is no weight$"):
        mining.apply_label_rules(pool(), Rules(Top(), labels=(CheckPositives(),)))


def test_padding_cannot_be_promoted() -> None:
    given = replace(pool(), documents=np.full((2, 6), -1, np.int32))
    weights = np.ones(given.positives.shape, np.float32)
    with pytest.raises(PartError, match="is no document, and was promoted"):
        part_checks.check_labels(Top(), np.ones((2, 6), np.bool_), weights, given)


class Ranked:
    kind: ClassVar[str] = "retriever"
    spelling: ClassVar[str] = "mine"


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        ([[0, 10]], "10 is none of 10 documents"),
        ([[3, 3]], "3 was found twice"),
        ([[0, 0]], "0 was found twice"),
        ([[-2, 1]], "-2 is none of"),
    ],
)
def test_a_retriever_that_finds_what_is_not_there_is_named(documents: list[list[int]], problem: str) -> None:
    found: Any = Ranked()
    with pytest.raises(PartError, match=f"^retriever mine: query 0: {problem}"):
        part_checks.check_ranking(found, np.array(documents, np.int32), 10)
    part_checks.check_ranking(found, np.array([[-1, -1], [0, 9]], np.int32), 10)
