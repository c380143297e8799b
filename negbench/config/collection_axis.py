"""The axis ``collection``: several collections side by side, each with a name and with keys of its own.

``collections: [...]`` at the top of a grid is the axis, and so is ``axes: {collection: [...]}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from negbench.collections.resolve import short_name, source_of
from negbench.config.choice import Choice
from negbench.config.document import Document
from negbench.errors import InputError

AXIS, KEY = "collection", "collections"
"""The axis, and the key of a grid that is short for it."""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Pattern of a grid's name and of a collection's in it, which are also the names of folders."""

PROMPTS = ("query_prompt", "document_prompt")
"""Keys of an entry that stand for keys of the encoder, as in ``evaluate_on``."""

RECIPES = ("train", "warm_up")
"""Mappings of an entry that change single keys of the grid's, and do not replace it."""

_FORMS = "a collection, or a mapping as in {collection: scifact, name: claims, train.epochs: 2}"


def of_document(document: Document) -> tuple[list[str | int], Any] | None:
    """Return where a grid file lists its collections, and the list; None where it has one collection.

    Raises InputError where a grid says it twice.
    """
    axes = document.data.get("axes")
    under_axes = isinstance(axes, dict) and AXIS in axes
    if KEY not in document.data:
        return (["axes", AXIS], axes[AXIS]) if isinstance(axes, dict) and under_axes else None
    for other, given in ((AXIS, AXIS in document.data), (f"axes.{AXIS}", under_axes)):
        if given:
            raise InputError(f"{document.where([KEY])}: the grid has {other}, too; give one of them")
    return [KEY], document.data[KEY]


def read(document: Document, place: list[str | int], values: Any) -> list[Choice]:
    """Return a choice for each collection of a list, or of a mapping from names.

    An entry is a collection, as under ``collection``, or a mapping of ``collection`` and further keys of the grid; its
    ``name`` is what tables and folders call it. Raises InputError.
    """
    where = document.where(place)
    if isinstance(values, dict):
        entries = [(key, key, key if value is None else value) for key, value in values.items()]
    elif isinstance(values, list):
        entries = [(position, None, value) for position, value in enumerate(values)]
    else:
        raise InputError(f"{where}: expected a list of collections in [...], found {values!r:.60}")
    if not entries:
        raise InputError(f"{where}: expected at least one collection, found none")
    choices = [_choice(document, [*place, step], name, entry) for step, name, entry in entries]
    labels = [choice.label for choice in choices]
    if twice := [label for position, label in enumerate(labels) if label in labels[:position]]:
        raise InputError(
            f"{where}: two collections are called {twice[0]}; name one of them, as in "
            f"{{collection: {twice[0]}, name: {twice[0]}-2}}"
        )
    return choices


def _choice(document: Document, place: list[str | int], name: Any, entry: Any) -> Choice:
    where = document.where(place)
    if isinstance(entry, Mapping) and "collection" in entry and "source" not in entry:
        sets = {**entry}
        name = sets.pop("name", name)
        at = {key: [*place, key] for key in sets}
    elif isinstance(entry, str | Mapping):
        sets, at = {"collection": entry}, {"collection": place}
    else:
        raise InputError(f"{where}: expected {_FORMS}, found {entry!r:.60}")
    if odd := [key for key in sets if not isinstance(key, str)]:
        raise InputError(f"{where}: expected {_FORMS}, found the key {odd[0]!r:.60}")
    for key in PROMPTS:
        if key in sets:
            sets[f"encoder.{key}"], at[f"encoder.{key}"] = sets.pop(key), at.pop(key)
    for key in RECIPES:  # single keys, so that the grid's other keys stay
        if isinstance(recipe := sets.get(key), dict):
            del sets[key], at[key]
            sets |= {f"{key}.{inner}": value for inner, value in recipe.items()}
            at |= {f"{key}.{inner}": [*place, key, inner] for inner in recipe}
    name = _derived(sets["collection"]) if name is None else name
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise InputError(
            f"{where}: expected a name of letters, digits, '.', '_' and '-', found {name!r:.60}; results go to a "
            "folder so named"
        )
    return Choice(name, sets, at)


def _derived(collection: Any) -> str:
    """Return the name of a collection that the grid does not name; of one that is wrong, which is told later, any."""
    try:
        name = short_name(source_of(collection))
    except InputError:
        name = str(collection)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "collection"
