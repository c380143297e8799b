"""The axes of a grid whose rows are compared at one value alone: the start or the test differs between the values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from negbench.plan.trials import START, Trial
from negbench.stages.evaluation.quality import EvaluateEncoder


def separate_axes(trials: Sequence[Trial]) -> list[str]:
    """Return the axes that change the encoder before training, or what it is tested on: the collection or the split.

    Such an axis is one whose values, all others being equal, have starts of other digests; so one that changes the
    recipe of a warm-up is one, too. Rows of two of its values do not tell methods apart.
    """
    points: dict[str, dict[str, Any]] = {}
    starts: dict[str, set[tuple[str, str, str]]] = {}
    for trial in trials:
        evaluation = trial.evaluation
        if trial.method == START and isinstance(evaluation, EvaluateEncoder):
            point = json.dumps(trial.axis_values)
            points[point] = trial.axis_values
            encoder, collection = evaluation.documents.encoder.key, evaluation.collection.fingerprint
            starts.setdefault(point, set()).add((encoder, collection, evaluation.split))
    found = []
    for axis in dict.fromkeys(axis for values in points.values() for axis in values):
        at_others: dict[str, set[frozenset[tuple[str, str, str]]]] = {}
        for point, values in points.items():
            others = json.dumps({name: value for name, value in values.items() if name != axis})
            at_others.setdefault(others, set()).add(frozenset(starts[point]))
        if any(len(different) > 1 for different in at_others.values()):
            found.append(axis)
    return found
