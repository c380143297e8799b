from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.collections.beir import Beir
from negbench.collections.hub import Hub
from negbench.collections.repository import commit
from negbench.errors import InputError
from negbench.types import Collection

DOCUMENTS = [{"_id": f"{n}", "title": f"Title {n}", "text": f"Text of {n}."} for n in range(1, 31)]
QUERIES = [{"_id": f"{n}", "text": f"question {n}"} for n in range(100, 140)]
QRELS = {
    "train": [(n, n % 30 + 1, 1) for n in range(100, 130)],
    "test": [(n, n % 30 + 1, n % 3) for n in range(130, 140)],
}
CARD = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: qrels/train.jsonl}
  - {split: test, path: qrels/test.jsonl}
- config_name: corpus
  data_files: [{split: corpus, path: corpus.jsonl}]
- config_name: queries
  data_files: [{split: queries, path: queries.jsonl}]
---
"""


def jsonl(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def mteb(folder: Path) -> Path:
    """Lay out a repository as mteb's: three configs in the card, scores as floats."""
    jsonl(folder / "corpus.jsonl", DOCUMENTS)
    jsonl(folder / "queries.jsonl", QUERIES)
    for split, rows in QRELS.items():
        records = [{"query-id": str(q), "corpus-id": str(d), "score": float(grade)} for q, d, grade in rows]
        jsonl(folder / f"qrels/{split}.jsonl", records)
    (folder / "README.md").write_text(CARD)
    return folder


def siblings(folder: Path) -> Path:
    """Lay out two repositories as BeIR's: one with a script, one with the qrels."""
    jsonl(folder / "corpus.jsonl.gz", DOCUMENTS)
    jsonl(folder / "queries.jsonl.gz", QUERIES)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (folder / "script.py").write_text("raise SystemExit('this must never run')\n")
    qrels = folder.with_name(f"{folder.name}-qrels")
    qrels.mkdir()
    for split, rows in QRELS.items():
        table = "".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in rows)
        (qrels / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + table)
    return folder


def parquet(folder: Path) -> Path:
    """Lay out a repository of Parquet files with numbers as ids and ``qrels`` as a config."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    tables = {
        "corpus": [{"id": int(d["_id"]), "title": d["title"], "text": d["text"]} for d in DOCUMENTS],
        "queries": [{"id": int(q["_id"]), "text": q["text"]} for q in QUERIES],
        **{
            split: [{"query_id": q, "corpus_id": d, "score": grade} for q, d, grade in rows]
            for split, rows in QRELS.items()
        },
    }
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    card = CARD.replace("qrels/", "").replace("default", "qrels").replace(".jsonl", ".parquet")
    (folder / "README.md").write_text(card)
    return folder


def beir(folder: Path) -> Collection:
    """Load the same records from BEIR's layout, by a loader that has tests of its own."""
    jsonl(folder / "corpus.jsonl", DOCUMENTS)
    jsonl(folder / "queries.jsonl", QUERIES)
    (folder / "qrels").mkdir()
    for split, rows in QRELS.items():
        (folder / f"qrels/{split}.tsv").write_text("".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in rows))
    return Beir(path=str(folder)).load()


def same(first: Collection, second: Collection) -> None:
    for field in ("document_ids", "titles", "texts", "query_ids", "queries", "warnings"):
        assert getattr(first, field) == getattr(second, field), field
    assert first.qrels.keys() == second.qrels.keys()
    for split, qrels in first.qrels.items():
        for field in ("queries", "documents", "grades"):
            assert np.array_equal(getattr(qrels, field), getattr(second.qrels[split], field))


@pytest.mark.parametrize("layout", [mteb, siblings, parquet])
def test_every_layout_gives_what_beir_gives(layout: Any, tmp_path: Path) -> None:
    folder = layout(tmp_path / "knots")
    collection = Hub(id=str(folder)).load()
    assert collection.name == "knots"
    assert set(collection.qrels) == {"train", "dev", "test"}
    same(collection, beir(tmp_path / "reference"))


