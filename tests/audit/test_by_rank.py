"""The share of relevant documents by rank, from answers, against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_answers import by
from made_population import frame, relevant

from negbench.auditing import draw, rank_figure, sheet
from negbench.auditing.answers import Answers
from negbench.auditing.estimate import Estimate, estimate
from negbench.auditing.population import Population
from negbench.types import Bool


def answered(made: sheet.Sheet, truth: Bool) -> Answers:
    return by({item: "yes" if truth[pair] else "no" for item, pair in enumerate(made.items.tolist(), 1)})


def audit(folder: Path, whole: Population, labels: int, seed: int = 0) -> Estimate:
    made = sheet.write(folder / str(seed), whole, draw.draw(whole, labels, None, seed), seed)
    found = estimate(made, answered(made, relevant(whole)))
    assert found is not None
    return found


def at_ranks(whole: Population, method: int, first: int, last: int) -> Bool:
    return np.asarray(
        (whole.ranks[method] + 1 >= first) & (whole.ranks[method] + 1 <= last) & (whole.weights[method] > 0)
    )


def test_all_labelled_it_is_the_share_counted_by_hand(tmp_path: Path) -> None:
    whole = frame(queries=8, methods=2)
    found = audit(tmp_path, whole, labels=1000).by_rank
    assert [(one.method, one.ranks) for one in found] == [
        ("m0", "1-4"),
        ("m0", "5-16"),
        ("m1", "1-4"),
        ("m1", "5-16"),
        ("m1", "17-64"),
    ]
    truth = relevant(whole)
    for one in found:
        first, last = map(int, one.ranks.split("-"))
        method = whole.methods.index(one.method)
        inside = at_ranks(whole, method, first, last)
        assert one.labels == inside.sum()
        assert one.rate.rate == one.rate.low == one.rate.high == pytest.approx(truth[inside].mean())
        assert one.share == pytest.approx(inside.sum() / (whole.weights[method] > 0).sum())


def test_the_interval_covers_the_share(tmp_path: Path) -> None:
    whole, covered = frame(), []
    truth = relevant(whole)
    for seed in range(20):
        for one in audit(tmp_path, whole, labels=150, seed=seed).by_rank:
            first, last = map(int, one.ranks.split("-"))
            covered.append(one.rate.low <= truth[at_ranks(whole, 0, first, last)].mean() <= one.rate.high)
            assert one.rate.high - one.rate.low < 0.5
    assert np.mean(covered) >= 0.9


def test_a_stored_sheet_keeps_the_ranks(tmp_path: Path) -> None:
    whole = frame(methods=2)
    made = sheet.write(tmp_path / "sheet", whole, draw.draw(whole, 50, None, 0), 0)
    read = sheet.load(tmp_path / "sheet")
    assert read.ranks is not None
    np.testing.assert_array_equal(read.ranks, whole.ranks)
    said = answered(made, relevant(whole))
    ours, theirs = (estimate(one, said) for one in (made, read))
    assert ours is not None
    assert theirs is not None
    assert ours.by_rank == theirs.by_rank


def test_the_figure_is_the_same_each_time(tmp_path: Path) -> None:
    found = audit(tmp_path, frame(methods=2), labels=100).by_rank
    first = [path.read_bytes() for path in rank_figure.write(tmp_path, found)]
    again = [path.read_bytes() for path in rank_figure.write(tmp_path, found)]
    assert first == again
    text = first[0].decode()
    assert text.startswith("<svg")
    assert all(name in text for name in ("m0", "m1", "1–4", "17–64"))
    assert rank_figure.write(tmp_path, []) == []
