"""What false negatives cost, from trainings that were made up."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from negbench.evaluation.significance import estimate, holm, p_value
from negbench.repair import Repair
from negbench.repair.injected import Injected
from negbench.repair.relabelled import Relabelled
from negbench.repair.replaced import Replaced
from negbench.report import figures
from negbench.report.figures import repair as figure
from negbench.report.repair import ALL, Series, Trained, gains, loss, points
from negbench.report.repair_page import Summary

RATES: dict[Repair | None, float] = {
    None: 0.15,
    Replaced(): 0.0,
    Relabelled(): 0.0,
    Injected(rate=0.1): 0.1,
    Injected(rate=0.4): 0.38,
}
QUERIES = 50


def series(method: str = "bm25", fall: float = 0.3, seeds: int = 1, noise: float = 0.01, **axes: object) -> Series:
    """Values that fall by ``fall`` for a rate of 1, and noise; relabelling gives 0.05 more."""
    trained: dict[Repair | None, dict[int, Trained]] = {}
    for at, (variant, rate) in enumerate(RATES.items()):
        for seed in range(seeds):
            rng = np.random.default_rng([at, seed, len(method)])
            extra = 0.05 if isinstance(variant, Relabelled) else 0.0
            values = 0.5 - fall * rate + extra + noise * rng.standard_normal(QUERIES)
            trained.setdefault(variant, {})[seed] = Trained(values, rate, 1.0 + rate, rate / 2)
    return Series(method, dict(axes), trained)


def test_the_loss_is_the_fall_by_rate_and_leaves_out_what_differs_in_more() -> None:
    found = loss([series(noise=0.0, seeds=3)])
    assert (found.loss, found.low, found.high) == pytest.approx((0.3, 0.3, 0.3))
    assert (found.method, found.seeds, found.highest) == ("bm25", 3, 0.38)
    together = loss([series(noise=0.0), series("simans", fall=0.5, noise=0.0)])
    assert together.method == ALL
    assert together.loss == pytest.approx(0.4)


def test_a_loss_needs_seeds_that_have_every_variant() -> None:
    whole = series(seeds=2)
    trained = {variant: dict(seeds) for variant, seeds in whole.trained.items()}
    del trained[Replaced()][1]
    partial = Series("bm25", {}, trained)
    assert loss([partial]).seeds == 1
    assert loss([partial]).loss == loss([series(seeds=1)]).loss
    nothing = Series("bm25", {}, {None: whole.trained[None]})
    assert math.isnan(loss([nothing]).loss)


def test_gains_are_paired_tests_against_the_method_as_mined() -> None:
    both = [series(seeds=3), series("rank-band", fall=0.0, seeds=3)]
    found = gains(both, [loss([one]) for one in both], 0.01)
    assert [(gain.method, gain.variant) for gain in found] == [
        (method, variant) for method in ("bm25", "rank-band") for variant in ("replaced", "relabelled")
    ]
    raw = []
    for gain, variant in zip(found, [Replaced(), Relabelled()] * 2, strict=True):
        one = both[0] if gain.method == "bm25" else both[1]
        differences = [one.trained[variant][seed].values - one.trained[None][seed].values for seed in range(3)]
        change = estimate(np.stack(differences))
        assert (gain.low, gain.high) == pytest.approx((change.low, change.high))
        raw.append(p_value(change))
    assert [gain.p for gain in found] == pytest.approx(holm(raw))
    assert [gain.verdict for gain in found] == ["pays", "pays", "no difference", "pays"]
    assert found[0].expected == pytest.approx(0.15 * loss([both[0]]).loss)
    assert gains([series(fall=-0.3, seeds=3)], [loss([series(fall=-0.3)])], 0.01)[0].verdict == "harms"
    noisy = series(fall=0.0, noise=0.5, seeds=3)
    (one, *_) = gains([noisy], [loss([noisy])], 0.01)
    assert one.verdict == "undecided"
    clear = replace(one, p=0.08, same=False, low=0.01, high=0.2)
    assert clear.verdict == "undecided after correction"
    assert replace(clear, p=math.nan).verdict == "undecided"  # one seed: no test, no correction
    assert replace(clear, low=-0.2, high=-0.01).verdict == "undecided after correction"


def test_one_seed_decides_nothing() -> None:
    """Neither that a repair pays nor that it makes no difference, however sure the queries are."""
    both = [series(), series("rank-band", fall=0.0, noise=0.0001)]
    found = gains(both, [loss([one]) for one in both], 0.01)
    assert [gain.verdict for gain in found] == ["undecided"] * 4
    assert all(math.isnan(value) for gain in found for value in (gain.p, gain.detectable))
    said = Summary.of("made", "nDCG@10", 0.01, both).findings()
    assert sum("with one seed this is not tested" in sentence for sentence in said) == 3
    assert not any(word in sentence for sentence in said for word in ("nan", "power", "lost at"))


def test_points_stand_beside_the_clean_one() -> None:
    found = {point.variant: point for point in points(series(seeds=2))}
    assert set(found) == {"as mined", "replaced", "relabelled", "injected 10 %", "injected 40 %"}
    assert found["replaced"].change == found["replaced"].low == found["replaced"].high == 0
    worst = found["injected 40 %"]
    assert worst.change == pytest.approx(-0.3 * 0.38, abs=0.005)
    assert worst.low < worst.change < worst.high
    assert (worst.rate, worst.hardness, worst.filled, worst.seeds) == pytest.approx((0.38, 1.38, 0.19, 2))


def test_the_page_says_what_a_point_costs_and_when_a_repair_pays() -> None:
    some = [
        series(seeds=3, noise=0.001, start="weak"),
        series("rank-band", fall=0.0, seeds=3, start="weak"),
        series(fall=0.01, seeds=3, start="strong"),
    ]
    summary = Summary.of("made", "nDCG@10", 0.01, some)
    text = summary.markdown()
    assert "bm25, start=weak: a percentage point of false negatives costs 0.300" in text
    assert "1 point is lost at 3 %" in text
    assert "a cost is undecided" in text
    assert f"{ALL}, start=weak" in text
    assert f"{ALL}, start=strong" not in text  # one method alone
    assert "| bm25 | weak | replaced | 15.00 | +4." in text
    data = json.loads(json.dumps(summary.data()))
    assert [one["method"] for one in data["losses"]] == ["bm25", "rank-band", "bm25", ALL]
    assert {one["verdict"] for one in data["gains"]} <= {"pays", "no difference", "undecided"}
    assert len(data["points"]) == 3 * len(RATES)


def test_nothing_finished_is_an_empty_page() -> None:
    assert Summary.of("made", "nDCG@10", 0.01, []).markdown().startswith("# made: what false negatives cost")


def test_the_figure_has_a_line_a_sampler_and_what_differs_in_more_apart() -> None:
    drawn = [point for one in (series(start="weak"), series("simans", start="strong")) for point in points(one)]
    made = figure.draw(drawn, "nDCG@10")
    assert [axes.get_title(loc="left") for axes in made.axes] == ["start=weak", "start=strong"]
    lines = [line for line in made.axes[0].lines if len(np.atleast_1d(line.get_xdata())) == 3]
    assert {tuple(round(float(x), 6) for x in line.get_xdata()) for line in lines} >= {(0.0, 10.0, 38.0)}
    names = [text.get_text() for text in made.legends[0].get_texts()]
    assert names == ["bm25", "as mined (hollow)", "relabelled (hollow)", "simans"]
    assert figures.svg(made) == figures.svg(figure.draw(drawn, "nDCG@10"))
