"""Breakdowns of the negatives: by rank, gap and epoch; filters, added positives, detectors, and the loss gradient."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from negbench.escaping import csv_table
from negbench.evaluation.shares import Share
from negbench.plan.trials import Trial
from negbench.stages.evaluation import breakdown_files
from negbench.store import Store


@dataclass(frozen=True, kw_only=True)
class Detail:
    """A share of one method at one point of the axes: entry ``name`` of ``group``, such as ``1-4`` of ``rank``.

    ``rate``, ``low`` and ``high`` are the share with its 95 % interval, seeds pooled query by query; None if the
    denominator is 0. ``reference`` is the share to compare it with: for ``rank``, ``gap`` and ``epoch`` the share of
    all negatives that lie in the bin; for ``precision`` the share of relevant candidates before the filter, for
    ``recall`` the share of candidates that it rejects; for ``added-precision`` the share of relevant candidates, for
    ``added-recall`` the share of candidates that become positives; for ``gradient`` the share of false negatives by
    count; for ``detector-precision`` the share of mismatched rows, for ``detector-recall`` the share of flagged rows.
    """

    method: str
    axes: dict[str, Any]
    group: str
    name: str
    rate: float | None
    low: float | None
    high: float | None
    reference: float

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Detail:
        """Return the share that a results.json holds; older ones write ``beside`` for ``reference``."""
        return cls(**{"reference" if name == "beside" else name: value for name, value in data.items()})


def read(trial: Trial, store: Store) -> dict[str, dict[str, Share]]:
    """Return the shares of a finished trial, by group and name."""
    groups: dict[str, dict[str, Share]] = {}
    for stage in trial.breakdowns:
        groups |= breakdown_files.read(store.path(stage))
    return groups


def plain(found: Mapping[str, Mapping[str, Share]]) -> dict[str, Any]:
    """Return one trial's shares as plain data, with intervals."""
    return {group: {name: _told(share) for name, share in shares.items()} for group, shares in found.items()}


def pooled(
    records: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, Mapping[str, Share]]]
) -> list[Detail]:
    """Return every share of every method, pooled over its finished seeds; ``found`` is by the trial's name.

    Clusters are queries. Counts of a query are averaged over seeds, as for the false-negative rate; a seed with nothing
    in a bin counts as 0.
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
                share = Share(clusters, sum(share.reference for share in shares) / len(seeds))
                made.append(Detail(method=method, axes=json.loads(axes), group=group, name=name, **_told(share)))
    return made


def _in_order(seeds: Sequence[Mapping[str, Mapping[str, Share]]], group: str) -> list[str]:
    """Return the names in ``group`` over all seeds, in the order of the seed with the most names."""
    longest = sorted(seeds, key=lambda seed: -len(seed.get(group, {})))
    return list(dict.fromkeys(name for seed in longest for name in seed.get(group, {})))


def _told(share: Share) -> dict[str, Any]:
    ends = [None if math.isnan(end) else end for end in share.interval()]
    return {**dict(zip(("rate", "low", "high"), ends, strict=True)), "reference": share.reference}


def to_csv(found: Sequence[Detail]) -> str:
    """Return the shares as CSV, unrounded: one line per share, one column per axis."""
    axes = list(dict.fromkeys(key for detail in found for key in detail.axes))
    figures = [field.name for field in fields(Detail) if field.name not in ("method", "axes")]
    lines: list[list[Any]] = [["method", *axes, *figures]]
    for one in found:
        at_point = [one.axes.get(key, "") for key in axes]
        lines.append([one.method, *at_point, *[getattr(one, name) for name in figures]])
    return csv_table(lines)


def tables(found: Sequence[Detail]) -> list[dict[str, Any]]:
    """Return the tables of filters, added positives, detectors and the loss gradient; those that have a line.

    Each has a title, a note, a heading and a body.
    """
    made = (_denoising(found), _added_positives(found), _detection(found), _gradient(found))
    return [table for table in made if table["body"]]


def _denoising(found: Sequence[Detail]) -> dict[str, Any]:
    return {
        "title": "Precision and recall of filters",
        "note": "Over the unlabelled candidates that a filter checks. rejected: share that the filter rejects. "
        "relevant: share that is relevant, which is the precision of rejecting at random. precision: share of relevant "
        "documents among the rejected ones. recall: share of the relevant ones that is rejected. 95 % intervals over "
        "queries.",
        "heading": ["method", *_axes(found), "filter", "rejected %", "relevant %", *FOUND],
        "body": _precision_and_recall(found, "precision", "recall"),
    }


def _added_positives(found: Sequence[Detail]) -> dict[str, Any]:
    return {
        "title": "Precision and recall of added positives",
        "note": "Over the unlabelled candidates of training queries. added: share that a label rule makes positives. "
        "relevant: share that is relevant, which is the precision of adding at random. precision: share of relevant "
        "documents among the added ones. recall: share of the relevant ones that is added. 95 % intervals over "
        "queries.",
        "heading": ["method", *_axes(found), "rule", "added %", "relevant %", *FOUND],
        "body": _precision_and_recall(found, "added-precision", "added-recall"),
    }


def _detection(found: Sequence[Detail]) -> dict[str, Any]:
    return {
        "title": "Precision and recall of detectors",
        "note": "Over the training rows of an epoch. flagged: share that the detector takes for mismatched. "
        "mismatched: share that is mismatched, which is the precision of flagging at random. precision: share of "
        "mismatched rows among the flagged ones. recall: share of the mismatched rows that is flagged. 95 % intervals "
        "over queries.",
        "heading": ["method", *_axes(found), "epoch", "flagged %", "mismatched %", *FOUND],
        "body": _precision_and_recall(found, "detector-precision", "detector-recall"),
    }


FOUND = ("precision % [95 %]", "recall % [95 %]")


def _precision_and_recall(found: Sequence[Detail], precision: str, recall: str) -> list[list[str]]:
    """Return one line per share of the group ``precision``, with its share of the group ``recall``."""
    by_name = {(it.method, json.dumps(it.axes), it.group, it.name): it for it in found}
    body = []
    for one in found:
        if one.group == precision:
            other = by_name[one.method, json.dumps(one.axes), recall, one.name]
            shares = percent(other.reference), percent(one.reference), interval(one), interval(other)
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
            line += [
                percent(start.reference) if start else "",
                *(interval(it) if it else "" for it in (start, trained)),
            ]
        body.append(line)
    headings = ("by count %", "of the gradient before training % [95 %]", "of the gradient after training % [95 %]")
    columns = [f"{kind}: {what}" for kind in ("mined", "in-batch") for what in headings]
    return {
        "title": "Share of the loss gradient on false negatives",
        "note": "The share of false negatives among the mined and the in-batch negatives, by count and by gradient. "
        "The gradient is the absolute derivative of the method's loss with respect to the scores of negatives, summed "
        "over all batches, with the vectors of the encoder before and after training. 95 % intervals over queries.",
        "heading": ["method", *_axes(found), *columns],
        "body": body,
    }


def percent(share: float) -> str:
    """Format a share in percent."""
    return f"{100 * share:.1f}"


def interval(one: Detail) -> str:
    """Format a share in percent with its interval; empty if unknown."""
    if one.rate is None or one.low is None or one.high is None:
        return ""
    return f"{percent(one.rate)} [{percent(one.low)}, {percent(one.high)}]"


def _axes(found: Sequence[Detail]) -> list[str]:
    return list(dict.fromkeys(key for one in found for key in one.axes))


def _point(one: Detail) -> list[str]:
    return [str(value) for value in one.axes.values()]
