"""What each format holds, read by the libraries that it is for, and by the readers of an audit."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import pytest
from made_mined import ABOUT, DRAWN, PAIRS, PASSAGES, POSITIVES, QUERIES, made

from negbench.auditing.population import build
from negbench.auditing.readers import read
from negbench.errors import InputError
from negbench.export import Format
from negbench.export.earlier import digests
from negbench.export.saving import format_of, save
from negbench.registry import registered
from negbench.store import Store

FORMATS = {name: part for name, part in registered("format").items() if issubclass(part, Format)}
PATHS = [(name, f"mined{suffix}") for name, part in FORMATS.items() for suffix in part.suffixes]


def _saved(folder: Path, spelling: str, name: str, **how: bool) -> Path:
    save(made(**how), format_of(spelling, folder / name), folder / name, ABOUT)
    return folder / name


def _loaded(path: Path) -> list[dict[str, Any]]:
    """Load with ``datasets``, as sentence-transformers' and other trainers do."""
    if path.is_dir():
        table = datasets.load_from_disk(str(path))
    else:
        kind = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}[path.suffix]
        table = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(path.parent / "cache"))
    return list(table)


def _flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("spelling", "name"), PATHS)
def test_an_audit_reads_the_same_pairs(spelling: str, name: str, tmp_path: Path) -> None:
    path = _saved(tmp_path, spelling, name)
    population = build(*read([path], None, Store(Path("unused"))))
    texts = zip(population.queries.tolist(), population.documents.tolist(), strict=True)
    found = {(population.query_texts[query], _flat(population.document_texts[row])) for query, row in texts}
    wanted = {(query, _flat(text)) for query, text in PAIRS}
    if spelling == "dpr":  # its reader takes random fill only where nothing is hard, as DPR does
        wanted -= {(QUERIES[1], PASSAGES[6])}
    assert found == wanted
    positives = {
        query: {_flat(text) for text in of_query}
        for query, of_query in zip(population.query_texts, population.positives, strict=True)
    }
    assert positives == {QUERIES[query]: {_flat(PASSAGES[row]) for row in rows} for query, rows in POSITIVES.items()}


@pytest.mark.parametrize(("spelling", "name"), PATHS)
def test_the_same_rows_are_the_same_bytes(spelling: str, name: str, tmp_path: Path) -> None:
    def bytes_of(path: Path) -> list[bytes]:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [file.read_bytes() for file in files if file.name != "state.json"]  # datasets' own fingerprint

    one, other = (_saved(tmp_path, spelling, f"{at}/{name}") for at in "ab")
    assert bytes_of(one) == bytes_of(other)


