"""Losses against their papers' formulas, summed one by one in float64."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, log1p

import numpy as np
import pytest
import torch
from made_batches import DOCUMENTS, ROWS, as_targets, made, slope, spelled, told

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import GuideTargets


def softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


def pair(scores: torch.Tensor) -> ScoredBatch:
    """One row with its positive and a mined negative, of ``scores`` [1, 2]."""
    known = torch.tensor([[True, False]])
    return ScoredBatch(scores=scores, positive_column=torch.tensor([0]), known_mask=known, mined_mask=~known)


class Plain:
    """A batch as Python numbers."""

    def __init__(self, batch: ScoredBatch) -> None:
        self.s = batch.scores.double().tolist()
        self.target = batch.positive_column.tolist()
        self.relevant = batch.known_mask.tolist()
        self.own = batch.mined_mask.tolist()
        self.beside = [] if batch.positive_similarity is None else batch.positive_similarity.double().tolist()
        self.told = told(batch).double().tolist() if batch.targets else []
        self.guide = batch.targets[GuideTargets].double().tolist() if batch.targets else []

    def mined(self, row: int) -> list[int]:
        return [d for d in range(DOCUMENTS) if self.own[row][d] and not self.relevant[row][d]]

    def negatives(self, row: int) -> list[int]:
        return [d for d in range(DOCUMENTS) if not self.relevant[row][d]]

    def gap(self, row: int, document: int) -> float:
        return float(self.s[row][document] - self.s[row][self.target[row]])

    def odds(self, row: int, document: int) -> float:
        p = self.told[row][document]
        return log(p / (1 - p))


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("t", [0.05, 1.0])
class TestPairs:
    def test_pairwise_nll_is_log_softmax_of_two(self, seed: int, t: float) -> None:
        batch = made(seed)
        it = Plain(batch)
        wanted = [mean([softplus(it.gap(row, d) / t) for d in it.mined(row)]) for row in range(ROWS)]
        found = spelled(f"pairwise-nll(temperature={t})")
        assert found.rows(batch).tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        grad = slope(found, batch)  # in closed form: the sigmoid of the gap
        for row in range(ROWS):
            for d in it.mined(row):
                pushed = 1 / (1 + exp(-it.gap(row, d) / t)) / t / len(it.mined(row))
                assert grad[row, d].item() == pytest.approx(pushed, rel=1e-3, abs=1e-6)
            assert grad[row].sum().item() == pytest.approx(0, abs=1e-4)

    def test_star_is_the_mean_over_all_pairs_of_the_batch(self, seed: int, t: float) -> None:
        batch, weights = made(seed), torch.tensor([1.0, 1, 0.25, 0, 1, 1])
        it, loss = Plain(batch), spelled(f"star(temperature={t})")
        pairs = [(row, softplus(it.gap(row, d) / t)) for row in range(ROWS) for d in it.negatives(row)]
        assert len(pairs) > 30
        assert loss.mean(batch, torch.ones(ROWS)).item() == pytest.approx(mean([value for _, value in pairs]), rel=1e-4)
        shares = [weights[row].item() for row, _ in pairs]
        wanted = sum(share * value for share, (_, value) in zip(shares, pairs, strict=True)) / sum(shares)
        assert loss.mean(batch, weights).item() == pytest.approx(wanted, rel=1e-4)
        assert (slope(loss, batch, weights)[3] == 0).all()

    def test_lambda_mrr_is_the_weighted_mean_over_pairs(self, seed: int, t: float) -> None:
        batch = made(seed)
        it = Plain(batch)
        for cut in (200, 3):
            for row, found in enumerate(spelled(f"lambda-mrr(temperature={t}, cut={cut})").rows(batch).tolist()):
                rank = {d: 1 + sum(other > it.s[row][d] for other in it.s[row]) for d in range(DOCUMENTS)}
                worth = {d: 1 / rank[d] if rank[d] <= cut else 0.0 for d in rank}
                pairs = [
                    abs(worth[i] - worth[j]) * softplus((it.s[row][j] - it.s[row][i]) / t)
                    for i in range(DOCUMENTS)
                    for j in it.negatives(row)
                    if it.relevant[row][i]
                ]
                assert found == pytest.approx(mean(pairs), rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
class TestHinges:
    def test_a_margin(self, seed: int) -> None:
        batch = made(seed)
        it = Plain(batch)
        wanted = [mean([max(0.0, 0.3 + it.gap(row, d)) for d in it.mined(row)]) for row in range(ROWS)]
        assert spelled("margin-hinge(margin=0.3)").rows(batch).tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        met = torch.tensor([[0.3 + it.gap(row, d) < 0 for d in range(DOCUMENTS)] for row in range(ROWS)])
        grad = slope(spelled("margin-hinge(margin=0.3)"), batch)
        assert met.any()
        met[torch.arange(ROWS), batch.positive_column] = False
        assert (grad[met] == 0).all()

    def test_every_positive_beats_every_negative(self, seed: int) -> None:
        """RepBERT's, with pairs that keep the margin: these ask nothing, and pay for no other."""
        batch = made(seed)
        it, wanted, kept = Plain(batch), [], 0
        for row in range(ROWS):
            positives = [d for d in range(DOCUMENTS) if it.relevant[row][d]]
            gaps = [it.s[row][p] - it.s[row][d] for p in positives for d in it.negatives(row)]
            kept += sum(gap > 0.3 for gap in gaps)
            wanted.append(mean([max(0.0, 0.3 - gap) for gap in gaps]))
        assert kept > 10
        found = spelled("multi-label-hinge(margin=0.3)").rows(batch).tolist()
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)

    def test_the_lexical_margin(self, seed: int) -> None:
        """RANCE's term: xi - lambda (BM25+ - BM25-); the plain margin where one of them is missing."""
        batch = made(seed)
        batch = replace(batch, targets=as_targets(told(batch) * 20))
        it = Plain(batch)

        def one(row: int, d: int) -> float:
            lexical = it.told[row][it.target[row]] - it.told[row][d]
            return max(0.0, 1.0 - 0.1 * (0.0 if np.isnan(lexical) else lexical) + it.gap(row, d))

        wanted = [mean([one(row, d) for d in it.mined(row)]) for row in range(ROWS)]
        found = spelled("margin-hinge(margin=1.0, lexical=0.1)")
        assert found.rows(batch).tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert found.rows(batch).tolist() != pytest.approx(spelled("margin-hinge(margin=1.0)").rows(batch).tolist())

    def test_a_margin_that_adapts(self, seed: int) -> None:
        """It lies between margin and margin (1 + growth), grows with the negative's score, and is no lever."""
        batch = made(seed)
        plain = spelled("margin-hinge(margin=0.1)").rows(batch)
        assert spelled("adaptive-margin(growth=0)").rows(batch).tolist() == pytest.approx(plain.tolist())
        loss, margins = spelled("adaptive-margin(margin=0.1, growth=2)"), []
        for negative in np.linspace(-0.8, 0.9, 12):
            scores = torch.tensor([[0.5, negative]], dtype=torch.float32)
            one = pair(scores)
            value, grad = loss.rows(one).item(), slope(loss, one)
            margins += [value + 0.5 - negative] if value else []
            assert grad.tolist() == ([[-1.0, 1.0]] if value else [[0.0, 0.0]])
        assert margins == sorted(margins)
        assert 0.1 < margins[0] < margins[-1] <= 0.3