def test_the_fingerprint_of_a_folder_follows_its_files(tmp_path: Path) -> None:
    def mark(**parameters: Any) -> str:
        return Hub(id=str(tmp_path / "knots"), **parameters).fingerprint()

    siblings(tmp_path / "knots")
    siblings(tmp_path / "copy")
    assert Hub(id=str(tmp_path / "copy")).fingerprint() == mark()
    marks = [mark(), mark(dev=0.2)]
    (tmp_path / "knots-qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n130\t1\t1\n")
    marks.append(mark())
    jsonl(tmp_path / "knots/corpus.jsonl.gz", DOCUMENTS[:-1])
    marks.append(mark())
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(
    ("file", "records", "says"),
    [
        ("corpus.jsonl", [*DOCUMENTS, DOCUMENTS[0]], "corpus row 31: the id '1' already belongs to document number 1"),
        ("corpus.jsonl", [{"_id": "1", "body": "x"}], 'corpus row 1: the field "text" is missing; found _id, body'),
        ("queries.jsonl", [{"text": "x"}], 'queries row 1: the field "_id" is missing'),
        ("qrels/test.jsonl", [{"query-id": "100", "score": 1}], "default test row 1: no corpus-id; found"),
        (
            "qrels/test.jsonl",
            [{"query-id": "100", "corpus-id": "x1", "score": 1}],
            "default test row 1: none of the 1 judgments is about a query and document held here",
        ),
        (
            "qrels/test.jsonl",
            [{"query-id": "100", "corpus-id": "1", "score": 0.5}],
            "default test row 1: the score must be an integer",
        ),
        ("qrels/test.jsonl", [{"query-id": "100", "corpus-id": "1", "score": 0}], "default test: no judgment with a"),
        (
            "qrels/test.jsonl",
            [{"query-id": "100", "corpus-id": "1", "score": 1}, {"query-id": "101", "corpus-id": "1", "score": None}],
            "default test row 2: no score; found query-id, corpus-id",
        ),
        ("queries.jsonl", [{"_id": 7.5, "text": "x"}], 'queries row 1: the field "_id" must be text or a whole number'),
    ],
)
def test_what_is_broken_is_named_with_config_and_row(
    tmp_path: Path, file: str, records: list[dict[str, Any]], says: str
) -> None:
    folder = mteb(tmp_path / "knots")
    jsonl(folder / file, records)
    with pytest.raises(InputError) as caught:
        Hub(id=str(folder)).load()
    assert str(caught.value).startswith(f"hub:{folder} {says}")


