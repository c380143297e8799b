"""What every sampler owes, whatever it prefers. A new sampler is in this suite by being registered."""

from __future__ import annotations

import hashlib
import random
import warnings
from dataclasses import fields, replace
from typing import Any

import annotated_types
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from negbench.noise import Noise, keys
from negbench.parts import registered
from negbench.samplers import Sampler
from negbench.samplers.mixture import Mixture
from negbench.types import CandidatePool, Draw

OURS = {name: kind for name, kind in registered("sampler").items() if kind.__module__.startswith("negbench.")}
VARIANTS = [
    "top(depth=3)",
    "uniform(depth=5)",
    "simans(a=0.0)",
    "simans(a=50.0, b=0.3, form=code, scale=zscore, positive=max, depth=7)",
    "simans(form=laplace, scale=temperature, temperature=0.01, positive=min)",
    "simans(a=2.0, b=-1.0, scale=zscore, positive=mean)",
    "simans(form=laplace, tau=1e9)",
    "softmax(temperature=10.0, depth=6)",
    "teacher-hardest(depth=4)",
    "margin-balanced(bins=3, depth=9)",
    "rance(depth=8, degree=2)",
    "trisampler(depth=6)",
    "mixture(share=0.5, of=softmax(depth=7), rest=corpus)",
]
SAMPLERS = [pytest.param(kind(), id=name) for name, kind in OURS.items()]
SAMPLERS += [pytest.param(Sampler.model_validate(spelling), id=spelling) for spelling in VARIANTS]
every = pytest.mark.parametrize("sampler", SAMPLERS)
NOISE = Noise(7, "conformance")