@pytest.mark.parametrize("seed", range(5))
class TestTeachers:
    def test_margin_mse(self, seed: int) -> None:
        batch = made(seed)
        it, wanted = Plain(batch), []
        for row in range(ROWS):
            top = it.target[row]
            told = [d for d in it.mined(row) if not np.isnan(it.told[row][d]) and not np.isnan(it.told[row][top])]
            errors = [-it.gap(row, d) / 0.05 - (it.odds(row, top) - it.odds(row, d)) for d in told]
            wanted.append(mean([error**2 for error in errors]))
        assert sum(wanted) > 0
        assert spelled("margin-mse").rows(batch).tolist() == pytest.approx(wanted, rel=1e-3, abs=1e-5)

    def test_listwise_kl(self, seed: int) -> None:
        batch = made(seed)
        it, wanted = Plain(batch), []
        for row in range(ROWS):
            told = [d for d in (it.target[row], *it.mined(row)) if not np.isnan(it.told[row][d])]
            student = np.array([it.s[row][d] / 0.1 for d in told])
            teacher = np.exp([it.odds(row, d) / 2 for d in told])
            teacher /= teacher.sum()
            log_student = student - np.log(np.exp(student).sum()) if told else student
            wanted.append(float((teacher * (np.log(teacher) - log_student)).sum()))
        loss = spelled("listwise-kl(temperature=0.1, teacher_temperature=2.0)")
        assert loss.rows(batch).tolist() == pytest.approx(wanted, rel=1e-3, abs=1e-5)
        both = spelled("listwise-kl(temperature=0.1, teacher_temperature=2.0, contrastive=0.2)").rows(batch)
        assert both.tolist() == pytest.approx((loss.rows(batch) + 0.2 * InfoNCE(temperature=0.1).rows(batch)).tolist())

    @pytest.mark.parametrize("name", ["margin-mse", "listwise-kl"])
    def test_what_has_no_score_has_no_gradient(self, seed: int, name: str) -> None:
        batch = made(seed)
        grad = slope(spelled(name), batch)
        untold = told(batch).isnan()
        assert (grad[untold & (torch.arange(DOCUMENTS) != batch.positive_column[:, None])] == 0).all()
        assert (grad[batch.known_mask & (torch.arange(DOCUMENTS) != batch.positive_column[:, None])] == 0).all()
        assert (grad != 0).any()

    def test_a_guide_masks_what_it_prefers_to_the_positive(self, seed: int) -> None:
        batch = made(seed)
        for margin in (0.0, 0.2):
            it, loss = Plain(batch), spelled(f"gist(margin={margin})")
            grad, wanted = slope(loss, batch), []
            for row in range(ROWS):
                top = it.guide[row][it.target[row]]
                kept = [d for d in it.negatives(row) if not it.guide[row][d] > top - margin]
                logits = [it.s[row][d] / 0.05 for d in (it.target[row], *kept)]
                highest = max(logits)
                wanted.append(highest + log(sum(exp(x - highest) for x in logits)) - logits[0])
                masked = sorted({*range(DOCUMENTS)} - {it.target[row], *kept})
                assert (grad[row, masked] == 0).all()
            assert loss.rows(batch).tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