@pytest.mark.parametrize("name", ["mined", "mined.jsonl", "mined.parquet"])
class TestSentenceTransformers:
    def test_triplets(self, name: str, tmp_path: Path) -> None:
        rows = _loaded(_saved(tmp_path, "triplet", name))
        assert [tuple(row.values()) for row in rows] == [
            (QUERIES[query], PASSAGES[positive], PASSAGES[negative])
            for query in range(3)
            for positive in POSITIVES[query]
            for negative in DRAWN[query]
        ]
        assert list(rows[0]) == ["anchor", "positive", "negative"]

    def test_tuples_with_scores(self, name: str, tmp_path: Path) -> None:
        rows = _loaded(_saved(tmp_path, "n-tuple(scores=true)", name, scored=True))
        assert list(rows[0]) == ["anchor", "positive", "negative_1", "negative_2", "scores"]
        assert [row["scores"] for row in rows] == [
            [0.9375, 0.75, 0.5],
            [0.8125, 0.75, 0.5],
            [1.0, 0.875, 0.25],
            [0.6875, 0.625, 0.125],
        ]
        assert rows[3]["negative_2"] == PASSAGES[3]

    def test_a_query_that_is_short_is_left_out_of_tuples_alone(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / name
        about = save(made(short=True), format_of("n-tuple", path), path, ABOUT)
        assert {row["anchor"] for row in _loaded(path)} == set(QUERIES[:2])
        assert about["notes"][-1] == "1 queries have fewer than 2 negatives and are left out"
        assert len(_loaded(_saved(tmp_path, "triplet", f"other/{name}", short=True))) == 7

    def test_labelled_pairs_and_lists(self, name: str, tmp_path: Path) -> None:
        pairs = _loaded(_saved(tmp_path, "labeled-pair", name))
        assert [(row["document"], row["label"]) for row in pairs if row["anchor"] == QUERIES[0]] == [
            (PASSAGES[0], 1),
            (PASSAGES[1], 1),
            (PASSAGES[2], 0),
            (PASSAGES[5], 0),
        ]
        lists = _loaded(_saved(tmp_path, "labeled-list", f"lists/{name}"))
        assert [row["labels"] for row in lists] == [[1, 1, 0, 0], [1, 0, 0], [1, 0, 0]]
        assert lists[1]["documents"] == [PASSAGES[3], PASSAGES[4], PASSAGES[6]]

    def test_all_that_is_known(self, name: str, tmp_path: Path) -> None:
        rows = _loaded(_saved(tmp_path, "full", name, teacher=True))
        assert len(rows) == 6
        assert rows[0] == {
            "query_id": "q0",
            "query": QUERIES[0],
            "positive_ids": ["d0", "d1"],
            "positives": PASSAGES[:2],
            "document_id": "d2",
            "document": PASSAGES[2],
            "rank": 2,
            "score": 0.75,
            "teacher_score": 2.75,
            "origin": "ranked",
        }
        filled = rows[3]
        assert [filled[key] for key in ("document_id", "rank", "score", "origin")] == ["d6", None, None, "random_fill"]


@pytest.mark.parametrize("spelling", ["triplet", "n-tuple", "labeled-pair"])
def test_a_trainer_takes_a_step(spelling: str, tmp_path: Path, tiny_encoder: Path) -> None:
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import ContrastiveLoss, MultipleNegativesRankingLoss

    table = datasets.load_from_disk(str(_saved(tmp_path, spelling, "mined")))
    model = SentenceTransformer(str(tiny_encoder), device="cpu")
    loss = (ContrastiveLoss if spelling == "labeled-pair" else MultipleNegativesRankingLoss)(model)
    settings = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=1, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True
    )
    trained = SentenceTransformerTrainer(model=model, args=settings, train_dataset=table, loss=loss).train()
    assert trained.training_loss > 0


class TestFlagEmbedding:
    def test_scores_where_all_are_known(self, tmp_path: Path) -> None:
        """Its loader wants a score for each document of every row, or none at all."""
        first, *_ = _loaded(_saved(tmp_path, "flagembedding", "mined.jsonl", scored=True))
        assert first == {
            "query": QUERIES[0],
            "pos": PASSAGES[:2],
            "neg": [PASSAGES[2], PASSAGES[5]],
            "pos_scores": [0.9375, 0.8125],
            "neg_scores": [0.75, 0.5],
        }
        lacking = _loaded(_saved(tmp_path, "flagembedding", "filled/mined.jsonl"))
        assert {tuple(row) for row in lacking} == {("query", "pos", "neg")}

    def test_the_teachers_go_before_the_retrievers(self, tmp_path: Path) -> None:
        first, *_ = _loaded(_saved(tmp_path, "flagembedding", "mined.jsonl", scored=True, teacher=True))
        assert (first["pos_scores"], first["neg_scores"]) == ([5.0, 4.5], [2.75, 2.5])


