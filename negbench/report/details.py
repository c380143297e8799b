"""Shares beside the false-negative rate: where false negatives lie, what filters find, where the gradient goes."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from negbench.evaluation.shares import Share
from negbench.plan import details
from negbench.plan.trials import Trial
from negbench.store import Store


@dataclass(frozen=True)
class Detail:
    """A share of one method at one point of the axes: ``name`` of ``group``, as in ``1-4`` of ``rank``.

    ``rate``, ``low`` and ``high`` are the share with its 95 % interval, seeds pooled query by query, None where there
    is nothing to divide by. ``beside`` is what it is held against: the share of all negatives that lie in a bin of
    ``rank``, ``gap`` or ``epoch``; for ``precision`` the share of relevant candidates before the filter, for ``recall``
    the share of all that it throws out; for ``gradient`` the share of false negatives in number; for
    ``detector-precision`` the share of mismatched rows, for ``detector-recall`` the share of all rows that is flagged.
    """

    method: str
    axes: dict[str, Any]
    group: str
    name: str
    rate: float | None
    low: float | None
    high: float | None
    beside: float


def read(trial: Trial, store: Store) -> dict[str, dict[str, Share]]:
    """Return what the stages of a finished trial found, by group and name."""
    found: dict[str, dict[str, Share]] = {}
    for stage in trial.details:
        found |= details.read(store.path(stage))
    return found


def plain(found: Mapping[str, Mapping[str, Share]]) -> dict[str, Any]:
    """Return one trial's shares as plain data, with their intervals."""
    return {group: {name: _told(share) for name, share in shares.items()} for group, shares in found.items()}


def pooled(
    records: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, Mapping[str, Share]]]
) -> list[Detail]:
    """Return every share of every method, over its finished seeds; ``found`` is by the trial's name.

    A query is a cluster whatever the seed, and its hits and totals are averaged, as for the rate itself. A seed that
    has nothing in a bin counts as nothing.
    """
    methods: dict[tuple[str, str], list[Mapping[str, Mapping[str, Share]]]] = {}
    for record in records:
        if found.get(record["name"]):
            methods.setdefault((json.dumps(record["axes"]), record["spelling"]), []).append(found[record["name"]])
    made = []
    for (axes, method), seeds in methods.items():
        for group in dict.fromkeys(group for seed in seeds for group in seed):
            for name in _in_order(seeds, group):
                shares = [seed[group][name] for seed in seeds if name in seed.get(group, {})]
                clusters = np.sum([share.clusters for share in shares], axis=0) / len(seeds)
                share = Share(clusters, sum(share.beside for share in shares) / len(seeds))
                made.append(Detail(method, json.loads(axes), group, name, **_told(share)))
    return made


def _in_order(seeds: Sequence[Mapping[str, Mapping[str, Share]]], group: str) -> list[str]:
    """Return the names in ``group``, those of the longest seed first: a bin may be empty in some."""
    longest = sorted(seeds, key=lambda seed: -len(seed.get(group, {})))
    return list(dict.fromkeys(name for seed in longest for name in seed.get(group, {})))


def _told(share: Share) -> dict[str, Any]:
    ends = [None if math.isnan(end) else end for end in share.interval()]
    return {**dict(zip(("rate", "low", "high"), ends, strict=True)), "beside": share.beside}


def to_csv(found: Sequence[Detail]) -> str:
    """Return a line a share, unrounded, with a column an axis."""
    axes = list(dict.fromkeys(key for detail in found for key in detail.axes))
    figures = [field.name for field in fields(Detail) if field.name not in ("method", "axes")]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", *axes, *figures])
    for one in found:
        at_point = [one.axes.get(key, "") for key in axes]
        writer.writerow([one.method, *at_point, *[getattr(one, name) for name in figures]])
    return out.getvalue()


def tables(found: Sequence[Detail]) -> list[dict[str, Any]]:
    """Return what filters and detectors find and where the gradient goes, each with title, note, heading and body."""
    return [table for table in (_denoising(found), _detection(found), _gradient(found)) if table["body"]]


def _denoising(found: Sequence[Detail]) -> dict[str, Any]:
    return {
        "title": "What filters find",
        "note": "Of the unlabelled candidates that a filter could look at: how many it threw out; how many were "
        "relevant before, which is what throwing out by chance would hit; of those thrown out, the share that is "
        "relevant (precision); of the relevant, the share that is thrown out (recall). 95 % intervals over queries.",
        "heading": ["method", *_axes(found), "filter", "thrown out %", "relevant before %", *FOUND],
        "body": _precision_and_recall(found, "precision", "recall"),
    }


def _detection(found: Sequence[Detail]) -> dict[str, Any]:
    return {
        "title": "What detectors find",
        "note": "Of the rows of an epoch: how many a detector took for mismatched (flagged); how many are, which is "
        "what flagging by chance would hit; of those flagged, the share that is mismatched (precision); of the "
        "mismatched, the share that is flagged (recall). 95 % intervals over queries.",
        "heading": ["method", *_axes(found), "epoch", "flagged %", "mismatched %", *FOUND],
        "body": _precision_and_recall(found, "detector-precision", "detector-recall"),
    }


FOUND = ("precision % [95 %]", "recall % [95 %]")


def _precision_and_recall(found: Sequence[Detail], precision: str, recall: str) -> list[list[str]]:
    """Return a line for each share of group ``precision``, with the one of ``recall`` that belongs to it."""
    by_name = {(it.method, json.dumps(it.axes), it.group, it.name): it for it in found}
    body = []
    for one in found:
        if one.group == precision:
            other = by_name[one.method, json.dumps(one.axes), recall, one.name]
            shares = percent(other.beside), percent(one.beside), interval(one), interval(other)
            body.append([one.method, *_point(one), one.name, *shares])
    return body


def _gradient(found: Sequence[Detail]) -> dict[str, Any]:
    methods: dict[tuple[str, str], dict[str, Detail]] = {}
    for one in found:
        if one.group == "gradient":
            methods.setdefault((one.method, json.dumps(one.axes)), {})[one.name] = one
    body = []
    for (method, _), shares in methods.items():
        line = [method, *_point(next(iter(shares.values())))]
        for kind in ("mined", "in-batch"):
            start, trained = (shares.get(f"{kind}, {encoder}") for encoder in ("start", "trained"))
            line += [percent(start.beside) if start else "", *(interval(it) if it else "" for it in (start, trained))]
        body.append(line)
    told = ("in number %", "of the gradient %, start", "of the gradient %, trained")
    columns = [f"{kind}: {what}" for kind in ("mined", "in-batch") for what in told]
    return {
        "title": "Where the gradient goes",
        "note": "The share of false ones among the negatives in number, and their share of the gradient: of the "
        "absolute derivative of the method's loss by the scores of negatives, summed over all batches, with the "
        "vectors of the encoder before training (start) and after (trained). 95 % intervals over queries.",
        "heading": ["method", *_axes(found), *columns],
        "body": body,
    }


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.1f}"


def interval(one: Detail) -> str:
    """Return a share in percent with its interval, empty where it is not known."""
    if one.rate is None or one.low is None or one.high is None:
        return ""
    return f"{percent(one.rate)} [{percent(one.low)}, {percent(one.high)}]"


def _axes(found: Sequence[Detail]) -> list[str]:
    return list(dict.fromkeys(key for one in found for key in one.axes))


def _point(one: Detail) -> list[str]:
    return [str(value) for value in one.axes.values()]