class TestDebiased:
    @pytest.mark.parametrize("t", [0.05, 0.5, 0.01])
    def test_without_a_prior_it_is_infonce(self, seed: int, t: float) -> None:
        batch, wanted = made(seed), InfoNCE(temperature=t)
        for name in ("debiased", "reweighted"):
            found = spelled(f"{name}(tau=0, temperature={t}{', beta=0' * (name == 'reweighted')})")
            torch.testing.assert_close(found.rows(batch), wanted.rows(batch), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(slope(found, batch), slope(wanted, batch), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize(("tau", "beta"), [(0.1, None), (0.4, None), (0.0, 1.0), (0.1, 0.5), (0.3, 0.0)])
    def test_the_formula(self, seed: int, tau: float, beta: float | None) -> None:
        """In the authors' own order of operations: exponentials first."""
        batch, t = made(seed), 0.5
        it, floored = Plain(batch), 0
        name = f"debiased(tau={tau}, temperature={t})"
        if beta is not None:
            name = f"reweighted(tau={tau}, beta={beta}, temperature={t})"
        for row, found in enumerate(spelled(name).rows(batch).tolist()):
            negative = np.exp([it.s[row][d] / t for d in it.negatives(row)])
            positive, count = exp(it.s[row][it.target[row]] / t), len(negative)
            mass = negative.sum()
            if beta is not None:
                weight = np.exp(beta * np.log(negative))
                mass = (weight * negative).sum() / weight.mean()
            left = (mass - tau * count * positive) / (1 - tau)
            floored += left < count * exp(-1 / t)
            left = max(left, count * exp(-1 / t))
            assert found == pytest.approx(-log(positive / (positive + left)), rel=1e-4)
        assert floored < ROWS

    def test_the_correction_is_unbiased_on_a_mixture(self, seed: int) -> None:
        """A share tau of the negatives scores as positives do: Ng / N is then, on average, that of the true ones."""
        random, tau, draws, count = np.random.default_rng(seed), 0.2, 4000, 200
        positive = random.uniform(0.2, 0.8, (draws, 1))
        false = random.random((draws, count)) < tau
        negatives = np.where(false, random.uniform(0.2, 0.8, (draws, count)), random.uniform(-0.6, 0.4, (draws, count)))
        scores = torch.from_numpy(np.concatenate([positive, negatives], axis=1))
        target, own = torch.zeros(draws, dtype=torch.int64), torch.zeros(scores.shape, dtype=torch.bool)
        relevant = own.clone()
        relevant[:, 0] = True
        batch = ScoredBatch(scores=scores, positive_column=target, known_mask=relevant, mined_mask=own)

        def mass(loss: Loss) -> float:
            ratio = loss.rows(batch).exp() - 1  # Ng / e^{s+}
            return float((ratio * scores[:, 0].exp()).mean()) / count

        true = exp(0.4) - exp(-0.6)  # the mean of e^s over [-0.6, 0.4]
        assert mass(spelled(f"debiased(tau={tau}, temperature=1.0)")) == pytest.approx(true, rel=0.01)
        assert mass(InfoNCE(temperature=1.0)) > 1.1 * true


@pytest.mark.parametrize("score", [0.64, 0.9])
def test_at_the_floor_negatives_are_not_pushed(score: float) -> None:
    """At 0.64 a little of the mass is left, less than the floor; at 0.9 none."""
    one = ScoredBatch(
        scores=torch.tensor([[score, 0.2]]),
        positive_column=torch.tensor([0]),
        known_mask=torch.tensor([[True, False]]),
        mined_mask=torch.tensor([[False, True]]),
    )
    loss = spelled("debiased(tau=0.4, temperature=0.5)")
    left = (exp(0.4) - 0.4 * exp(2 * score)) / 0.6
    assert left < exp(-2)
    assert (left > 0) == (score < 0.7)
    assert loss.rows(one).item() == pytest.approx(log1p(exp(-2) / exp(2 * score)))
    assert slope(loss, one)[0, 1] == 0
    assert slope(spelled("debiased(tau=0)"), one)[0, 1] > 0


def test_hard_negatives_are_pushed_more_than_without_weights() -> None:
    scores = torch.tensor([[0.5, 0.6, 0.0, -0.4]])
    one = ScoredBatch(
        scores=scores,
        positive_column=torch.tensor([0]),
        known_mask=torch.tensor([[True, False, False, False]]),
        mined_mask=torch.zeros(1, 4) > 0,
    )

    def share_of_hardest(beta: float) -> float:
        grad = slope(spelled(f"reweighted(beta={beta}, temperature=0.5)"), one)[0, 1:]
        return (grad[0] / grad.abs().sum()).item()

    assert all(share_of_hardest(beta) > share_of_hardest(0) + 0.1 for beta in (0.5, 1.0, 2.0))


@pytest.mark.parametrize("seed", range(5))
class TestConfidence:
    @pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 1.0])
    def test_the_formula_and_its_gradient(self, seed: int, beta: float) -> None:
        batch, t = made(seed), 0.2
        it, loss = Plain(batch), spelled(f"ccr(beta={beta}, temperature={t})")
        grad = slope(loss, batch)
        for row, found in enumerate(loss.rows(batch).tolist()):
            columns = [it.target[row], *it.negatives(row)]
            powers = np.exp([it.s[row][d] / t for d in columns])
            p = powers / powers.sum()
            assert found == pytest.approx(-log(p[0]) + beta * np.log(p).mean(), rel=1e-4)
            push = (1 - beta) * p + beta / len(p)
            push[0] -= 1
            assert grad[row, columns].tolist() == pytest.approx((push / t).tolist(), rel=1e-3, abs=1e-5)
        if beta == 0:
            torch.testing.assert_close(loss.rows(batch), InfoNCE(temperature=t).rows(batch))

    def test_entropy_falls_as_beta_rises(self, seed: int) -> None:
        """Twenty small steps from the same scores leave the softmax more certain, the larger beta is."""
        entropies = []
        for beta in (0.0, 0.25, 0.5, 1.0):
            batch = made(seed, masked=0)
            for _ in range(20):
                grad = slope(spelled(f"ccr(beta={beta}, temperature=1.0)"), batch)
                batch = replace(batch, scores=batch.scores - 0.5 * grad)
            p = batch.scores.softmax(1)
            entropies.append(-(p * p.log()).sum(1).mean().item())
        assert entropies == sorted(entropies, reverse=True)


