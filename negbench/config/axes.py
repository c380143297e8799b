"""The axes of a grid file: keys with several values, or named sets of keys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from negbench.config import collection_axis
from negbench.config.choice import Choice
from negbench.config.document import Document
from negbench.errors import InputError

ONCE = ("name", "baseline", "measures", "equivalent_within", "axes")
"""Keys that have one value in a grid."""


MOST_POINTS = 1_000
"""Most points of the axes: each is checked by itself, which takes some milliseconds."""

_SINGLE = "train.epochs"
"""An example of a single key."""


def read(document: Document, keys: Iterable[str]) -> dict[str, list[Choice]]:
    """Return the choices of every axis of ``document``, whose top-level keys may be ``keys``.

    ``{train.epochs: [1, 3]}`` varies one key, dotted or not. ``{start: {weak: {encoder: ...}, strong: {encoder:
    ...}}}`` varies several together, and its points are called by these names. No key of one axis may lead to one of
    another. The axis ``collection`` takes collections with keys of their own (``collection_axis``); ``collections`` at
    the top of the file is that axis, and the first one. Raises InputError.
    """
    axes = document.data.get("axes") or {}
    if not isinstance(axes, dict):
        raise InputError(f"{document.where(['axes'])}: expected a mapping from dotted keys to lists of values")
    choices: dict[str, list[Choice]] = {}
    owners: dict[str, str] = {}
    side_by_side = collection_axis.of_document(document)
    if side_by_side is not None and side_by_side[0] == [collection_axis.KEY]:
        axes = {collection_axis.AXIS: side_by_side[1], **axes}
    for axis, values in axes.items():
        if not isinstance(axis, str):
            raise InputError(f"{document.where(['axes', axis])}: expected a dotted key, as in train.epochs")
        if axis == collection_axis.AXIS and side_by_side is not None:
            choices[axis] = collection_axis.read(document, *side_by_side)
        else:
            named = isinstance(values, dict) and axis.partition(".")[0] not in keys
            choices[axis] = _named(document, axis, values) if named else _listed(document, axis, values)
        place = side_by_side[0] if side_by_side is not None and axis == collection_axis.AXIS else ["axes", axis]
        for choice in choices[axis]:
            _check_apart(document, axis, choice)
        for key in dict.fromkeys(key for choice in choices[axis] for key in choice.sets):
            _check(document, document.where(place), axis, key, owners)
    points = math.prod(map(len, choices.values()))
    if points > MOST_POINTS:
        sizes = " x ".join(str(len(values)) for values in choices.values())
        raise InputError(
            f"{document.where(['axes'])}: {sizes} = {points:,} points, and a grid has at most {MOST_POINTS:,}; give "
            "fewer values, or write several grids"
        )
    return choices


def _listed(document: Document, axis: str, values: Any) -> list[Choice]:
    where = document.where(["axes", axis])
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}: expected a list of values in [...], found {values!r:.60}")
    if twice := [value for position, value in enumerate(values) if value in values[:position]]:
        raise InputError(f"{where}: {twice[0]!r:.60} is given twice; keep one")
    return [Choice(value, {axis: value}, {axis: ["axes", axis, position]}) for position, value in enumerate(values)]


def _named(document: Document, axis: str, values: dict[Any, Any]) -> list[Choice]:
    if not values:
        raise InputError(f"{document.where(['axes', axis])}: expected names with the keys that each sets, found none")
    for name, sets in values.items():
        if not isinstance(name, str) or not isinstance(sets, dict) or not all(isinstance(key, str) for key in sets):
            raise InputError(
                f"{document.where(['axes', axis, name])}: expected a mapping of keys, as in "
                f"{{encoder: all-MiniLM-L6-v2, train.epochs: 1}}, found {sets!r:.60}"
            )
    return [Choice(name, sets, {key: ["axes", axis, name, key] for key in sets}) for name, sets in values.items()]


def repeated(
    document: Document, varied: Iterable[str], before: Sequence[Choice], chosen: Sequence[Choice]
) -> InputError:
    """Return the error of a point, a choice of each axis in ``varied``, with the settings of an earlier point."""
    axis, old, new = next(it for it in zip(varied, before, chosen, strict=True) if it[1] is not it[2])
    place = next(iter(new.places.values()), ["axes", axis])
    return InputError(
        f"{document.where(place)}: {new.label!r:.60} says the same as {old.label!r:.60}, and its rows would be "
        "the same trainings; keep one"
    )


def _overlap(one: str, other: str) -> bool:
    """Return whether two dotted keys are the same, or one leads to the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _check_apart(document: Document, axis: str, choice: Choice) -> None:
    """Refuse keys of one choice of which one would undo another."""
    for key in choice.sets:
        steps = key.split(".")
        leading = (".".join(steps[:end]) for end in range(1, len(steps)))
        if outer := next((shorter for shorter in leading if shorter in choice.sets), None):
            one, other = sorted((outer, key), key=list(choice.sets).index)
            where = document.where(choice.places[other])
            raise InputError(f"{where}: {one} and {other} overlap; keep one, or write single keys such as {_SINGLE}")


def _holds(data: Any, outer: str, key: str) -> bool:
    """Return whether ``key`` leads into what stands at the dotted key ``outer``, and something stands there."""
    if not key.startswith(f"{outer}."):
        return False
    for step in key.split("."):
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True


def _check(document: Document, where: str, axis: str, key: str, owners: dict[str, str]) -> None:
    """Refuse what only a grid has, what another axis sets, in part or whole, or the command line has set."""
    if key in ONCE:
        raise InputError(f"{where}: a grid has one {key}; put it outside of axes")
    for other, owner in owners.items():
        if owner != axis and other == key:
            raise InputError(f"{where}: {key} is set by the axis {owner} too; keep one")
        if owner != axis and _overlap(other, key):
            raise InputError(
                f"{where}: {key} and {other}, which the axis {owner} sets, overlap, and a trial might not be what its "
                f"name says; write single keys such as {_SINGLE}"
            )
    owners[key] = axis
    for hidden in document.set_by_hand:
        if hidden == key or hidden.startswith(f"{key}.") or _holds(document.data, hidden, key):
            example = f"axes.{axis}=[...]" if key == axis else f"axes.{axis}={{NAME: {{{key}: ...}}}}"
            raise InputError(f"--set {hidden}: {key} is an axis of this grid; write --set '{example}'")