def test_ids_that_are_fractions(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    for split in QRELS:
        jsonl(folder / f"qrels/{split}.jsonl", [{"query-id": 100.5, "corpus-id": "1", "score": 1}])
    with pytest.raises(InputError, match=r'train row 1: the field "query-id" must be text or a whole number, found 10'):
        Hub(id=str(folder)).load()


def test_a_number_of_another_name_may_be_the_grade(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    for split in QRELS:
        jsonl(folder / f"qrels/{split}.jsonl", [{"query-id": "100", "corpus-id": "1", "gain": 0}])
    with pytest.raises(InputError, match=r"train row 1: no score; found query-id, corpus-id, gain; give "):
        Hub(id=str(folder)).load()


def test_files_that_the_library_cannot_read(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    (folder / "corpus.jsonl").write_text("no JSON\n")
    with pytest.raises(InputError, match="cannot read corpus: "):
        Hub(id=str(folder)).load()


def test_configs_that_are_not_there(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    with pytest.raises(InputError, match="docs: no such config; it has default, corpus, queries: name the three"):
        Hub(id=str(folder), corpus="docs").load()
    with pytest.raises(InputError, match="judged: no such config; it has default, corpus, queries"):
        Hub(id=str(folder), qrels="judged").load()
    same(Hub(id=str(folder), qrels="default").load(), Hub(id=str(folder)).load())


@pytest.mark.parametrize("more", [{}, {"source": "by hand"}])
def test_pairs_without_a_score_are_relevant(more: dict[str, str], tmp_path: Path) -> None:
    """As in NanoBEIR's repositories; in a folder, too, a file of two columns says the same."""
    folder = mteb(tmp_path / "knots")
    for split, rows in QRELS.items():
        records = [{"query-id": str(q), "corpus-id": str(d), **more} for q, d, _ in rows]
        jsonl(folder / f"qrels/{split}.jsonl", records)
    collection = Hub(id=str(folder)).load()
    beir(tmp_path / "reference")
    for split, rows in QRELS.items():
        text = "".join(f"{q}\t{d}\n" for q, d, _ in rows)
        (tmp_path / f"reference/qrels/{split}.tsv").write_text(f"query-id\tcorpus-id\n{text}")
    same(collection, Beir(path=str(tmp_path / "reference")).load())
    assert set(collection.qrels["test"].grades.tolist()) == {1}
    assert len(collection.qrels["test"]) == len(QRELS["test"])


def test_grades_of_another_name(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    for split, rows in QRELS.items():
        records = [{"query-id": str(q), "corpus-id": str(d), "relevance": grade} for q, d, grade in rows]
        jsonl(folder / f"qrels/{split}.jsonl", records)
    same(Hub(id=str(folder)).load(), beir(tmp_path / "reference"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an offline hub cache of our own."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    commit.cache_clear()
    return tmp_path / "hub"


def keep(cache: Path, name: str, commit: str) -> Path:
    """Name a commit as the main branch of a repository in the cache, and return the folder for its files."""
    home = cache / f"datasets--ours--{name}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs/main").write_text(commit)
    (home / "snapshots").mkdir(exist_ok=True)
    return home / "snapshots" / commit


def test_a_repository_in_the_local_cache(cache: Path, tmp_path: Path) -> None:
    mteb(keep(cache, "knots", "a" * 40))
    source = Hub(id="ours/knots")
    assert source.fingerprint() == f"hub(id=ours/knots) v1 at {'a' * 40}"
    collection = source.load()
    assert collection.name == "ours/knots"
    same(collection, beir(tmp_path / "reference"))

    # A newer commit changes fingerprint and content of the next process, unless the older one is pinned.
    newer = mteb(keep(cache, "knots", "b" * 40))
    jsonl(newer / "corpus.jsonl", [*DOCUMENTS, {"_id": "99", "text": "new"}])
    assert source.fingerprint().endswith(f" at {'a' * 40}")  # this process keeps to what it has seen
    same(source.load(), collection)
    commit.cache_clear()
    assert source.fingerprint().endswith(f" at {'b' * 40}")
    assert len(source.load().texts) == len(DOCUMENTS) + 1
    pinned = Hub(id="ours/knots", revision="a" * 40)
    assert pinned.fingerprint().endswith(f" at {'a' * 40}")
    same(pinned.load(), collection)


def test_a_sibling_in_the_local_cache(cache: Path, tmp_path: Path) -> None:
    folder = siblings(tmp_path / "knots")
    keep(cache, "knots", "a" * 40).symlink_to(folder)
    keep(cache, "knots-qrels", "c" * 40).symlink_to(tmp_path / "knots-qrels")
    source = Hub(id="ours/knots")
    assert source.fingerprint() == f"hub(id=ours/knots) v1 at {'a' * 40} and {'c' * 40}"
    same(source.load(), beir(tmp_path / "reference"))


def test_a_repository_that_is_nowhere(cache: Path) -> None:
    for act in (Hub(id="ours/nothing").fingerprint, Hub(id="ours/nothing").load):
        with pytest.raises(InputError, match=r"^hub:ours/nothing: no such dataset \(revision main\)"):
            act()
    with pytest.raises(InputError, match=r"^hub:a/b/c: cannot be reached"):
        Hub(id="a/b/c").fingerprint()


def _tables() -> dict[str, list[dict[str, Any]]]:
    judged = [{"query-id": str(q), "corpus-id": str(d)} for q, d, _ in QRELS["test"]]
    return {"corpus": DOCUMENTS, "queries": QUERIES, "qrels": judged}


def by_config(folder: Path) -> Path:
    """Lay out two languages as MTEB does: de-corpus, de-queries, de-qrels."""
    return laid_out(folder, lambda language, name: (f"{language}-{name}", "test"))


def by_split_of_a_config(folder: Path) -> Path:
    """Lay out a config a language, whose splits are corpus, queries and qrels."""
    return laid_out(folder, lambda language, name: (language, name))


def by_split(folder: Path) -> Path:
    """Lay out three configs with a split a data set, as the collected NanoBEIR repositories do."""
    return laid_out(folder, lambda language, name: (name, language))


def laid_out(folder: Path, where: Any) -> Path:
    files: dict[str, dict[str, str]] = {}
    for language in ("de", "fr"):
        for name, rows in _tables().items():
            config, split = where(language, name)
            path = f"{config}/{split}.jsonl"
            own = [{**row, "text": f"{language} {row['text']}"} if "text" in row else row for row in rows]
            if config == language:  # splits of one config have the same columns
                names = dict.fromkeys((key for table in _tables().values() for key in table[0]), "")
                own = [{**names, **row} for row in own]
            jsonl(folder / path, own)
            files.setdefault(config, {})[split] = path
    card = "".join(
        f"- config_name: {config}\n  data_files:\n"
        + "".join(f"  - {{split: {split}, path: {path}}}\n" for split, path in splits.items())
        for config, splits in files.items()
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{card}---\n")
    return folder


@pytest.mark.parametrize("layout", [by_config, by_split_of_a_config, by_split])
def test_one_of_several_languages(layout: Any, tmp_path: Path) -> None:
    folder = layout(tmp_path / "knots")
    collection = Hub(id=str(folder), subset="fr").load()
    assert len(collection.texts) == len(DOCUMENTS)
    assert all(text.startswith("fr ") for text in (*collection.texts, *collection.queries))
    assert len(collection.qrels["test"]) == len(QRELS["test"])
    with pytest.raises(InputError, match="subset="):
        Hub(id=str(folder), subset="it").load()


def test_columns_as_trec_calls_them(tmp_path: Path) -> None:
    folder = mteb(tmp_path / "knots")
    for split, rows in QRELS.items():
        named = [{"qid": str(q), "iteration": 0, "docid": str(d), "relevance": grade} for q, d, grade in rows]
        jsonl(folder / f"qrels/{split}.jsonl", named)
    same(Hub(id=str(folder)).load(), beir(tmp_path / "reference"))
