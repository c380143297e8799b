"""``negbench mine`` and ``negbench export``: what they write is what was drawn, and what the peer writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import negbench as nb
from negbench.export import Format
from negbench.registry import registered

Command = Callable[..., Any]
HELPDESK = "helpdesk(articles=100, queries=24, dev=6, test=12)"
GRID = """\
name: small
collection: {collection}
encoder: {encoder}
methods: [in-batch, bm25, "simans(a=1.5)", rounds]
seeds: [0, 1]
negatives: 2
axes: {{equal_texts: [known, unlabelled]}}
train: {{epochs: 1, batch_size: 8, max_length: 32, precision: float32}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "grid.yaml").write_text(GRID.format(collection=HELPDESK, encoder=tiny_encoder))
    return folder


@pytest.mark.parametrize("format", ["triplet", "n-tuple", "labeled-pair"])
def test_the_peer_writes_the_same(
    format: str, tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Command
) -> None:
    """``mine_hard_negatives`` on the same pairs, corpus and encoder, taking the highest ranks."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    from negbench.collections.beir import Beir

    options = ["--encoder", tiny_encoder, "--negatives", "2", "--set", "train.precision=float32", "--format", format]
    said = negbench("mine", "naive", "--collection", tiny_collection, *options, "--out", "mined", cwd=tmp_path)
    assert said.code == 0, said.err
    garden = Beir(path=str(tiny_collection)).load()
    passages, known = garden.passages(), garden.qrels["train"].at_least(1)
    pairs = {
        "anchor": [garden.queries[row] for row in known.queries],
        "positive": [passages[row] for row in known.documents],
    }
    peer = mine_hard_negatives(
        datasets.Dataset.from_dict(pairs),
        SentenceTransformer(str(tiny_encoder), device="cpu"),
        corpus=passages,
        num_negatives=2,
        sampling_strategy="top",
        output_format=format,
        verbose=False,
    )

    def rows(table: Any) -> list[tuple[Any, ...]]:
        return sorted(tuple(row.values()) for row in table)

    assert rows(datasets.load_from_disk(str(tmp_path / "mined"))) == rows(peer)


FORMATS = {name: part for name, part in registered("format").items() if issubclass(part, Format)}
BY_POSITIVE = ("triplet", "n-tuple", "colbert")
"""Formats that repeat the negatives of a query for each of its positives."""


@pytest.mark.parametrize("format", FORMATS)
def test_an_audit_gives_the_rate(format: str, place: Path, tiny_encoder: Path, negbench: Command) -> None:
    """Against a look-up in the truth, each negative as often as it stands in the file."""
    from negbench.collections.resolve import source_of

    out = f"{format}{FORMATS[format].suffixes[-1]}"
    options = ["--collection", HELPDESK, "--encoder", tiny_encoder, "--negatives", "3"]
    said = negbench("mine", "bm25", *options, "--out", out, "--format", format, "--json", cwd=place)
    assert said.code == 0, said.err
    made = source_of(HELPDESK).load()
    truth = {(made.query_ids[q], made.document_ids[d]) for q, d, grade in made.truth["train"].triples() if grade}
    positives = {made.query_ids[row]: len(of) for row, of in made.qrels["train"].at_least(1).by_query().items()}
    rows = nb.mine("bm25", HELPDESK, encoder=tiny_encoder, negatives=3, store=place / ".negbench").rows
    once = [((row.query, row.document) in truth, 1) for row in rows]
    repeated = [(hit, positives[row.query]) for (hit, _), row in zip(once, rows, strict=True)]

    def share(found: list[tuple[bool, int]]) -> float:
        return sum(hit * weight for hit, weight in found) / sum(weight for _, weight in found)

    assert share(once) != share(repeated)
    rate = json.loads(said.out)["false_negatives"]
    assert (rate["estimator"], rate["rate"]) == ("exact", pytest.approx(share(once)))
    assert 0 < rate["low"] < rate["rate"] < rate["high"] < 1
    audited = negbench("audit", out, "--collection", HELPDESK, "--json", cwd=place)
    assert audited.code == 0, audited.err
    (method,) = json.loads(audited.out)["methods"]
    assert method["exact"]["rate"] == pytest.approx(share(repeated if format in BY_POSITIVE else once))


class TestMine:
    def test_for_people(self, place: Path, tiny_encoder: Path, negbench: Command) -> None:
        options = ["--collection", HELPDESK, "--encoder", tiny_encoder, "--seed", "3"]
        shown = negbench("mine", "random", *options, cwd=place)
        assert "random on" in shown.out
        said = negbench("mine", "random", *options, "--out", "new/mined.parquet", cwd=place)
        assert said.out.startswith(shown.out)
        assert (
            "negatives in new/mined.parquet, format triplet; how they were made in new/mined.parquet.json" in said.out
        )
        about = json.loads((place / "new/mined.parquet.json").read_text())
        assert about["seed"] == 3
        assert str(tiny_encoder.parent) not in json.dumps(about)

    def test_what_is_refused_leaves_nothing(self, tmp_path: Path, tiny_encoder: Path, negbench: Command) -> None:
        options = ["--collection", HELPDESK, "--encoder", tiny_encoder, "--out", "mined.jsonl"]
        for method, more, why in (
            ("bm25", ["--format", "tevatron"], "format tevatron is written as a folder"),
            ("in-batch", [], "mines no negatives"),
            ("bmm25", [], "did you mean bm25"),
            ("bm25", ["--set", "negative=3"], "did you mean negatives"),
        ):
            said = negbench("mine", method, *options, *more, cwd=tmp_path)
            assert said.code == 2
            assert why in said.err
            assert "Traceback" not in said.err
            assert not (tmp_path / "mined.jsonl").exists()

    def test_the_table_has_the_texts_of_queries(self, tmp_path: Path, tiny_encoder: Path) -> None:
        """Shortened, with the line of each: the ids are digests of texts, which nobody has seen."""
        long = "why does it rain " * 20
        rows = [{"anchor": f"question {n} {long}", "positive": f"answer {n}"} for n in range(4)]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        mined = nb.mine("random", tmp_path / "pairs.jsonl", encoder=tiny_encoder, store=tmp_path / "store")
        table = mined._renderable().renderables[0]  # type: ignore[union-attr]
        cells = {str(column.header): list(map(str, column.cells)) for column in table.columns}
        text_of = {it.query_place: it.query_text for it in mined.rows}
        assert text_of == {f"pairs.jsonl:{line}": row["anchor"] for line, row in enumerate(rows, 1)}
        assert sorted(text_of.values()) == sorted(row["anchor"] for row in rows)
        assert cells["query text"] == [f"{text_of[query][:79]}…" for query in cells["query"]]

    def test_files_of_others_stay(self, tmp_path: Path, tiny_encoder: Path, negbench: Command) -> None:
        """The file of pairs itself, also where it is an earlier export, and a file that is no export."""
        rows = [{"anchor": f"question {n}", "positive": f"answer {n}"} for n in range(30)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        for name in ("pairs.jsonl", "notes.jsonl", "grid.yaml"):
            (tmp_path / name).write_text(text)
        (tmp_path / "grid.yaml").write_text(GRID.format(collection="pairs.jsonl", encoder=tiny_encoder))
        mine = ["mine", "random", "--encoder", tiny_encoder, "--collection"]
        said = negbench(*mine, "pairs.jsonl", "--out", "mined.jsonl", cwd=tmp_path)
        assert said.code == 0, said.err
        files = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        export = ["export", "grid.yaml", "bm25 equal_texts=known"]
        for words, out, why in (
            ([*mine, "pairs.jsonl"], "pairs.jsonl", "pairs.jsonl: is read as the collection"),
            ([*mine, "mined.jsonl"], "mined.jsonl", "mined.jsonl: is read as the collection"),
            ([*mine, "pairs.jsonl"], "notes.jsonl", "notes.jsonl: exists, and is no export"),
            (export, "pairs.jsonl", "is read as the collection"),
            (export, "notes.jsonl", "notes.jsonl: exists, and is no export"),
        ):
            said = negbench(*words, "--out", out, cwd=tmp_path)
            assert (said.code, said.out) == (2, "")
            (line,) = said.err.splitlines()
            assert why in line
            assert line.endswith(("choose another --out", "choose another file"))
        assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == files

    def test_all_training_queries_get_negatives(self, tmp_path: Path, tiny_encoder: Path, negbench: Command) -> None:
        """Of a file without splits; a grid, and parameters that ask for it, set some aside and say so."""
        rows = [{"anchor": f"question {n}", "positive": f"answer {n}"} for n in range(40)]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "grid.yaml").write_text(GRID.format(collection="pairs.jsonl", encoder=tiny_encoder))
        aside = "training queries: the others are set aside as dev or test; dev=0 and test=0"
        mine = ["mine", "bm25", "--set", "train.batch_size=4", "--encoder", tiny_encoder, "--collection"]
        for words, count, noted in (
            ([*mine, "pairs.jsonl"], 40, None),
            ([*mine, "hidden(collection=pairs.jsonl)"], 40, None),
            ([*mine, "pairs(path=pairs.jsonl, test=0.2)"], 32, "32 of 40"),
            (["export", "grid.yaml", "bm25 equal_texts=known"], 32, "32 of 40"),
        ):
            said = negbench(*words, "--json", cwd=tmp_path)
            assert said.code == 0, said.err
            found = json.loads(said.out)
            assert len({it["query"] for it in found["negatives"]}) == count
            notes = [note for note in found["notes"] if "training queries" in note and "unlabelled" not in note]
            assert bool(notes) == (noted is not None)
            assert noted is None or f"the negatives are of {noted} {aside}" in notes[-1]

    def test_random_fill_is_counted_and_can_be_left_out(
        self, tmp_path: Path, tiny_encoder: Path, negbench: Command
    ) -> None:
        """Half of the queries share a word with other answers, and half with none."""
        rows = [{"anchor": f"apple q{n}", "positive": f"apple a{n}"} for n in range(20)]
        rows += [{"anchor": f"rare{n}", "positive": f"rare{n} b{n}"} for n in range(20)]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = ["--collection", "pairs.jsonl", "--encoder", tiny_encoder, "--negatives", "2", "--out"]
        said = negbench("mine", "bm25(depth=50)", *options, "mined.jsonl", cwd=tmp_path)
        (line,) = re.findall(r"note: (40 of 80 negatives .*)", " ".join(said.out.split()).replace(" note:", "\nnote:"))
        assert line.startswith("40 of 80 negatives (50.0 %) are random documents (random fill), since")
        about = json.loads((tmp_path / "mined.jsonl.json").read_text())
        (note,) = [note for note in about["notes"] if "random documents" in note]
        assert note in line
        (spelling,) = re.findall(r"'(bm25.*)' leaves such queries out", note)
        said = negbench("mine", spelling, *options, "whole.jsonl", cwd=tmp_path)
        assert said.code == 0, said.err
        assert "random documents" not in said.out
        written = [json.loads(line) for line in (tmp_path / "whole.jsonl").read_text().splitlines()]
        assert {row["anchor"] for row in written} == {f"apple q{n}" for n in range(20)}

    def test_own_splits_stay(self, tmp_path: Path, tiny_encoder: Path, tiny_collection: Path) -> None:
        """The collection is that of a grid, so what a grid has encoded is found."""
        from negbench.collections.beir import Beir

        mined = nb.mine("bm25", tiny_collection, encoder=tiny_encoder, store=tmp_path)
        assert mined.about["collection"]["digest"] == Beir(path=str(tiny_collection)).fingerprint()

    def test_what_changes_nothing_is_told(self, tmp_path: Path, tiny_encoder: Path, negbench: Command) -> None:
        """Assignments that the draw does not rest on, and the encoder where BM25 finds the candidates."""
        options = ["--collection", HELPDESK, "--encoder", tiny_encoder, "--set", "train.precision=float32"]
        options += ["--set", "train.learning_rate=1e-4", "--set", "train.batch_size=32"]
        said = negbench("mine", "naive", *options, "--json", cwd=tmp_path)
        assert said.code == 0, said.err
        notes = [note for note in json.loads(said.out)["notes"] if "changes none" in note or "without" in note]
        assert notes == ["--set train.learning_rate=1e-4 changes none of these negatives"]
        said = negbench("mine", "bm25", *options, "--json", cwd=tmp_path)
        assert f"bm25 mines without the encoder {tiny_encoder}" in json.loads(said.out)["notes"]


class TestExport:
    def test_a_row_is_what_the_grid_trains_on(self, place: Path, negbench: Command) -> None:
        """Nothing is trained for it; the row is the same once the grid has run."""
        options = ["--out", "row.jsonl", "--format", "full", "--seed", "1"]
        said = negbench("export", "grid.yaml", "bm25 equal_texts=known", *options, cwd=place)
        assert said.code == 0, said.err
        assert not (place / ".negbench/training").exists()
        rows = [json.loads(line) for line in (place / "row.jsonl").read_text().splitlines()]
        grid = nb.load_grid({**_grid(place), "methods": ["bm25"], "seeds": [1], "axes": {"equal_texts": ["known"]}})
        nb.run(grid, place / "runs", store=place / "other")
        pairs = [(it["query_id"], it["document_id"]) for it in rows]
        asked = list(dict.fromkeys(query for query, _ in pairs))
        frame = nb.inspect(grid, asked, store=place / "other").to_pandas()
        assert sorted(zip(frame["query"], frame["document"], strict=True)) == sorted(pairs)
        assert len(pairs) == 48
        about = json.loads((place / "row.jsonl.json").read_text())
        assert (about["grid"], about["seed"], about["axes"]) == ("small", 1, {"equal_texts": "known"})

    @pytest.mark.parametrize(
        ("method", "more", "said"),
        [
            ("bm25", [], "2 rows are called so; expected one of bm25 equal_texts=known, bm25 equal_texts=unlabelled"),
            ("simans", [], "2 rows are called so; expected one of simans(a=1.5) equal_texts=known"),
            ("random", [], "no row is called so; expected one of in-batch equal_texts=known"),
            ("in-batch equal_texts=known", [], "mines no negatives"),
            ("bm25 equal_texts=known", ["--seed", "7"], "--seed 7: the grid has the seeds 0, 1"),
            ("rounds equal_texts=known", [], "it mines with an encoder that is not trained yet; run the grid"),
        ],
    )
    def test_what_is_refused(self, method: str, more: list[str], said: str, place: Path, negbench: Command) -> None:
        found = negbench("export", "grid.yaml", method, "--out", "none.jsonl", *more, cwd=place)
        assert found.code == 2
        assert said in found.err
        assert not (place / "none.jsonl").exists()


def _grid(place: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML

    read = YAML(typ="safe", pure=True).load((place / "grid.yaml").read_text())
    assert isinstance(read, dict)
    return read
