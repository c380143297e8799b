"""What filters and label rules keep at, just below and just above their thresholds, as their words say it.

Of a part with a bound here every number has one, or has it elsewhere. Every number of any part has an effect.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pools import FEATURES, candidate_pool, feature_of, with_features
from pydantic import ValidationError

from negbench.filters import Filter
from negbench.labels import LabelRule, Labels
from negbench.registry import registered
from negbench.requirements import PoolPart
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

    ``holds``: whether a filter keeps it, or a label rule acts on it, just below, at and just above.
    ``says``: words of the part's docstring or of the parameter's description. ``positive``: the score of the positive.
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
BELOW, UP_TO = (True, False, False), (True, True, False)
FROM, ABOVE = (False, True, True), (False, False, True)
BOUNDS = [
    Bound("score-cap(cap=0.5)", "cap", "scores", 0.5, UP_TO, "score at most ``cap``"),
    Bound("score-cap(cap=-0.5)", "cap", "scores", -0.5, UP_TO, "score at most ``cap``"),
    Bound(BAND, "low", "scores", 0.25, FROM, "bound of s - s+, included"),
    Bound(BAND, "high", "scores", 0.625, UP_TO, "bound of s - s+, included"),
    Bound("margin(margin=0.25, unit=absolute)", "margin", "scores", 0.25, UP_TO, "at the very limit is kept"),
    Bound("margin(margin=0.25)", "margin", "scores", 0.375, UP_TO, "at the very limit is kept"),
    Bound("margin(margin=0.25)", "margin", "scores", -0.625, UP_TO, "at the very limit is kept", positive=-0.5),
    Bound("triangle(angle=90)", "angle", "scores", 0.0, FROM, "<= ``angle``", positive=1.0),
    Bound("triangle(angle=90)", "", "similarity", 0.5, ABOVE, "s(d+, d) > s(q, d)", positive=1.0),
    Bound("two-distance", "", "similarity", 0.5, BELOW, "d(q, d) < d(d+, d), both strict", positive=0.25),
    Bound("denoise(threshold=0.25)", "threshold", "teacher_scores", 0.25, BELOW, "strictly below it"),
    Bound(TEACHER, "low", "teacher_scores", 0.25, FROM, "score that is kept"),
    Bound(TEACHER, "high", "teacher_scores", 0.75, UP_TO, "score that is kept"),
    Bound("promote(threshold=0.75)", "threshold", "teacher_scores", 0.75, ABOVE, "score above which, strictly,"),
    Bound("promote-above-positive", "", "teacher_scores", 0.5, ABOVE, "scores above every labelled positive"),
    Bound("best-positive", "", "teacher_scores", 0.5, ABOVE, "above every labelled one"),
    Bound(
        "drop-instances(threshold=0.75)", "threshold", "teacher_scores", 0.75, FROM,
        "score from which on a candidate is flagged",
    ),
    Bound(
        "check-positives(threshold=0.25)", "threshold", "positive_teacher_scores", 0.25, BELOW,
        "score below which a labelled pair is suspicious",
    ),
]  # fmt: skip
ELSEWHERE = {
    ("margin", "teacher_depth"): "tests/filters/test_margin_teacher.py",
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
    half = np.full((1, depth), 0.5, np.float32)
    return candidate_pool(
        half,
        positives=[[100]],
        positive_scores=[[positive]],
        teacher_scores=half,
        positive_teacher_scores=[[0.5]],
        similarity=np.full(half.shape, 1.0),
        groups=[range(depth)],
        positive_groups=[[100]],
    )


def marked(part: PoolPart, pool: CandidatePool) -> Bool:
    """Return [Q, K]: the candidates that a filter keeps, or that a label rule promotes or distrusts a positive for."""
    if isinstance(part, Filter):
        return pool.without(part.reject(pool)).available()
    assert isinstance(part, LabelRule)
    labels = part.apply(pool, Labels.given(pool))
    return labels.promoted | (labels.positive_weights < 1).any(axis=1, keepdims=True)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.part} {bound.table} {bound.at}")
def test_a_bound_is_inclusive_or_strict_as_its_words_say(bound: Bound) -> None:
    kind = OURS[bound.part.partition("(")[0]]
    part = (Filter if issubclass(kind, Filter) else LabelRule).model_validate(bound.part)
    base, at = pool(positive=bound.positive), np.float32(bound.at)
    step = np.float32(1e-6)  # an angle's cosine is flat at float32's own steps
    assert float(at) == bound.at
    found = []
    for number in (at - step, at, at + step):
        values = np.full((1, 1), number, np.float32)
        made = with_features(base, **{bound.table: values}) if bound.table in FEATURES else replace(base, scores=values)
        found.append(bool(marked(part, made)[0, 0]))
    assert tuple(found) == bound.holds
    field = kind.model_fields.get(bound.parameter)
    assert bound.says in " ".join([*(kind.__doc__ or "").split(), *((field and field.description) or "").split()])


DEEP = [name for name, kind in OURS.items() if "depth" in kind.model_fields]


@pytest.mark.parametrize("name", DEEP)
def test_a_depth_is_the_number_of_ranks_that_are_looked_at(name: str) -> None:
    """What stands below has no say in what becomes of the first ranks."""
    part = OURS[name].model_validate({"depth": 4})
    pool = varied_pool()
    rank, last = np.arange(pool.depth), pool.depth - 1
    order = np.where(rank < 4, rank, last + 4 - rank)
    turned = replace(pool, scores=pool.scores[:, order], known=pool.known[:, order])
    by_rank = {name: feature_of(pool, name)[:, order] for name in ("teacher_scores", "similarity", "groups")}
    found, other = (marked(part, made)[:, :4] for made in (pool, with_features(turned, **by_rank)))
    assert found.any()
    assert other.tolist() == found.tolist()


@pytest.mark.parametrize(
    ("spelling", "scores"),
    [
        ("denoise(depth=4)", 0.0),
        ("sieve(depth=4)", 0.5),
        ("teacher-band(depth=4)", 0.5),
        ("promote(depth=4, most=9)", 1.0),
    ],
)
def test_a_candidate_below_the_depth_is_not_taken(spelling: str, scores: float) -> None:
    """Of six that would all be kept, or promoted, the fifth and sixth are not."""
    base = pool(6)
    part = OURS[spelling.partition("(")[0]]
    made = (Filter if issubclass(part, Filter) else LabelRule).model_validate(spelling)
    alike = with_features(base, teacher_scores=np.full((1, 6), scores, np.float32))
    assert marked(made, alike).tolist() == [[True] * 4 + [False] * 2]


@pytest.mark.parametrize("rank", range(6))
def test_a_flag_below_the_depth_does_not_count(rank: int) -> None:
    sure = (np.arange(6) == rank).astype(np.float32)[None, :]
    found = LabelRule.model_validate("drop-instances(depth=4)").apply(
        with_features(pool(6), teacher_scores=sure), Labels.given(pool(6))
    )
    assert (found.positive_weights == 0).all() == (rank < 4)


def numeric(kind: type[PoolPart]) -> list[str]:
    """The fields of a part that hold a number, or a number or nothing."""
    found = []
    for name, info in kind.model_fields.items():
        annotation = info.annotation
        whole = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        found += [name] if {int, float} & set(whole) else []
    return found


TESTED = {(bound.part.partition("(")[0], bound.parameter) for bound in BOUNDS} | set(ELSEWHERE)


@pytest.mark.parametrize("name", [name for name in OURS if name in {part for part, _ in TESTED}])
def test_every_number_of_a_part_has_its_bound_tested(name: str) -> None:
    tested = TESTED | {(deep, "depth") for deep in DEEP}
    missing = [field for field in numeric(OURS[name]) if (name, field) not in tested]
    assert not missing, f"{name}: add {missing} to BOUNDS, or to ELSEWHERE with the test that it has"


def varied_pool() -> CandidatePool:
    """Sixty queries of twenty candidates whose every score lies between 0 and 1, with two positives each."""
    generator = np.random.default_rng(0)
    shape = (60, 20)
    return candidate_pool(
        -np.sort(-generator.random(shape), axis=1),
        known=generator.random(shape) < 0.1,
        positive_scores=generator.random((60, 2)),
        teacher_scores=generator.random(shape),
        positive_teacher_scores=generator.random((60, 2)),
        similarity=generator.random(shape),
        groups=generator.integers(0, 50, shape),
        positive_groups=generator.integers(0, 50, (60, 2)),
        judged=np.linspace(0.5, 0, 20),
        corpus_size=1000,
    )


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, kind in OURS.items() for field in numeric(kind)])
def test_every_number_has_an_effect(name: str, field: str) -> None:
    """Another value of it, of a few and in some mode, changes what the part does or what it asks for."""
    kind, pool = OURS[name], varied_pool()
    modes: list[dict[str, object]] = [{}]
    if "teacher" in kind.model_fields and kind.model_fields["teacher"].get_default() is None:
        modes.append({"teacher": "trained-cross-encoder"})
    for other, info in kind.model_fields.items():
        modes += [{other: choice} for choice in typing.get_args(info.annotation) if isinstance(choice, str)]
    changed = 0
    for mode in modes:
        outcomes = set()
        for value in (-1, 0, 1, 2, 3, 5, 10, 15, 100, 0.1, 0.25, 0.5, 0.75, 0.9):
            try:
                part = kind.model_validate({**mode, field: value})
            except ValidationError:
                continue
            outcomes.add((marked(part, pool).tobytes(), *weights(part, pool), part.requires))
        changed += len(outcomes) > 1
    assert changed


def weights(part: PoolPart, pool: CandidatePool) -> list[float]:
    """Return what a label rule makes every positive weigh; nothing for a filter."""
    if not isinstance(part, LabelRule):
        return []
    weights: list[float] = part.apply(pool, Labels.given(pool)).positive_weights.ravel().tolist()
    return weights
