"""Manifests of a run that somebody has edited, or that are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from case import Case, grid


def _manifest(**changes: Any) -> str:
    return json.dumps({"grid": grid(), "assignments": [], "folder": ".", **changes})


MANIFESTS = {
    "an empty file": ("", "manifest.json:1"),
    "half a file": (_manifest()[:50], "manifest.json:1"),
    "a list": ("[]", "manifest.json:1"),
    "a number": ("7", "manifest.json:1"),
    "no number": ("NaN", "manifest.json"),
    "two grids": ('{"folder": ".",\n "grid": "a",\n "grid": "b"}', "manifest.json:3: the key 'grid'"),
    "a grid as JSON with a key twice": (
        '{"name": "made", "seeds": [1],\n "methods": ["random"],\n "seeds": [2]}',
        "manifest.json:3: the key 'seeds'",
    ),
    "a number of 5,000 digits": (f'{{"grid": {"9" * 5000}}}', "manifest.json"),
    "10,000 lists": ("[" * 10_000, "manifest.json"),
    "100,000 lists": ("[" * 100_000 + "]" * 100_000, "manifest.json"),
    "no text": (b'{"grid": "\xff"}', "manifest.json:1"),
    "a grid that is a number": (_manifest(grid=3), "manifest.json"),
    "a grid that is empty": (_manifest(grid=""), "manifest.json:1"),
    "a grid with half a character": ('{"grid": "name: \\ud800"}', "manifest.json"),
    "a grid with a date": (_manifest(grid=grid(seeds="2020-01-01")), "manifest.json:5"),
    "assignments that are a number": (_manifest(assignments=3), "assignments"),
    "assignments that are text": (_manifest(assignments="a=3"), "assignments"),
    "assignments of numbers": (_manifest(assignments=[3]), "assignments"),
    "an assignment that is broken": (_manifest(assignments=["train.epochs=["]), "train.epochs"),
    "an assignment with a date": (_manifest(assignments=["train.epochs=2020-01-01"]), "train.epochs"),
    "a folder that is a number": (_manifest(folder=3), "folder"),
    "a folder with a zero": (_manifest(folder="a\0b"), "folder"),
    "a folder of nobody": (_manifest(grid=grid(collection="data"), folder="~nobody-of-this-name"), "data"),
    "a folder of 5,000 letters": (_manifest(grid=grid(collection="data"), folder="x" * 5000), "collection"),
}


def manifests() -> Iterator[Case]:
    """A manifest in place of a grid; each is refused."""
    for name, (text, named) in MANIFESTS.items():
        yield Case(name=name, arguments=("plan", "manifest.json"), named=(named,), files={"manifest.json": text})
