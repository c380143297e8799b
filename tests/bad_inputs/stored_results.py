"""Bad results of a run: files that a comparison reads, and that no run writes so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from case import Case, Content, grid

SETTINGS = {"title": "made", "measure": "nDCG@10", "baseline": None, "methods": 1, "seeds": 1, "legend": ["none"]}
RESULTS: dict[str, Any] = {"rows": [], "trials": [], "tables": [], "notes": [], "settings": SETTINGS}
MANIFEST: dict[str, Any] = {"command": ["negbench"], "grid": grid(), "versions": {}, "digests": {}}

OF_RESULTS = {
    "no trials": ("trials", None),
    "no settings": ("settings", None),
    "rows of a number": ("rows", 3),
    "a row of nothing": ("rows", [{}]),
    "a row of text": ("rows", ["x"]),
    "trials of a number": ("trials", 3),
    "a trial of nothing": ("trials", [{}]),
    "a trial of text": ("trials", ["x"]),
    "settings of a list": ("settings", []),
    "settings of nothing": ("settings", {}),
    "a measure of a list": ("settings", {**SETTINGS, "measure": ["AP"]}),
}
OF_MANIFEST = {
    "digests of a list": ("digests", []),
    "digests of a text": ("digests", {"collections": "x"}),
    "a commit of a mapping": ("commit", {}),
}
BY_QUERY: dict[str, bytes] = {
    "no UTF-8": b"collection,query,a\nx,y,\xff\n",
    "UTF-16": "collection,query,a\n".encode("utf-16"),
    "a value of a word": b"collection,query,a\nx,y,high\n",
    "a cell of 200,000 letters": b'collection,query,a\n"' + b"x" * 200_000 + b'",y,1\n',
}


def results() -> Iterator[Case]:
    """Results, manifests and values by query that are damaged or of another version."""
    whole: dict[str, Content] = {
        f"{run}/{name}": json.dumps(content)
        for run in ("one", "other")
        for name, content in (("results.json", RESULTS), ("manifest.json", MANIFEST))
    }
    for file, content, table in (
        ("results.json", RESULTS, OF_RESULTS),
        ("manifest.json", MANIFEST, OF_MANIFEST),
    ):
        for name, (key, value) in table.items():
            changed = {it: inner for it, inner in {**content, key: value}.items() if it != key or value is not None}
            yield _case(f"{file}: {name}", f"one/{file}", json.dumps(changed), whole, key)
    unknown = json.dumps({**RESULTS, "rows": [{"method": "x"}]})
    yield _case("results.json: a row that lacks most", "one/results.json", unknown, whole, "rows.0.")
    rows_twice = '{"rows": [],\n "rows": []}'
    yield _case("results.json: rows twice", "one/results.json", rows_twice, whole, "results.json:2: the key 'rows'")
    for name, table_of_values in BY_QUERY.items():
        yield _case(f"by_query.csv: {name}", "one/by_query.csv", table_of_values, whole, "one/by_query.csv:")


def _case(name: str, path: str, content: Content, whole: dict[str, Content], key: str) -> Case:
    return Case(name=name, arguments=("compare", "one", "other"), named=(path, key), files={**whole, path: content})