def make(scores: Any, known: Any = None, excluded: Any = None, positive_scores: Any = None) -> CandidatePool:
    """A pool of scores [Q, K], NaN past the end; each row has documents of its own. No array can be written to."""
    table = np.array(scores, np.float32)
    count, depth = table.shape
    documents = np.arange(count * depth, dtype=np.int32).reshape(count, depth) * 3
    positives = np.zeros((count, 0)) if positive_scores is None else np.array(positive_scores)
    chance, names = Noise(3, "asked"), keys([f"d{n}" for n in documents.ravel().tolist()]).reshape(table.shape)
    pool = CandidatePool(
        queries=np.arange(count, dtype=np.int32),
        documents=np.where(np.isnan(table), -1, documents).astype(np.int32),
        scores=table,
        known=np.zeros(table.shape, bool) if known is None else np.array(known, bool).reshape(table.shape),
        positives=np.arange(positives.size, dtype=np.int32).reshape(positives.shape) * 3 + 1,
        positive_scores=positives.astype(np.float32),
        query_keys=keys([f"q{n}" for n in range(count)]),
        document_keys=keys([f"d{n}" for n in documents.ravel().tolist()]).reshape(table.shape),
        excluded=None if excluded is None else np.array(excluded, bool).reshape(table.shape),
        teacher_scores=np.where(np.isnan(table), np.nan, chance.uniform(names, 1)).astype(np.float32),
        positive_teacher_scores=np.full(positives.shape, 0.9, np.float32),
        groups=np.where(np.isnan(table), -1, documents // 6).astype(np.int32),
        positive_groups=np.full(positives.shape, -1, np.int32),
        similarity=np.where(np.isnan(table), np.nan, chance.uniform(names, 2)).astype(np.float32),
        judged=np.linspace(0.5, 0.0, depth),
    )
    for field in fields(pool):
        value = getattr(pool, field.name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return pool


def rows_of(pool: CandidatePool, rows: Any) -> CandidatePool:
    """The pool of some of its queries, in the order given."""
    table = {field.name: getattr(pool, field.name) for field in fields(pool) if field.name != "judged"}
    return replace(pool, **{name: value[rows] for name, value in table.items() if isinstance(value, np.ndarray)})


def varied(count: int = 60, depth: int = 20) -> CandidatePool:
    """Descending scores in steps of 1/64, short lists, known and excluded ones, 0 to 3 positives a query."""
    noise = Noise(1, "varied")
    query, rank = np.arange(count)[:, None], np.arange(depth)
    scores = -np.sort(-np.round(noise.uniform(query, rank) * 256) / 64, axis=1)
    scores = np.where(rank < 4 + noise.bits(query, 99) % np.uint64(depth), scores, np.nan)
    positives = np.round(noise.uniform(query, np.arange(200, 203)) * 256) / 64
    positives = np.where(np.arange(3) < (query % 4), positives, np.nan)
    return make(scores, noise.uniform(query, rank + 300) < 0.15, noise.uniform(query, rank + 400) < 0.2, positives)


def check(sampler: Sampler, pool: CandidatePool, k: int) -> Draw:
    """Draw twice without a warning and hold the result against the contract."""
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        draw, again = sampler.draw(pool, k, NOISE), sampler.draw(pool, k, NOISE)
    assert draw.positions.tobytes() == again.positions.tobytes()
    assert draw.effective_size.tobytes() == again.effective_size.tobytes()
    count, depth = pool.documents.shape
    assert (draw.positions.dtype, draw.positions.shape) == (np.int32, (count, k))
    assert (draw.effective_size.dtype, draw.effective_size.shape) == (np.float32, (count,))
    in_window = np.arange(depth) < (sampler.needed_depth or depth)
    for row, chosen in enumerate(draw.positions.tolist()):
        left = [
            column
            for column in range(depth)
            if in_window[column]
            and pool.documents[row, column] >= 0
            and not np.isnan(pool.scores[row, column])
            and not pool.known[row, column]
            and not (pool.excluded is not None and pool.excluded[row, column])
        ]
        drawn = [column for column in chosen if column >= 0]
        assert set(drawn) <= set(left)
        assert len(set(drawn)) == len(drawn)
        if isinstance(sampler, Mixture):  # leaves slots to others
            continue
        assert chosen == drawn + [-1] * (k - len(drawn))
        size = float(draw.effective_size[row])
        if np.isnan(pool.positive_scores[row]).all() and size == 0:
            assert not drawn  # a sampler may need a positive's score
        else:
            assert len(drawn) == min(k, len(left))
            assert (0.999 if left else 0) <= size <= len(left) * 1.00001
    return draw


@every
@pytest.mark.parametrize("k", [0, 1, 4, 20, 50])
def test_contract_on_a_varied_pool(sampler: Sampler, k: int) -> None:
    check(sampler, varied(), k)


SCORES = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, np.nan, 3e38, -3e38, 1e-40]), st.floats(-200, 200, width=32), st.floats(width=32)
)


@st.composite
def pools(draw: st.DrawFn) -> CandidatePool:
    count, depth, width = draw(st.integers(0, 3)), draw(st.integers(0, 9)), draw(st.integers(0, 3))

    def table(elements: st.SearchStrategy[Any], columns: int) -> list[Any]:
        return [draw(st.lists(elements, min_size=columns, max_size=columns)) for _ in range(count)]

    finite = SCORES.map(lambda score: score if np.isfinite(score) else np.nan)
    scores = np.array(table(finite, depth), np.float32).reshape(count, depth)
    return make(
        scores,
        np.array(table(st.booleans(), depth), bool).reshape(count, depth),
        draw(st.sampled_from([None, np.array(table(st.booleans(), depth), bool).reshape(count, depth)])),
        np.array(table(finite, width), np.float32).reshape(count, width),
    )


@every
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(pool=pools(), k=st.integers(0, 12))
def test_contract_on_any_pool(sampler: Sampler, pool: CandidatePool, k: int) -> None:
    check(sampler, pool, k)


