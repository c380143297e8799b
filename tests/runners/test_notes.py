"""What a reader has to know of searches that find nothing, or leave something out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_grid import grid_text

from negbench.store import integrity
from negbench.versions import versions


@pytest.fixture
def garden(tmp_path: Path, tiny_collection: Path) -> Path:
    """The collection with a question, in train and in test, that shares no word with any text."""
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    with (folder / "queries.jsonl").open("a") as queries:
        queries.write('{"_id": "odd", "text": "xyzzy plugh"}\n{"_id": "odd2", "text": "C"}\n')
    document = json.loads((folder / "corpus.jsonl").read_text().splitlines()[0])["_id"]
    for split, query in (("train", "odd"), ("test", "odd"), ("test", "odd2")):
        with (folder / f"qrels/{split}.tsv").open("a") as qrels:
            qrels.write(f"{query}\t{document}\t1\n")
    return folder


def test_evaluate_counts_the_queries_that_find_nothing(
    garden: Path, tiny_collection: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    asked = ["evaluate", "--encoder", "bm25", "--json", "--collection"]
    found = json.loads(negbench(*asked, garden, cwd=tmp_path).out)
    assert found["warnings"][-1] == "evaluate bm25 on test: 2 of 12 test queries retrieve no document"
    assert "retrieve no document" not in negbench(*asked, tiny_collection, cwd=tmp_path).out


def test_a_table_counts_what_searches_did_not_find(
    garden: Path, tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    ids = [json.loads(line)["_id"] for line in (garden / "corpus.jsonl").read_text().splitlines()[:3]]
    train = dict.fromkeys(line.split("\t")[0] for line in (garden / "qrels/train.tsv").read_text().splitlines()[1:])
    asked = [query for query in train if query != "odd"]
    ranked = [*ids, "gone"]
    lines = [f"{query} Q0 {name} {at} {9 - at} t\n" for query in asked for at, name in enumerate(ranked)]
    (tmp_path / "r").write_text("".join(lines))
    text = grid_text(tiny_encoder, '[in-batch, "naive(candidates=run-file(path=r))"]').replace("epochs: 2", "epochs: 1")
    (tmp_path / "grid.yaml").write_text(text)
    change = ["--set", f"collection={{source: {garden}, dev: 0}}"]
    said = negbench("run", "grid.yaml", *change, cwd=tmp_path)
    assert said.code == 0
    told = [
        "evaluate bm25 on test: 2 of 12 test queries retrieve no document",
        f"retrieve candidates with run-file(path=r): 1 of {len(train)} train queries retrieve no document",
        f"retrieve candidates with run-file(path=r): {len(asked)} of {len(lines)} lines name documents that are not in "
        "the collection (such as 'gone') and are left out",
    ]
    (table,) = tmp_path.glob("runs/*/table.md")
    for note in told:
        assert table.read_text().count(f"{note}.") == 1
        assert note.split(":")[1][:20] in said.out

    (manifest,) = tmp_path.glob("runs/*/manifest.json")
    assert json.loads(manifest.read_text())["versions"] == versions()
    assert "different versions" not in table.read_text()
    trained = sorted(tmp_path.glob(".negbench/training/*/stage.json"))[0]  # as if an earlier process had made it
    record = integrity.read_record(trained.parent)
    integrity.write_record(trained.parent, {**record, "versions": {**versions(), "torch": "0.1"}})
    assert negbench("run", "grid.yaml", *change, cwd=tmp_path).code == 0
    assert json.loads(manifest.read_text())["versions"] == {**versions(), "torch": f"0.1, {versions()['torch']}"}
    assert "different package versions: torch 0.1 (" in table.read_text()

    (tmp_path / "r").write_text("".join(f"{query} Q0 gone 1 1 t\n" for query in asked))
    said = negbench("run", "grid.yaml", *change, "--set", "seeds=[1]", cwd=tmp_path)
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith("negbench: r: none of its documents is in the collection")