class TestPassageCentric:
    @pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
    def test_the_formula(self, alpha: float) -> None:
        for seed in range(5):
            batch, t = made(seed), 0.1
            it = Plain(batch)
            whole = spelled(f"passage-centric(alpha={alpha}, temperature={t})").rows(batch).tolist()
            by_query = InfoNCE(temperature=t).rows(batch).tolist()
            for row in range(ROWS):
                top = it.target[row]
                others = [other for other in range(ROWS) if other != row and not it.relevant[other][top]]
                logits = [it.s[row][top], *[it.s[other][top] for other in others]]
                logits += [it.beside[row][d] for d in it.negatives(row)]
                powers = np.exp(np.array(logits) / t)
                passage = -log(powers[0] / powers.sum())
                assert whole[row] == pytest.approx((1 - alpha) * by_query[row] + alpha * passage, rel=1e-4)

    def test_positives_come_nearer_to_their_queries_than_to_negatives(self) -> None:
        """PAIR's claim, on free vectors: s(d+, q) > s(d+, d-) holds more often after training with its term."""

        def held(alpha: float) -> float:
            generator = torch.Generator().manual_seed(0)
            centre = torch.randn(1, 6, generator=generator)  # documents begin close together, queries far off
            documents = (centre + 0.3 * torch.randn(2 * ROWS, 6, generator=generator)).requires_grad_()
            queries = torch.randn(ROWS, 6, generator=generator).requires_grad_()
            relevant, own = torch.eye(ROWS, 2 * ROWS) > 0, torch.eye(ROWS, 2 * ROWS).roll(ROWS, 1) > 0
            optimizer = torch.optim.SGD([documents, queries], lr=0.3)
            for _ in range(40):
                q, d = (torch.nn.functional.normalize(it, dim=1) for it in (queries, documents))
                batch = ScoredBatch(
                    scores=q @ d.T,
                    positive_column=torch.arange(ROWS),
                    known_mask=relevant,
                    mined_mask=own,
                    positive_similarity=d[:ROWS] @ d.T,
                )
                optimizer.zero_grad()
                spelled(f"passage-centric(alpha={alpha}, temperature=0.2)").rows(batch).mean().backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            q, d = (torch.nn.functional.normalize(it, dim=1).detach() for it in (queries, documents))
            return (q @ d.T).diagonal()[:, None].gt((d[:ROWS] @ d.T)[~relevant].view(ROWS, -1)).float().mean().item()

        assert held(0.5) > held(0.0) + 0.05