class TestTevatron:
    def test_ids_have_a_document(self, tmp_path: Path) -> None:
        """As its training set looks them up: by ``docid``, the title before the text."""
        folder = _saved(tmp_path, "tevatron", "mined")
        corpus = {row["docid"]: f"{row['title']} {row['text']}".strip() for row in _loaded(folder / "corpus.jsonl")}
        rows = _loaded(folder / "train.jsonl")
        assert [row["query_text"] for row in rows] == QUERIES
        found = {(row["query_text"], corpus[name]) for row in rows for name in row["negative_document_ids"]}
        assert found == PAIRS
        assert [corpus[name] for name in rows[0]["positive_document_ids"]] == PASSAGES[:2]
        assert len(corpus) == 8

    def test_passages(self, tmp_path: Path) -> None:
        rows = _loaded(_saved(tmp_path, "tevatron-classic", "mined.jsonl"))
        assert rows[1]["positive_passages"] == [{"docid": "d3", "title": "Ice", "text": "melts at 0 degrees"}]
        assert [it["docid"] for it in rows[1]["negative_passages"]] == ["d4", "d6"]


def test_dpr(tmp_path: Path) -> None:
    rows = json.loads(_saved(tmp_path, "dpr", "mined.json").read_text())
    assert list(rows[0]) == ["dataset", "question", "answers", "positive_ctxs", "negative_ctxs", "hard_negative_ctxs"]
    assert rows[0]["positive_ctxs"][1] == {
        "title": "Tea",
        "text": "Green tea, at 80 degrees.",
        "score": 0.8125,
        "passage_id": "d1",
    }
    assert [it["passage_id"] for it in rows[1]["negative_ctxs"]] == ["d6"]  # random fill
    assert [it["passage_id"] for it in rows[1]["hard_negative_ctxs"]] == ["d4"]


def test_colbert_takes_a_document_s_number_for_its_line(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "colbert", "mined")
    tables = {}
    for name in ("queries", "corpus"):
        lines = [line.split("\t") for line in (folder / f"{name}.train.colbert.tsv").read_text().splitlines()]
        assert [int(number) for number, _ in lines] == list(range(len(lines)))
        tables[name] = [text for _, text in lines]
    triples = [json.loads(line) for line in (folder / "triples.train.colbert.jsonl").read_text().splitlines()]
    assert all(isinstance(number, int) for triple in triples for number in triple)
    found = {(tables["queries"][query], tables["corpus"][negative]) for query, _, negative in triples}
    assert found == {(query, _flat(text)) for query, text in PAIRS}
    assert [triple for triple in triples if triple[0] == 0] == [[0, 0, 2], [0, 0, 5], [0, 1, 2], [0, 1, 5]]
    ids = [line.split("\t")[1] for line in (folder / "ids.tsv").read_text().splitlines()]
    assert ids == [f"d{row}" for row in range(8)]


class TestTREC:
    def test_ir_measures_and_ranx_rank_it_so(self, tmp_path: Path) -> None:
        import ir_measures

        folder = _saved(tmp_path, "trec", "mined")
        run = list(ir_measures.read_trec_run(str(folder / "negatives.trec")))
        ranked: dict[str, list[str]] = {}
        for line in sorted(run, key=lambda line: -line.score):
            ranked.setdefault(line.query_id, []).append(line.doc_id)
        assert ranked == {f"q{query}": [f"d{row}" for row in rows] for query, rows in DRAWN.items()}
        assert {line.score for line in run if line.query_id == "q0"} == {0.75, 0.5}
        assert {line.score for line in run if line.query_id == "q1"} == {-1.0, -2.0}  # one of its scores is unknown
        qrels = {
            (it.query_id, it.doc_id, it.relevance) for it in ir_measures.read_trec_qrels(str(folder / "qrels.trec"))
        }
        assert qrels == {(f"q{query}", f"d{row}", 1) for query, rows in POSITIVES.items() for row in rows}
        ranx = pytest.importorskip("ranx")
        loaded = ranx.Run.from_file(str(folder / "negatives.trec"), kind="trec")
        assert {name: list(found) for name, found in loaded.to_dict().items()} == ranked

    def test_an_id_with_a_space_is_refused_and_nothing_is_left(self, tmp_path: Path) -> None:
        path = tmp_path / "mined"
        with pytest.raises(InputError, match="the id 'd 0' has white space"):
            save(made(ids="d {}"), format_of("trec", path), path, ABOUT)
        assert list(tmp_path.iterdir()) == []


