"""What filters and label rules keep at, just below and just above their thresholds, as their docstrings say it.

Every numeric parameter of a registered filter or label rule has to be in this table, or to say where else it is tested.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, replace

import numpy as np
import pytest

from negbench.asks import Asking
from negbench.filters import Filter
from negbench.labels import LabelRule, Labels
from negbench.parts import registered
from negbench.types import Bool, CandidatePool

OURS = {
    name: kind
    for sort in ("filter", "label-rule")
    for name, kind in registered(sort).items()
    if kind.__module__.startswith("negbench.")
}


@dataclass(frozen=True)
class Bound:
    """A number of a candidate or of a positive, ``table``, that is compared with ``at``, which float32 can hold.

    ``holds``: whether the part lets it pass just below, at and just above; passing is to be kept by a filter, to be
    promoted, or to keep its weight. ``says``: the words of the docstring. ``positive``: the score of the positive.
    """

    part: str
    parameter: str
    table: str
    at: float
    holds: tuple[bool, bool, bool]
    says: str
    positive: float = 0.5


BAND = "gap-band(low=-0.25, high=0.125)"
TEACHER = "teacher-band(low=0.25, high=0.75)"
KEPT_BELOW, KEPT_UP_TO = (True, False, False), (True, True, False)
KEPT_FROM, KEPT_ABOVE = (False, True, True), (False, False, True)
BOUNDS = [
    Bound("score-cap(cap=0.5)", "cap", "scores", 0.5, KEPT_UP_TO, "score at most ``cap``"),
    Bound("score-cap(cap=-0.5)", "cap", "scores", -0.5, KEPT_UP_TO, "score at most ``cap``"),
    Bound(BAND, "low", "scores", 0.25, KEPT_FROM, "the bounds included"),
    Bound(BAND, "high", "scores", 0.625, KEPT_UP_TO, "the bounds included"),
    Bound("margin(margin=0.25, unit=absolute)", "margin", "scores", 0.25, KEPT_UP_TO, "at the very limit is kept"),
    Bound("margin(margin=0.25)", "margin", "scores", 0.375, KEPT_UP_TO, "at the very limit is kept"),
    Bound("margin(margin=0.25)", "margin", "scores", -0.625, KEPT_UP_TO, "at the very limit is kept", positive=-0.5),
    Bound("triangle(angle=90)", "angle", "scores", 0.0, KEPT_FROM, "<= ``angle``", positive=1.0),
    Bound("triangle(angle=90)", "", "similarity", 0.5, KEPT_ABOVE, "s(d+, d) > s(q, d)", positive=1.0),
    Bound("denoise(threshold=0.25)", "threshold", "teacher_scores", 0.25, KEPT_BELOW, "keep scores strictly below it"),
    Bound(TEACHER, "low", "teacher_scores", 0.25, KEPT_FROM, "low, high: bounds, included"),
    Bound(TEACHER, "high", "teacher_scores", 0.75, KEPT_UP_TO, "low, high: bounds, included"),
    Bound("promote(threshold=0.75)", "threshold", "teacher_scores", 0.75, KEPT_ABOVE, "scores strictly above it"),
    Bound(
        "drop-instances(threshold=0.75)", "threshold", "teacher_scores", 0.75, KEPT_BELOW,
        "scores of this much or more are flags",
    ),
    Bound(
        "check-positives(threshold=0.25)", "threshold", "positive_teacher_scores", 0.25, KEPT_FROM,
        "scores below it are suspicious",
    ),
]  # fmt: skip
ELSEWHERE = {
    ("rank-band", "low"): "tests/filters/test_rank_band.py",
    ("rank-band", "high"): "tests/filters/test_rank_band.py",
    ("rank-band", "divisor"): "tests/filters/test_rank_band.py",
    ("without-near-duplicates", "threshold"): "tests/collections/test_duplicates.py",
    ("promote-duplicates", "threshold"): "tests/collections/test_duplicates.py",
    ("check-positives", "weight"): "tests/labels/test_label_conformance.py",
    ("drop-instances", "flags"): "tests/labels/test_label_conformance.py",
    ("promote", "most"): "tests/labels/test_label_conformance.py",
}


def pool(depth: int = 1, positive: float = 0.5) -> CandidatePool:
    """One query with one positive; every candidate scores 0.5, by the teacher as well, and lies near the positive."""
    documents = np.arange(depth, dtype=np.int32)[None, :]
    half = np.full(documents.shape, 0.5, np.float32)
    return CandidatePool(
        queries=np.zeros(1, np.int32),
        documents=documents,
        scores=half,
        known=np.zeros(documents.shape, np.bool_),
        positives=np.array([[100]], np.int32),
        positive_scores=np.array([[positive]], np.float32),
        query_keys=np.zeros(1, np.uint64),
        document_keys=documents.astype(np.uint64),
        teacher_scores=half,
        positive_teacher_scores=np.array([[0.5]], np.float32),
        similarity=np.full(documents.shape, 1.0, np.float32),
        groups=documents,
        positive_groups=np.array([[100]], np.int32),
    )


def passing(part: Asking, found: CandidatePool) -> Bool:
    """Return [K]: whether a filter keeps each candidate, a rule promotes it, or another one trusts the pair."""
    if isinstance(part, Filter):
        return found.without(part.throws_out(found)).available()[0]
    assert isinstance(part, LabelRule)
    labels = part.judge(found, Labels.given(found))
    if part.name.startswith("promote"):
        return labels.promoted[0]
    return np.repeat(labels.trust[0] == 1, found.depth)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.part} {bound.table} {bound.at}")
def test_a_bound_is_inclusive_or_strict_as_its_docstring_says(bound: Bound) -> None:
    kind = OURS[bound.part.partition("(")[0]]
    part = (Filter if issubclass(kind, Filter) else LabelRule).model_validate(bound.part)
    base, at = pool(positive=bound.positive), np.float32(bound.at)
    step = np.float32(1e-6)  # an angle's cosine is flat at float32's own steps
    assert float(at) == bound.at
    found = []
    for number in (at - step, at, at + step):
        values = np.full_like(getattr(base, bound.table), number)
        found.append(bool(passing(part, replace(base, **{bound.table: values}))[0]))
    assert tuple(found) == bound.holds
    assert bound.says in " ".join((kind.__doc__ or "").split())


DEEP = [name for name, kind in OURS.items() if "depth" in kind.model_fields]


@pytest.mark.parametrize("name", DEEP)
def test_a_depth_is_the_number_of_ranks_that_are_looked_at(name: str) -> None:
    """Of six candidates that would all pass, or each be flagged, with a depth of 4 the fifth is not looked at."""
    part = OURS[name].model_validate({"depth": 4})
    base = pool(6)
    assert base.teacher_scores is not None
    if isinstance(part, Filter):
        low = np.zeros_like(base.teacher_scores) if name == "denoise" else base.teacher_scores
        assert passing(part, replace(base, teacher_scores=low)).tolist() == [True] * 4 + [False] * 2
        return
    for rank in range(6):
        sure = (np.arange(6) == rank).astype(np.float32)[None, :]
        found = passing(part, replace(base, teacher_scores=sure))
        acted = found[rank] if name.startswith("promote") else not found[rank]
        assert acted == (rank < 4)


def numeric(kind: type[Asking]) -> list[str]:
    """The fields of a part that hold a number, or a number or nothing."""
    found = []
    for name, info in kind.model_fields.items():
        annotation = info.annotation
        whole = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        found += [name] if {int, float} & set(whole) else []
    return found


@pytest.mark.parametrize("name", OURS)
def test_every_number_that_a_part_is_given_has_its_bound_tested(name: str) -> None:
    tested = {(bound.part.partition("(")[0], bound.parameter) for bound in BOUNDS} | set(ELSEWHERE)
    tested |= {(deep, "depth") for deep in DEEP}
    missing = [field for field in numeric(OURS[name]) if (name, field) not in tested]
    assert not missing, f"{name}: add {missing} to BOUNDS, or to ELSEWHERE with the test that it has"
