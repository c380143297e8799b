"""What every sampler owes, whatever it prefers. A new sampler is in this suite by being registered."""

from __future__ import annotations

import json
import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import annotated_types
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pools import FEATURES, feature_of, with_features
from pydantic import ValidationError
from sampler_draws import OURS, golden_draw, make, samplers, varied

from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.types import CandidatePool, Draw

every = pytest.mark.parametrize("sampler", [pytest.param(sampler, id=name) for name, sampler in samplers().items()])
NOISE = CounterRNG(7, "conformance")


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
        if sampler.leaves_slots:
            continue
        assert -2 not in chosen
        assert chosen == drawn + [-1] * (k - len(drawn))
        size = float(draw.effective_size[row])
        if np.isnan(pool.positive_scores[row]).all() and size == 0:
            assert not drawn  # a sampler may need a positive's score
        else:
            hint = f"{sampler.name} leaves slots while candidates are left: give it leaves_slots = True"
            assert len(drawn) == min(k, len(left)), hint
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
@settings(suppress_health_check=[HealthCheck.too_slow])
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
    if not sampler.leaves_slots:
        assert (positions[:, :2] >= 0).all()


@every
def test_a_query_draws_the_same_in_any_company(sampler: Sampler) -> None:
    pool = varied()
    everyone = sampler.draw(pool, 6, NOISE)
    order = np.random.default_rng(0).permutation(len(pool.queries))
    for rows in (order, order[:30], order[30:], order[:1]):
        some = sampler.draw(pool.of_queries(rows), 6, NOISE)
        assert some.positions.tolist() == everyone.positions[rows].tolist()
        np.testing.assert_allclose(some.effective_size, everyone.effective_size[rows], rtol=1e-6)


@every
def test_ranks_past_the_window_change_nothing(sampler: Sampler) -> None:
    pool = varied()
    if sampler.needed_depth == 0 or sampler.needed_depth >= pool.depth:
        pytest.skip("it looks at all ranks of this pool")
    everything = sampler.draw(pool, 4, NOISE)
    depth = sampler.needed_depth
    tables = {name: getattr(pool, name) for name in ("documents", "scores", "known", "document_keys", "excluded")}
    shallow = replace(pool, **{name: table[:, :depth] for name, table in tables.items()})
    by_rank = {name: feature_of(pool, name)[..., :depth] for name in FEATURES if not name.startswith("positive_")}
    alone = sampler.draw(with_features(shallow, **by_rank), 4, NOISE)
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
    one = sampler.draw(pool, 3, CounterRNG(0, "a"))
    certain = bool((one.effective_size <= 1.0001).all())
    for others in ([CounterRNG(seed, "a") for seed in (1, 2, 3)], [CounterRNG(0, "a", round) for round in (1, 2, 3)]):
        same = [sampler.draw(pool, 3, rng).positions.tolist() == one.positions.tolist() for rng in others]
        assert all(same) == certain


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


GOLDEN = json.loads((Path(__file__).parents[1] / "golden/draws.json").read_text())
"""What each sampler and version draws: where it changes, the sampler needs a new version."""


@every
def test_output_has_not_changed_without_a_new_version(sampler: Sampler) -> None:
    known = GOLDEN.get(sampler.spelling, {}).get(str(sampler.version))
    assert known is not None, f"{sampler.spelling} (version {sampler.version}) has no golden draw: run `make golden`"
    assert golden_draw(sampler) == known, (
        f"{sampler.spelling} draws otherwise than its version {sampler.version} did: raise the sampler's version, "
        "then run `make golden`"
    )