class TestSaving:
    def test_a_description_is_beside(self, tmp_path: Path) -> None:
        path = _saved(tmp_path, "triplet", "mined.jsonl")
        about = json.loads((tmp_path / "mined.jsonl.json").read_text())
        assert about["format"] == "triplet"
        assert about["notes"] == ["made by hand"]
        assert about.pop("files") == {"mined.jsonl": sha256(path.read_bytes()).hexdigest()}
        folder = _saved(tmp_path, "triplet", "folder")
        of_folder = json.loads((folder / "negbench.json").read_text())
        assert of_folder.pop("files").keys() == {it.name for it in folder.iterdir()} - {"negbench.json", "state.json"}
        assert of_folder == about
        assert "# Negatives of made on drinks" in (folder / "README.md").read_text()
        assert {it.name for it in tmp_path.iterdir()} == {path.name, "mined.jsonl.json", "folder"}

    @pytest.mark.parametrize("name", ["mined.jsonl", "mined"])
    def test_an_export_is_replaced_by_one_of_the_same_format(self, name: str, tmp_path: Path) -> None:
        path = _saved(tmp_path, "triplet", name)
        before = digests(path)
        saved = save(made(short=True), format_of("triplet", path), path, ABOUT)
        assert digests(path) == saved["files"] != before
        files = _contents(tmp_path)
        with pytest.raises(InputError, match="holds an export in the format triplet; choose another --out, or remove"):
            _saved(tmp_path, "n-tuple", name)
        assert _contents(tmp_path) == files

    @pytest.mark.parametrize(
        ("name", "change", "said"),
        [
            ("mined.jsonl", {"mined.jsonl": "years of work"}, "is not what .*mined.jsonl.json describes"),
            (
                "mined.jsonl",
                {"mined.jsonl.json": "{}"},
                "mined.jsonl.json would be written over and is not",
            ),
            ("mined.jsonl", {"mined.jsonl.json": None}, "mined.jsonl: exists, and is no export of negbench's"),
            ("mined.jsonl", {"mined.jsonl": None, "mined.jsonl.json": "[]"}, "would be written over"),
            ("mined", {"mined/thesis.txt": "years of work"}, "is not what .*negbench.json describes"),
            ("mined", {"mined/README.md": "a better card"}, "is not what .*negbench.json describes"),
            ("mined", {"mined/negbench.json": None}, "mined: holds other files; choose another folder"),
        ],
    )
    def test_what_was_changed_stays(self, name: str, change: dict[str, str | None], said: str, tmp_path: Path) -> None:
        _saved(tmp_path, "triplet", name)
        for file, text in change.items():
            (tmp_path / file).unlink() if text is None else (tmp_path / file).write_text(text)
        files = _contents(tmp_path)
        with pytest.raises(InputError, match=said):
            _saved(tmp_path, "triplet", name)
        assert _contents(tmp_path) == files

    def test_what_the_negatives_are_mined_from_stays(self, tmp_path: Path) -> None:
        path = _saved(tmp_path, "triplet", "mined.jsonl")
        folder = _saved(tmp_path, "triplet", "mined")
        (tmp_path / "link").symlink_to(tmp_path / "mined")
        for source, out in ((path, path), (folder, folder), (tmp_path / "link", folder), (tmp_path, path)):
            files = _contents(tmp_path)
            with pytest.raises(InputError, match="is read as the collection, or lies in its folder; choose another"):
                save(made(), format_of("triplet", out), out, ABOUT, [source])
            assert _contents(tmp_path) == files

    @pytest.mark.parametrize(
        ("spelling", "name", "said"),
        [
            ("dpr", "mined.parquet", "format dpr is written as .json"),
            ("triplet", "mined.csv", r"format triplet is written as .jsonl, .parquet or a folder \(no suffix\)"),
            ("triplets", "mined", "did you mean triplet"),
            ("n-tuple(scores=true)", "mined", "some documents have no score"),
        ],
    )
    def test_what_is_refused(self, spelling: str, name: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=said):
            _saved(tmp_path, spelling, name)
        assert list(tmp_path.iterdir()) == []


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
