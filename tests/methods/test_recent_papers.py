"""What papers of 2024 to 2026 claim of their rules mechanically, on planted pools."""

from __future__ import annotations

import numpy as np
from pools import candidate_pool, feature_of, with_features

from negbench import mining
from negbench.methods import resolve
from negbench.mining import Rules
from negbench.types import Bool, CandidatePool, Float64, Negatives

QUERIES, DEPTH, SIZE = 300, 60, 24


def unit(vectors: Float64) -> Float64:
    scaled: Float64 = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def planted() -> tuple[CandidatePool, Bool]:
    """A pool of unit vectors and a teacher's scores; and which candidates are relevant, though nobody labelled them.

    These lie around the positive, as paraphrases do, and all others around the query. The teacher puts a third of them
    above the positive.
    """
    rng = np.random.default_rng(0)
    queries = unit(rng.standard_normal((QUERIES, 1, SIZE)))
    positives = unit(queries + 0.16 * rng.standard_normal((QUERIES, 1, SIZE)))
    hidden = rng.random((QUERIES, DEPTH)) < 0.1
    around = np.where(hidden[:, :, None], positives, queries)
    spread = np.where(hidden, 0.05, 0.22)[:, :, None]
    documents = unit(around + spread * rng.standard_normal((QUERIES, DEPTH, SIZE)))
    scores = (queries * documents).sum(axis=2)
    order = np.argsort(-scores, axis=1)
    documents = np.take_along_axis(documents, order[:, :, None], axis=1)
    scores, hidden = np.take_along_axis(scores, order, 1), np.take_along_axis(hidden, order, 1)
    teacher = np.clip(np.where(hidden, 0.75, 0.2) + 0.12 * rng.standard_normal(hidden.shape), 0, 1)
    pool = candidate_pool(
        scores,
        positive_scores=(queries * positives).sum(axis=2),
        teacher_scores=teacher,
        positive_teacher_scores=np.full((QUERIES, 1), 0.8),
        similarity=(positives * documents).sum(axis=2),
    )
    return pool, hidden


def drawn(spelling: str, pool: CandidatePool, k: int = 4) -> Negatives:
    method = resolve(spelling)
    assert method.selection is not None
    rules = Rules(method.selection, method.filters, method.labels, method.fill)
    return mining.mine(pool, rules, k, 0, np.full(len(pool.queries), -1, np.int32), 2 * QUERIES * (DEPTH + 1))


def of_drawn(found: Negatives, values: Float64 | Bool) -> Float64:
    """The values [Q, K] of what was drawn from the pool."""
    rows, slots = np.nonzero(found.ranks >= 0)
    return np.asarray(values[rows, found.ranks[rows, slots]], np.float64)


def promoted(found: Negatives, values: Bool) -> Float64:
    """The values [Q, K] of promoted candidates; documents of the pool are numbered from query to query."""
    return np.asarray(values.ravel()[found.promoted[found.promoted >= 0]], np.float64)


class TestTwoDistance:
    def test_negatives_outscore_the_positive_and_paraphrases_of_it_are_out(self) -> None:
        pool, hidden = planted()
        found = drawn("two-distance", pool)
        over, unlike = pool.scores - pool.positive_scores, pool.scores - feature_of(pool, "similarity")
        assert min(of_drawn(found, over).min(), of_drawn(found, unlike).min()) > 0
        assert (of_drawn(found, over) > 0).sum() > QUERIES
        hard = hidden & (over > 0)
        assert hard[:, :10].mean() > 0.02  # paraphrases among the hardest
        assert of_drawn(found, hidden).mean() < of_drawn(drawn("naive", pool), hidden).mean() / 10

    def test_a_query_whose_positive_ranks_first_has_only_random_negatives(self) -> None:
        pool, _ = planted()
        found = drawn("two-distance", pool)
        first = (pool.scores < pool.positive_scores).all(axis=1)
        assert 5 < first.sum() < QUERIES - 5
        assert (found.ranks[first] == -1).all()
        assert (found.origins[first] == 1).all()


