"""What papers claim of their samplers, filters and label rules mechanically, on planted pools."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pools import candidate_pool, feature_of, mined, with_features
from scipy.stats import chisquare

from negbench import mining
from negbench.losses import ScoredBatch
from negbench.losses.multi_label_hinge import MultiLabelHinge
from negbench.methods import Method, resolve
from negbench.mining import Rules
from negbench.rng import CounterRNG
from negbench.samplers.rance import Rance
from negbench.types import Bool, CandidatePool, Negatives

QUERIES, DEPTH = 400, 200


def planted(seed: int = 0) -> tuple[CandidatePool, Bool]:
    """A pool whose head is dense in relevant documents that nobody labelled; and which these are [Q, K].

    Relevant candidates score 0.75 on average, others 0.55; so does the teacher, with less noise.
    """
    rng = np.random.default_rng(seed)
    hidden = rng.random((QUERIES, DEPTH)) < 0.04
    scores = np.where(hidden, 0.75, 0.55) + 0.07 * rng.standard_normal((QUERIES, DEPTH))
    order = np.argsort(-scores, axis=1)
    scores, hidden = np.take_along_axis(scores, order, 1), np.take_along_axis(hidden, order, 1)
    teacher = np.clip(np.where(hidden, 0.85, 0.15) + 0.2 * rng.standard_normal(hidden.shape), 0, 1)
    documents = np.arange(QUERIES * DEPTH, dtype=np.int32).reshape(QUERIES, DEPTH)
    positives = np.arange(QUERIES, dtype=np.int32)[:, None] + QUERIES * DEPTH
    pool = candidate_pool(
        scores,
        positives=positives,
        positive_scores=0.78 + 0.05 * rng.standard_normal((QUERIES, 1)),
        teacher_scores=teacher,
        positive_teacher_scores=np.full((QUERIES, 1), 0.9),
        groups=documents,
        positive_groups=positives,
        similarity=scores + 0.1 * rng.standard_normal(scores.shape),
        judged=hidden.mean(axis=0),
    )
    return pool, hidden


def drawn(method: Method | str, pool: CandidatePool, k: int = 4) -> Negatives:
    method = resolve(method) if isinstance(method, str) else method
    assert method.selection is not None
    rules = Rules(method.selection, method.filters, method.labels, method.fill)
    nobody = np.full(len(pool.queries), -1, np.int32)
    return mining.mine(pool, rules, k, 0, nobody, QUERIES * (DEPTH + 1))


def rate(found: Negatives, hidden: Bool) -> float:
    """The share of hidden positives among what was drawn from the pool."""
    rows, slots = np.nonzero(found.ranks >= 0)
    return float(hidden[rows, found.ranks[rows, slots]].mean())


class TestPositiveAware:
    """NV-Retriever: Naive > Shifted, Abs > MarginPos, PercPos in false negatives; stricter rules keep less."""

    def test_the_order_of_false_negative_rates(self) -> None:
        pool, hidden = planted()
        rates = {name: rate(drawn(name, pool), hidden) for name in ("naive", "shifted", "abs", "margin", "percent")}
        assert rates["naive"] > max(rates["shifted"], rates["abs"])
        assert min(rates["shifted"], rates["abs"]) > 0
        assert max(rates["margin"], rates["percent"]) < rates["naive"] / 2

    @pytest.mark.parametrize(
        ("spelled", "values"),
        [
            ("margin(filters.margin.margin={})", [0.0, 0.02, 0.05, 0.1, 0.3]),
            ("percent(filters.margin.margin={})", [0.0, 0.02, 0.05, 0.1, 0.3]),
            ("abs(cap={})", [0.9, 0.8, 0.7, 0.6, 0.4]),
            ("arctic(cap={})", [0.9, 0.8, 0.7, 0.6, 0.4]),
            ("cross-encoder-filter(threshold={})", [0.9, 0.7, 0.5, 0.2, 0.05]),
        ],
    )
    def test_what_is_kept_falls_with_the_threshold(self, spelled: str, values: list[float]) -> None:
        pool, _ = planted()
        kept = []
        for value in values:
            (rule,) = resolve(spelled.format(value)).filters
            kept.append(int((~rule.reject(pool)).sum()))
        assert kept == sorted(kept, reverse=True)
        assert kept[0] > kept[-1]


class TestBands:
    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [
            ("rank-band", 10, 110),
            ("rank-band-released", 0, 10),
            ("bge-band", 10, 200),
            ("bge-band-readme", 2, 200),
            ("sfr", 30, 100),
        ],
    )
    def test_the_window_of_ranks_is_kept_and_used(self, name: str, low: int, high: int) -> None:
        pool, _ = planted()
        ranks = drawn(name, pool, 8).ranks
        assert ranks[ranks >= 0].min() == low
        assert high - 3 <= ranks.max() < high

    def test_the_released_bug_brings_false_negatives(self) -> None:
        pool, hidden = planted()
        assert rate(drawn("rank-band-released", pool), hidden) > 2 * rate(drawn("rank-band", pool), hidden)

    def test_a_hard_band_and_semi_hard_negatives_keep_to_their_gaps(self) -> None:
        pool, _ = planted()
        for name, low, high in (("hard-band", -0.1, 0.1), ("semi-hard", -0.1, 0.0)):
            found = drawn(name, pool)
            gaps = (found.scores - pool.positive_scores)[found.ranks >= 0]
            assert low - 1e-6 <= gaps.min() < low + 0.03
            assert high - 0.03 < gaps.max() <= high + 1e-6


class TestTriSampler:
    def test_both_constraints_hold(self) -> None:
        pool, _ = planted()
        found = drawn("trisampler(angle=10)", pool)
        rows, slots = np.nonzero(found.ranks >= 0)
        ranks = found.ranks[rows, slots]
        scores = pool.scores[rows, ranks]
        turn = np.degrees(np.abs(np.arccos(pool.positive_scores[rows, 0]) - np.arccos(scores)))
        assert turn.max() <= 10.01
        assert (feature_of(pool, "similarity")[rows, ranks] > scores).all()
        assert len(rows) > QUERIES  # and there is something to hold it

    def test_what_is_nearer_to_the_positive_comes_more_often(self) -> None:
        pool, _ = planted()
        found = drawn("trisampler", pool, 1)
        rows = np.flatnonzero(found.ranks[:, 0] >= 0)
        ranks = found.ranks[rows, 0]
        nearer = feature_of(pool, "similarity") - pool.scores
        allowed = np.where(nearer > 0, nearer, np.nan)
        assert nearer[rows, ranks].mean() > 1.3 * np.nanmean(allowed[rows])


class TestRance:
    """The distribution over ranks comes back from a planted curve of relevance by rank."""

    def test_the_head_is_avoided_where_it_is_dense_in_relevant_documents(self) -> None:
        pool, hidden = planted()
        sampler = Rance(depth=DEPTH)
        share = sampler.distribution(hidden.mean(axis=0))
        assert share.sum() == pytest.approx(1)
        assert (share >= 0).all()
        dense = Rance(depth=DEPTH).distribution(np.where(np.arange(DEPTH) < 30, 0.95, 0.0))
        clean = Rance(depth=DEPTH).distribution(np.zeros(DEPTH))
        assert dense[:20].sum() < clean[:20].sum() / 2
        assert rate(drawn("rance", pool), hidden) < rate(drawn("naive", pool), hidden)

    def test_the_gain_is_the_paper_s(self) -> None:
        """Against a plain reading of the formula, smoothing and fit by loops and normal equations."""
        judged = np.clip(0.8 * np.exp(-np.arange(60) / 10), 0, 1)
        gain = [(1 - judged[r]) / np.log(r + 2) for r in range(60)]
        smooth = [float(np.mean(gain[max(0, r - 4) : r + 5])) for r in range(60)]
        x = (np.arange(60) - 29.5) / 29.5  # any scale gives the same fit
        table = np.stack([x**power for power in range(5)], axis=1)
        fitted = table @ np.linalg.solve(table.T @ table, table.T @ np.array(smooth))
        weight = np.maximum(fitted - min(smooth), 0)
        np.testing.assert_allclose(Rance().distribution(judged), weight / weight.sum(), atol=1e-9)

    def test_ranks_are_drawn_by_it(self) -> None:
        pool, _ = planted()
        pool = with_features(pool, judged=np.where(np.arange(DEPTH) < 20, 0.9, 0.1))
        share = Rance(depth=DEPTH).distribution(feature_of(pool, "judged"))
        rounds = [Rance(depth=DEPTH).draw(pool, 1, CounterRNG(seed, "r")).positions[:, 0] for seed in range(25)]
        seen = np.bincount(np.concatenate(rounds), minlength=DEPTH)
        often = share * seen.sum() >= 5
        observed, expected = seen[often], share[often]
        assert chisquare(observed, expected / expected.sum() * observed.sum()).pvalue > 1e-3


class TestTeachers:
    def test_denoising_leaves_few_hidden_positives(self) -> None:
        pool, hidden = planted()
        plain = rate(drawn("naive(depth=50)", pool), hidden)
        kept = rate(drawn("rocketqa", pool), hidden)
        assert plain > 0.3
        assert kept < plain / 10
        assert rate(drawn("teacher-hardest", pool), hidden) > plain  # the opposite of denoising

    def test_promoted_candidates_are_hidden_positives_and_never_negatives(self) -> None:
        pool, hidden = planted()
        found = drawn("rocketqa", pool)
        rows, slots = np.nonzero(found.promoted >= 0)
        documents = found.promoted[rows, slots]
        assert hidden.ravel()[documents].mean() > 0.9
        assert not (found.documents[:, :, None] == found.promoted[:, None, :]).any()
        assert (feature_of(pool, "teacher_scores").ravel()[documents] > 0.9).all()

    def test_a_band_is_a_band(self) -> None:
        pool, _ = planted()
        found = drawn("teacher-band", pool)
        rows, slots = np.nonzero(found.ranks >= 0)
        scores = feature_of(pool, "teacher_scores")[rows, found.ranks[rows, slots]]
        assert 0.3 <= scores.min() < 0.35
        assert 0.65 < scores.max() <= 0.7

    def test_a_shortfall_is_filled_unchecked_below_the_checked_ranks(self) -> None:
        """RocketQA's code takes ranks past 50 without asking; the corpus is what others fill from."""
        pool, _ = planted()
        pool = with_features(pool, teacher_scores=np.ones_like(pool.scores))
        found = drawn("rocketqa(fill=unchecked, labels=[])", pool)
        assert (found.origins == 1).all()
        assert (found.documents % DEPTH >= 50).all()
        assert (found.documents // DEPTH == np.arange(QUERIES)[:, None]).all()
        from_corpus = drawn("rocketqa(labels=[])", pool).documents
        assert (from_corpus // DEPTH != np.arange(QUERIES)[:, None]).mean() > 0.9

    def test_each_query_keeps_half_where_each_has_its_threshold(self) -> None:
        pool, _ = planted()
        pool = with_features(pool, teacher_scores=(pool.scores + np.arange(QUERIES)[:, None]).astype(np.float32))
        (rule,) = resolve("query-threshold").filters
        assert set((~rule.reject(pool)).sum(axis=1).tolist()) <= {25, 26}
        (one_for_all,) = resolve("denoised(unit=quantile, threshold=0.5)").filters
        kept = (~one_for_all.reject(pool)).sum(axis=1)
        assert (kept == 0).mean() == pytest.approx(0.5, abs=0.01)  # half of the queries lose all

    def test_flags_of_a_judge_hold_hidden_positives_far_above_chance(self) -> None:
        pool, hidden = planted()
        kept, relabelled = drawn("rlhn-remove", pool), drawn("rlhn-relabel", pool)
        assert rate(kept, hidden) < rate(drawn("naive", pool), hidden) / 5
        promoted = relabelled.promoted[relabelled.promoted >= 0]
        flagged, chance = hidden.ravel()[promoted].mean(), hidden[:, :25].mean()
        assert flagged / (1 - flagged) > 10 * chance / (1 - chance)

    def test_an_instance_is_struck_where_a_candidate_is_flagged(self) -> None:
        pool, _ = planted()
        scores = np.where(np.arange(QUERIES)[:, None] % 2, feature_of(pool, "teacher_scores"), 0.0).astype(np.float32)
        found = drawn("rlhn-remove-instance", with_features(pool, teacher_scores=scores))
        assert ((found.positive_weights == 0)[:, 0] == (scores[:, :25] >= 0.5).any(axis=1)).all()
        assert 0 < (found.positive_weights == 0).mean() < 1


class TestTasBalanced:
    def test_margins_are_flat_over_a_query_s_occupied_bins(self) -> None:
        pool, _ = planted()
        skewed = np.sort(np.random.default_rng(0).beta(0.5, 4, (1, DEPTH))).astype(np.float32)
        single = with_features(pool.of_queries(np.arange(1)), teacher_scores=skewed)
        sampler = resolve("tas-balanced(depth=200)").selection
        assert sampler is not None
        place = np.minimum(((skewed[0] - skewed.min()) / np.ptp(skewed) * 10).astype(int), 9)
        draws = [int(sampler.draw(single, 1, CounterRNG(seed, "tas")).positions[0, 0]) for seed in range(4000)]
        seen = np.bincount(place[draws], minlength=10)
        occupied = np.bincount(place, minlength=10) > 0
        assert occupied.sum() >= 6
        assert chisquare(seen[occupied]).pvalue > 1e-3


class TestSieve:
    def test_it_drops_planted_positives_above_chance(self) -> None:
        pool, hidden = planted()
        (rule,) = resolve("passage-sieve").filters
        out = rule.reject(pool)[:, :30]
        assert out[hidden[:, :30]].mean() > 1.5 * out[~hidden[:, :30]].mean()
        for row in range(20):
            passages = np.append(pool.scores[row, :30], pool.positive_scores[row]).astype(np.float64)
            np.testing.assert_array_equal(~out[row], pool.scores[row, :30] <= passages.mean())

    def test_equal_scores_are_all_kept(self) -> None:
        pool, _ = planted()
        pool = replace(pool, scores=np.full_like(pool.scores, 0.1))
        (rule,) = resolve("passage-sieve").filters
        assert not rule.reject(pool)[:, :30].any()


class TestMixtures:
    def test_the_share_of_slots(self) -> None:
        pool, _ = planted()
        for rest in ("batch", "corpus"):
            found = drawn(f"mixture(share=0.3, rest={rest})", pool, 5)
            assert (found.ranks >= 0).mean() == pytest.approx(0.3, abs=0.03)
            assert (found.documents < 0).any() == (rest == "batch")
            assert (found.origins == 1).any() == (rest == "corpus")


class TestDuplicates:
    def test_a_copy_of_a_positive_is_promoted_and_no_text_is_drawn_twice(self) -> None:
        pool, _ = planted()
        groups = np.where(np.arange(DEPTH) % 10 == 0, pool.positives, pool.documents // 2).astype(np.int32)
        found = drawn("without-duplicates", with_features(pool, groups=groups), 8)
        assert (found.ranks % 10 != 0).all()
        assert (found.promoted >= 0).sum(axis=1).tolist() == [DEPTH // 10] * QUERIES
        drawn_groups = np.take_along_axis(groups, found.ranks, axis=1)
        assert all(len(set(row)) == len(row) for row in drawn_groups.tolist())


class TestRepBert:
    def test_torch_s_multi_label_margin_loss_agrees(self) -> None:
        generator = torch.Generator().manual_seed(0)
        scores = torch.rand(6, 9, generator=generator)
        relevant = torch.rand(6, 9, generator=generator) < 0.3
        relevant[:, 2] = True
        batch = ScoredBatch(
            scores=scores,
            positive_column=torch.full((6,), 2),
            known_mask=relevant,
            mined_mask=torch.zeros(6, 9, dtype=torch.bool),
        )
        labels = torch.full((6, 9), -1)
        for row in range(6):
            columns = torch.nonzero(relevant[row]).flatten()
            labels[row, : len(columns)] = columns
        wanted = torch.nn.functional.multilabel_margin_loss(scores, labels, reduction="none")
        pairs = relevant.sum(1) * (~relevant).sum(1)
        torch.testing.assert_close(MultiLabelHinge().rows(batch), wanted * 9 / pairs)

    def test_two_relevant_documents_do_not_push_each_other_away(self) -> None:
        scores = torch.tensor([[0.2, 0.9, 0.5]], requires_grad=True)
        relevant = torch.tensor([[True, True, False]])
        loss: Any = MultiLabelHinge().rows(
            ScoredBatch(
                scores=scores,
                positive_column=torch.tensor([0]),
                known_mask=relevant,
                mined_mask=torch.zeros_like(relevant),
            )
        )
        loss.sum().backward()
        assert scores.grad is not None
        assert (scores.grad[0, :2] < 0).all()
        assert scores.grad[0, 2] > 0


def test_training_begins_with_few_negatives_and_ends_with_all() -> None:
    from negbench.training.data import instances
    from negbench.training.recipe import Recipe
    from negbench.types import Collection, Qrels

    collection = Collection(
        name="c",
        document_ids=[f"d{n}" for n in range(9)],
        titles=[""] * 9,
        texts=["t"] * 9,
        query_ids=["q0", "q1"],
        queries=["a", "b"],
        qrels={"train": Qrels.of([(0, 0, 1), (1, 1, 1)])},
    )
    table = np.array([[2, 3, 4, 5], [5, 6, 7, 8]], np.int32)
    found = mined(table)
    data = instances(collection, "train", found, Recipe(epochs=3), growing=True)
    counts = (data.negatives >= 0).sum(axis=1).reshape(3, 2)
    assert counts.tolist() == [[2, 2], [3, 3], [4, 4]]
    assert (data.negatives[-2:] == table).all()
    assert (instances(collection, "train", found, Recipe(epochs=3)).negatives >= 0).all()