@every
@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(make(np.zeros((0, 4))), id="no queries"),
        pytest.param(make(np.zeros((3, 0))), id="no ranks"),
        pytest.param(make([[np.nan] * 4] * 2, positive_scores=[[1.0]] * 2), id="nothing found"),
        pytest.param(make([[0.5]], positive_scores=[[0.7]]), id="one document"),
        pytest.param(make([[0.5]], known=[[True]], positive_scores=[[0.5]]), id="one document, the positive"),
        pytest.param(make([[1.0] * 9] * 5, positive_scores=[[1.0]] * 5), id="ties"),
        pytest.param(make([[3.0, 2.0, 1.0]] * 2), id="no positives"),
        pytest.param(make([[3.0, 2.0, 1.0]] * 2, positive_scores=[[np.nan] * 2] * 2), id="unscored positives"),
        pytest.param(make([[3.0, 2.0, 1.0]], excluded=[[True] * 3], positive_scores=[[4.0]]), id="all excluded"),
        pytest.param(make([[3e38, 1.0, 1.0, -3e38]] * 3, positive_scores=[[-3e38]] * 3), id="huge scores"),
        pytest.param(make([[-900.0, -901.5, -2e4]] * 3, positive_scores=[[-5.0]] * 3), id="negative scores"),
        pytest.param(make([[0.9, np.nan, 0.7]], positive_scores=[[0.8]]), id="NaN amid"),
    ],
)
@pytest.mark.parametrize("k", [0, 1, 3, 12])
def test_contract_at_the_edges(sampler: Sampler, pool: CandidatePool, k: int) -> None:
    check(sampler, pool, k)


@every
def test_a_nan_score_amid_is_passed_over(sampler: Sampler) -> None:
    pool = make([[0.9, np.nan, 0.7, 0.6, np.nan, 0.2]] * 50, positive_scores=[[0.8]] * 50)
    pool = replace(pool, documents=np.arange(300, dtype=np.int32).reshape(50, 6))  # found, but without a score
    positions = check(sampler, pool, 6).positions
    assert not np.isin(positions, [1, 4]).any()
    if not isinstance(sampler, Mixture):
        assert (positions[:, :2] >= 0).all()


@every
def test_a_query_draws_the_same_in_any_company(sampler: Sampler) -> None:
    pool = varied()
    everyone = sampler.draw(pool, 6, NOISE)
    order = np.random.default_rng(0).permutation(len(pool.queries))
    for rows in (order, order[:30], order[30:], order[:1]):
        some = sampler.draw(rows_of(pool, rows), 6, NOISE)
        assert some.positions.tolist() == everyone.positions[rows].tolist()
        np.testing.assert_allclose(some.effective_size, everyone.effective_size[rows], rtol=1e-6)


@every
def test_ranks_past_the_window_change_nothing(sampler: Sampler) -> None:
    pool = varied()
    if sampler.needed_depth == 0 or sampler.needed_depth >= pool.depth:
        pytest.skip("it looks at all ranks of this pool")
    everything = sampler.draw(pool, 4, NOISE)
    cut = {"queries", "positives", "positive_scores", "query_keys", "positive_teacher_scores", "positive_groups"}
    table = {field.name: getattr(pool, field.name) for field in fields(pool)}
    shallow = {
        name: value[..., : sampler.needed_depth]
        for name, value in table.items()
        if isinstance(value, np.ndarray) and name not in cut
    }
    alone = sampler.draw(replace(pool, **shallow), 4, NOISE)
    assert alone.positions.tolist() == everything.positions.tolist()
    np.testing.assert_allclose(alone.effective_size, everything.effective_size, rtol=1e-6)


@every
def test_chance_comes_from_the_noise_alone(sampler: Sampler) -> None:
    pool = varied()
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()
    first = sampler.draw(pool, 5, NOISE).positions.tolist()
    assert random.getstate() == before[0]
    np.testing.assert_equal(np.random.get_state(), before[1])
    random.seed(2)
    np.random.seed(2)
    assert sampler.draw(pool, 5, NOISE).positions.tolist() == first


