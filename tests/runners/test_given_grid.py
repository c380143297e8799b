"""A grid over a file of pairs: the negatives that came along beside mined ones, and where there are none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_grid import grid_text

import negbench as api
from negbench.collections.resolve import source_of


def test_given_negatives_beside_mined_ones(
    tiny_encoder: Path, tiny_collection: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    base = source_of(str(tiny_collection)).load()
    rows = [
        [base.queries[q], base.texts[d], base.texts[(d + 1) % len(base.texts)]]
        for q, d, grade in base.qrels["train"].triples()
        if grade > 0
    ]
    with (tmp_path / "faq.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["question", "answer", "negative"], *rows])
    text = grid_text(tiny_encoder, "[in-batch, given, bm25]").replace("epochs: 2", "epochs: 1")
    (tmp_path / "grid.yaml").write_text(text)
    said = negbench("run", "grid.yaml", "--set", "collection=faq.csv", cwd=tmp_path)
    assert said.code == 0, said.err
    (table,) = tmp_path.glob("runs/*/table.csv")
    methods = [row["method"] for row in csv.DictReader(table.open())]
    assert {"in-batch", "given", "bm25"} <= set(methods)
    assert "the column question is read as the query, and answer as its document" in said.out
    seen = negbench("evaluate", "--encoder", "bm25", "--collection", "faq.csv", "--json", cwd=tmp_path)
    assert json.loads(seen.out)["collection"] == "faq"


def test_without_given_negatives_nothing_is_trained(
    tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any], tiny_collection: Path
) -> None:
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch, given]"))
    said = negbench("run", "grid.yaml", "--set", f"collection={tiny_collection}", cwd=tmp_path)
    assert said.code == 2
    (line,) = [line for line in said.err.splitlines() if line.startswith("negbench: ")]
    assert "candidates given: garden came without negatives" in line
    assert not (tmp_path / "runs").exists()


def test_negatives_that_leave_and_come_back_are_the_same(
    tiny_encoder: Path, tiny_collection: Path, tmp_path: Path
) -> None:
    base = source_of(str(tiny_collection)).load()
    asked = dict(zip(base.query_ids, base.queries, strict=True))
    options: dict[str, Any] = {"encoder": str(tiny_encoder), "negatives": 2, "store": tmp_path / "store"}
    mined = api.mine("bm25", str(tiny_collection), **options)
    rows: dict[str, list[str]] = {}
    for row in mined.rows:
        rows.setdefault(row.query, []).append(row.text)
    lines = [json.dumps({"query": asked[query], "pos": [], "neg": texts}) + "\n" for query, texts in rows.items()]
    (tmp_path / "mined.jsonl").write_text("".join(lines))
    back = api.mine("given", {"pairs": str(tmp_path / "mined.jsonl"), "collection": str(tiny_collection)}, **options)
    assert [(row.query, row.document) for row in back.rows] == [(row.query, row.document) for row in mined.rows]