def test_a_teacher_that_is_reversed_reverses_the_order() -> None:
    """MarginMSE asks no label: with the scores of positive and negative exchanged, the negative ends above."""
    for name in ("margin-mse", "listwise-kl"):
        for probabilities, sign in (([0.9, 0.2], 1), ([0.2, 0.9], -1)):
            scores = torch.zeros(1, 2)
            for _ in range(50):
                batch = replace(pair(scores), targets=as_targets(torch.tensor([probabilities])))
                scores = scores - 0.1 * slope(spelled(f"{name}(temperature=1.0)"), batch)
            assert sign * (scores[0, 0] - scores[0, 1]).item() > 0.5


@pytest.mark.parametrize("seed", range(3))
class TestAdditiveMargin:
    def test_it_is_infonce_of_a_positive_that_scores_lower_by_the_margin(self, seed: int) -> None:
        batch = made(seed)
        it = Plain(batch)
        for row, found in enumerate(spelled("additive-margin(margin=0.2, temperature=0.1)").rows(batch).tolist()):
            ahead = it.s[row][it.target[row]] - 0.2
            others = [exp((it.s[row][d] - ahead) / 0.1) for d in it.negatives(row)]
            assert found == pytest.approx(log1p(sum(others)), rel=1e-4)

    def test_without_a_margin_it_is_infonce(self, seed: int) -> None:
        batch = made(seed)
        plain = InfoNCE(temperature=0.05).rows(batch)
        torch.testing.assert_close(spelled("additive-margin(margin=0.0)").rows(batch), plain)