@every
def test_seeds_and_rounds_matter_just_where_chance_has_a_say(sampler: Sampler) -> None:
    pool = varied()
    one = sampler.draw(pool, 3, Noise(0, "a"))
    others = [sampler.draw(pool, 3, noise).positions.tolist() for noise in (Noise(1, "a"), Noise(0, "a", 1))]
    certain = bool((one.effective_size <= 1.0001).all())
    assert [other == one.positions.tolist() for other in others] == [certain, certain]


def outside(kind: type[Sampler]) -> list[tuple[str, object]]:
    """Values that the declared bounds of the fields rule out."""
    wrong: list[tuple[str, object]] = [("no_such_parameter", 1)]
    for field, info in kind.model_fields.items():
        wrong.append((field, object()))
        wrong.append((field, "no such choice"))
        for bound in info.metadata:
            if isinstance(bound, annotated_types.Ge):
                wrong.append((field, bound.ge - 1))  # type: ignore[operator]
            if isinstance(bound, annotated_types.Gt):
                wrong.append((field, bound.gt))
            if isinstance(bound, annotated_types.Le):
                wrong.append((field, bound.le + 1))  # type: ignore[operator]
    return wrong


@pytest.mark.parametrize(
    ("name", "field", "value"), [(name, *wrong) for name, kind in OURS.items() for wrong in outside(kind)]
)
def test_bad_parameters_are_refused_by_name(name: str, field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        OURS[name].model_validate({field: value})


GOLDEN: dict[tuple[str, int], str] = {
    ("simans", 1): "71532aad9f38d029",
    ("top", 1): "c072c47909c8616d",
    ("uniform", 1): "d91b02635715b60d",
    ("top(depth=3)", 1): "8fab5a14ab9e1e31",
    ("uniform(depth=5)", 1): "5e26f437cebc3225",
    ("simans(a=0.0)", 1): "485e2c7dfe96a251",
    ("simans(a=50.0, b=0.3, form=code, scale=zscore, positive=max, depth=7)", 1): "d37a31e37f37c0a6",
    ("simans(form=laplace, scale=temperature, temperature=0.01, positive=min)", 1): "113d697f8aa71ab1",
    ("simans(a=2.0, b=-1.0, scale=zscore, positive=mean)", 1): "f96df6ecb3c38abb",
    ("simans(tau=1000000000.0, form=laplace)", 1): "d5c05c0000f29aad",
    ("margin-balanced", 1): "14fa6d61012f2ec5",
    ("mixture", 1): "9db562e590af1f5e",
    ("rance", 1): "38dda7f6ebd9531e",
    ("softmax", 1): "39622a7d9fbd1744",
    ("teacher-hardest", 1): "0d6e8674139cda3a",
    ("trisampler", 1): "c271751584888694",
    ("softmax(temperature=10.0, depth=6)", 1): "097c54b015ac117b",
    ("teacher-hardest(depth=4)", 1): "07d3968a028580d5",
    ("margin-balanced(bins=3, depth=9)", 1): "8baf7f23b5fbf0be",
    ("rance(depth=8, degree=2)", 1): "eaeb52421a1a5d20",
    ("trisampler(depth=6)", 1): "d63be0e709631a1e",
    ("mixture(share=0.5, of=softmax(depth=7), rest=corpus)", 1): "307e6eb9b0730406",
}
"""What each sampler and version draws from ``varied(200)``: where it changes, the sampler needs a new version."""


@every
def test_output_has_not_changed_without_a_new_version(sampler: Sampler) -> None:
    state = hashlib.blake2b(digest_size=8)
    for round_ in (0, 1):
        draw = sampler.draw(varied(200), 5, Noise(3, "golden", round_))
        state.update(draw.positions.astype("<i4").tobytes())
    assert GOLDEN.get((sampler.spelling, sampler.version)) == state.hexdigest()