class TestStratified:
    def test_scores_vary_more_than_the_top_ranks_and_span_the_whole_range(self) -> None:
        pool, _ = planted()
        scores = feature_of(pool, "teacher_scores").astype(np.float64)
        rows = {}
        for selection in ("stratified", "teacher-hardest", "uniform"):
            ranks = drawn(f"stratified(selection={selection})", pool, 8).ranks
            rows[selection] = np.take_along_axis(scores, ranks, axis=1)
        variance = {name: row.var(axis=1).mean() for name, row in rows.items()}
        assert variance["stratified"] > 1.5 * variance["teacher-hardest"]
        assert variance["stratified"] > variance["uniform"]
        span = {name: np.ptp(row, axis=1) for name, row in rows.items()}
        assert (span["stratified"] == np.ptp(scores, axis=1)).all()
        assert span["uniform"].mean() < 0.9 * span["stratified"].mean()

    def test_means_are_the_pool_s_own_with_less_noise_than_by_chance(self) -> None:
        pool, _ = planted()
        scores = feature_of(pool, "teacher_scores").astype(np.float64)
        errors = {}
        for selection in ("stratified", "uniform"):
            ranks = drawn(f"stratified(selection={selection})", pool, 16).ranks
            errors[selection] = np.take_along_axis(scores, ranks, axis=1).mean(axis=1) - np.median(scores, axis=1)
        assert errors["stratified"].std() < errors["uniform"].std() / 1.5


class TestDenseOn:
    def test_what_is_left_lies_below_the_margin_and_short_rows_leave(self) -> None:
        pool, hidden = planted()
        valid = pool.scores <= 0.95 * pool.positive_scores
        wanted = int(np.median(valid.sum(axis=1)))  # half of the queries have fewer
        found, filled = (drawn(f"denseon{more}", pool, wanted) for more in ("", "(fill=corpus)"))
        short = valid.sum(axis=1) < wanted
        assert 0.3 < short.mean() < 0.6
        for row, ranks in enumerate(found.ranks.tolist()):
            assert ranks == ([-1] * wanted if short[row] else np.flatnonzero(valid[row])[:wanted].tolist())
        assert (filled.documents >= 0).all()
        few, naive = (of_drawn(drawn(name, pool), hidden).mean() for name in ("denseon", "naive"))
        assert few < naive


class TestGecko:
    def test_the_judge_s_worst_hide_few_positives_and_its_best_is_one(self) -> None:
        pool, hidden = planted()
        found = drawn("gecko", pool)
        assert of_drawn(found, hidden).mean() < of_drawn(drawn("naive", pool), hidden).mean() / 10
        assert found.ranks.max() < 20
        assert promoted(found, hidden).mean() > 3 * hidden[:, :20].mean()
        replaced = (found.promoted >= 0).sum(axis=1)
        assert set(replaced.tolist()) == {0, 1}
        assert ((found.positive_weights == 0)[:, 0] == (replaced == 1)).all()


class TestArhn:
    def test_what_is_above_the_positive_is_promoted_and_other_answers_are_left_out(self) -> None:
        pool, hidden = planted()
        found, naive = drawn("arhn", pool), drawn("naive", pool)
        teacher = feature_of(pool, "teacher_scores")
        assert promoted(found, teacher > 0.8).all()
        assert len(promoted(found, hidden)) == (teacher[:, :10] > 0.8).sum() > 0
        assert promoted(found, hidden).mean() > 3 * hidden[:, :10].mean()
        assert of_drawn(found, teacher).max() < 0.5
        assert of_drawn(found, hidden).mean() < of_drawn(naive, hidden).mean() / 5

    def test_each_step_takes_out_what_the_other_leaves(self) -> None:
        """Answers below a strong positive are filtered, and what is above a weak one is relabelled, answer or not."""
        pool, _ = planted()
        teacher = feature_of(pool, "teacher_scores")
        weak = with_features(pool, positive_teacher_scores=np.full((QUERIES, 1), 0.3, np.float32))
        for one, name, left in (
            (pool, "arhn(filters=[])", (teacher >= 0.5) & (teacher <= 0.8)),
            (weak, "arhn(labels=[])", (teacher > 0.3) & (teacher < 0.5)),
        ):
            assert of_drawn(drawn(name, one), left).mean() > 0.05
            assert not of_drawn(drawn("arhn", one), left).any()


class TestRrra:
    def test_hidden_positives_become_rarer_with_the_exponent(self) -> None:
        """An adapter that tells them apart as well as the teacher does."""
        pool, hidden = planted()
        pool = with_features(pool, adapter=feature_of(pool, "teacher_scores"))
        rates = [of_drawn(drawn(f"rrra(gamma={gamma})", pool), hidden).mean() for gamma in (0.0, 1.0, 3.0, 10.0)]
        softmax = of_drawn(drawn("rrra(selection=softmax(depth=100))", pool), hidden).mean()
        assert rates == sorted(rates, reverse=True)
        assert rates[0] > 2 * rates[1] > 8 * rates[-1]
        assert abs(rates[0] - softmax) < 0.05
