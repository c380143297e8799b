"""Which pairs of a frame people are asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.audit.frame import Frame
from negbench.errors import InputError
from negbench.evaluation.false_negatives import design
from negbench.types import Bool, Float64, Int32

CERTAIN = -1
"""The stratum of pairs that nobody need be asked about: the document is a known positive of the query."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """``strata`` int32 [N], ``CERTAIN`` for what is known, and ``probability`` float64 [N] to be drawn, 0 if not.

    Pairs too heavy to be left to chance have a probability of 1 and a stratum of their own, the last.
    """

    strata: Int32
    probability: Float64


FEWEST = 3
"""Labels that can be asked for at least. If all three are no, the interval still reaches up to 63 %."""

FEWEST_PLANNED = 10
"""Labels that ``width`` asks for at least: its anticipated variance says little about fewer."""


def labels_needed(frame: Frame, method: int, half_width: float) -> int:
    """Return how many labels an interval of +- ``half_width`` (a share) needs for a method's rate, by a guess."""
    open_ = ~frame.labelled & (frame.weights[method] > 0)
    if not open_.any():
        return 0
    weights = frame.weights[method, open_] / frame.weights[method].sum()  # what is known for certain adds no width
    deviation = design.spread(_strata(frame, open_), _chance(frame)[open_])
    return design.labels_needed(weights * deviation, weights[None], deviation, half_width)


def draw(frame: Frame, labels: int | None, width: float | None, seed: int, judge: Float64 | None = None) -> Drawn:
    """Draw ``labels`` pairs, or with ``width`` as many as give every method an interval of +- that share.

    Raises InputError where there is nothing to ask, or fewer than ``FEWEST`` labels.
    """
    chances = probabilities(frame, labels, width, judge)
    drawn = design.draw(chances.probability, chances.strata, frame.keys(), seed)
    return Drawn(chances.strata, drawn)


def probabilities(frame: Frame, labels: int | None, width: float | None, judge: Float64 | None = None) -> Drawn:
    """Return every pair's stratum and probability to be drawn, 0 for what is known; arguments as of ``draw``.

    All methods count the same, however many rows they have: a pair's size is the root of the summed squares of its
    shares of their weights, which makes the sum of the methods' variances least. ``judge`` [N] scores steer where
    labels go, where there are any, and ranks where not; a pair without one (NaN) goes as the mean.
    """
    open_ = ~frame.labelled
    if not open_.any():
        raise InputError("every negative is a known positive of its query: there is nothing to ask people about")
    if labels is not None and labels < FEWEST:
        raise InputError(f"--labels: {labels} labels are too few: ask for {FEWEST} or more")
    strata = _strata(frame, open_)
    deviation = design.spread(strata, (_chance(frame) if judge is None else design.guessed(judge))[open_])
    weights = (frame.weights / frame.weights.sum(axis=1, keepdims=True))[:, open_]
    size = np.sqrt((weights**2).sum(axis=0)) * deviation
    if width is not None:
        labels = max(FEWEST_PLANNED, design.labels_needed(size, weights, deviation, width))
    assert labels is not None
    chosen = design.probabilities(size, labels)
    all_strata: Int32 = np.full(len(frame), CERTAIN, np.int32)
    probability = np.zeros(len(frame))
    all_strata[open_] = np.where(chosen < 1, strata, strata.max() + 1)
    probability[open_] = chosen
    return Drawn(all_strata, probability)


def _first(frame: Frame) -> Int32:
    """Return for each pair [N] the first method that drew it: a pair has one place among the strata."""
    first: Int32 = (frame.weights > 0).argmax(axis=0).astype(np.int32)
    return first


def _strata(frame: Frame, among: Bool) -> Int32:
    first = _first(frame)
    return design.strata(first[among], frame.ranks[first, np.arange(len(frame))][among])


def _chance(frame: Frame) -> Float64:
    """Guess each pair's chance [N] to be relevant: 30 % at the top of a ranking, half that at every fourfold rank.

    It is 10 % where the rank is unknown. A guess steers where labels go, and no more.
    """
    ranks = frame.ranks[_first(frame), np.arange(len(frame))].astype(np.float64)
    return np.where(ranks < 0, 0.1, 0.3 / np.sqrt(np.maximum(ranks, 0) + 1))
