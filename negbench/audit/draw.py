"""Which pairs of a frame people are asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.audit.frame import Frame
from negbench.errors import InputError
from negbench.evaluation.false_negatives import design
from negbench.types import Bool, Float64, Int32, Int64

CERTAIN = -1
"""The stratum of pairs that nobody need be asked about: the document is a known positive of the query."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """``strata`` int32 [N], ``CERTAIN`` for what is known, and ``probability`` float64 [N] to be drawn, 0 if not."""

    strata: Int32
    probability: Float64


def labels_needed(frame: Frame, method: int, half_width: float) -> int:
    """Return how many labels an interval of +- ``half_width`` (a share) needs for a method's rate, by a guess."""
    open_ = ~frame.labelled & (frame.weights[method] > 0)
    if not open_.any():
        return 0
    weights = frame.weights[method, open_]
    share = weights.sum() / frame.weights[method].sum()  # what is known for certain adds no width
    return design.labels_needed(_strata(frame, open_), weights, _chance(frame)[open_], half_width / share)


def draw(frame: Frame, labels: int | None, width: float | None, seed: int, judge: Float64 | None = None) -> Drawn:
    """Draw ``labels`` pairs, or with ``width`` as many as give every method an interval of +- that share.

    All methods count the same, however many rows they have. ``judge`` [N] scores steer where labels go, where there
    are any, and ranks where not; a pair without one (NaN) goes as the mean. Raises InputError where there is nothing
    to ask, or too few labels for the strata.
    """
    open_ = ~frame.labelled
    if not open_.any():
        raise InputError("every negative is a known positive of its query: there is nothing to ask people about")
    guess = _chance(frame) if judge is None else design.guessed(judge)
    strata, chance, keys = _strata(frame, open_), guess[open_], frame.keys()[open_]
    weights = frame.weights / frame.weights.sum(axis=1, keepdims=True)
    if width is None:
        assert labels is not None
        try:
            allocation = design.neyman(strata, weights.mean(axis=0)[open_], chance, labels)
        except InputError as error:
            raise InputError(f"--labels: {error}") from error
    else:
        asking = [mine for mine in weights if mine[open_].any()]
        each = [_wide_enough(strata, mine[open_], mine.sum(), chance, width) for mine in asking]
        allocation = np.maximum.reduce(each)
    all_strata: Int32 = np.full(len(frame), CERTAIN, np.int32)
    probability = np.zeros(len(frame))
    all_strata[open_] = strata
    probability[open_] = design.draw(strata, allocation, keys, seed)
    return Drawn(all_strata, probability)


def _wide_enough(strata: Int32, weights: Float64, total: float, chance: Float64, width: float) -> Int64:
    """Return how many labels of each stratum give one method's rate +- ``width``; ``total`` counts what is certain."""
    sizes = np.bincount(strata)
    elsewhere = np.bincount(strata, weights) == 0  # strata of other methods get their least all the same
    needed = design.labels_needed(strata, weights, chance, width * total / weights.sum())
    return design.neyman(strata, weights, chance, needed + int(np.minimum(sizes, design.LEAST)[elsewhere].sum()))


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
