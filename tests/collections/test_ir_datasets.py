from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from negbench.collections.beir import Beir
from negbench.collections.ir_datasets import IrDatasets
from negbench.errors import InputError

ir_datasets = pytest.importorskip("ir_datasets")

DOCUMENTS = [(f"d{n}", f"Title {n}", f"Text of {n}.") for n in range(20)]
QUERIES = [(f"q{n}", f"question {n}") for n in range(30)]
QRELS = {
    "train": [(f"q{n}", f"d{n % 20}", 1) for n in range(20)],
    "test": [(f"q{n}", f"d{n % 20}", n % 3) for n in range(20, 30)],
}


class TitledDoc(NamedTuple):
    doc_id: str
    title: str
    text: str

    def default_text(self) -> str:
        return f"{self.title} {self.text}"


class Held:
    """Documents, queries and judgments as the package's datasets hold them, from lists or from a failure."""

    def __init__(self, **tables: Any) -> None:
        self._tables = tables
        for table, rows in tables.items():
            setattr(self, f"{table}_handler", lambda: self)
            setattr(self, f"{table}_iter", lambda rows=rows: rows() if callable(rows) else iter(rows))


def doc(*fields: str) -> Any:
    return TitledDoc(*fields)


def query(*fields: str) -> Any:
    return ir_datasets.formats.GenericQuery(*fields)


def qrel(query_id: str, doc_id: str, grade: int) -> Any:
    return ir_datasets.formats.TrecQrel(query_id, doc_id, grade, "0")


def register(name: str, **tables: Any) -> None:
    ir_datasets.registry.register(name, ir_datasets.Dataset(Held(**tables)))


@pytest.fixture
def name() -> str:
    """Give an id that no other test has registered; the package cannot take one back."""
    return f"negbench-{uuid.uuid4().hex}"


def test_a_dataset_with_splits_gives_what_beir_gives(name: str, tmp_path: Path) -> None:
    register(name, docs=[doc(*row) for row in DOCUMENTS], queries=[query(*row) for row in QUERIES])
    for split, rows in QRELS.items():
        asked = {row[0] for row in rows}
        register(
            f"{name}/{split}",
            docs=[],  # only the whole dataset's documents are read
            queries=[query(*row) for row in QUERIES if row[0] in asked],
            qrels=[qrel(*row) for row in rows],
        )
    collection = IrDatasets(id=name).load()

    (tmp_path / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": title, "text": text}) + "\n" for i, title, text in DOCUMENTS)
    )
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps({"_id": i, "text": text}) + "\n" for i, text in QUERIES))
    (tmp_path / "qrels").mkdir()
    for split, rows in QRELS.items():
        (tmp_path / f"qrels/{split}.tsv").write_text("".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in rows))
    expected = Beir(path=str(tmp_path)).load()

    assert collection.name == name
    for field in ("document_ids", "titles", "texts", "query_ids", "queries", "warnings"):
        assert getattr(collection, field) == getattr(expected, field), field
    assert set(collection.qrels) == set(expected.qrels) == {"train", "dev", "test"}
    for split, qrels in collection.qrels.items():
        assert np.array_equal(qrels.queries, expected.qrels[split].queries)
        assert np.array_equal(qrels.documents, expected.qrels[split].documents)
        assert np.array_equal(qrels.grades, expected.qrels[split].grades)


def test_the_packages_own_readers_on_local_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_text("".join(f"{i}\t{text}\n" for i, _, text in DOCUMENTS))
    (tmp_path / "queries.tsv").write_text("".join(f"{i}\t{text}\n" for i, text in QUERIES))
    (tmp_path / "qrels.txt").write_text("".join(f"{q} 0 {d} {grade}\n" for q, d, grade in QRELS["test"]))
    dataset = ir_datasets.create_dataset(
        docs_tsv=str(tmp_path / "docs.tsv"),
        queries_tsv=str(tmp_path / "queries.tsv"),
        qrels_trec=str(tmp_path / "qrels.txt"),
    )
    ir_datasets.registry.register(name, dataset)
    collection = IrDatasets(id=name).load()
    assert collection.texts == [text for _, _, text in DOCUMENTS]
    assert collection.titles == [""] * len(DOCUMENTS)
    assert collection.queries == [text for _, text in QUERIES]
    assert list(collection.qrels) == ["test"]
    found = collection.qrels["test"]
    assert [
        (collection.query_ids[q], collection.document_ids[d], grade)
        for q, d, grade in zip(found.queries, found.documents, found.grades, strict=True)
    ] == QRELS["test"]


def test_queries_that_only_the_splits_hold(name: str) -> None:
    register(name, docs=[doc(*row) for row in DOCUMENTS])
    register(f"{name}/train", queries=[query("a", "one"), query("b", "two")], qrels=[qrel("a", "d1", 1)])
    register(f"{name}/validation", queries=[query("b", "two"), query("c", "three")], qrels=[qrel("c", "d1", 1)])
    collection = IrDatasets(id=name, test=0).load()
    assert (collection.query_ids, collection.queries) == (["a", "b", "c"], ["one", "two", "three"])
    assert list(collection.qrels) == ["train", "dev"]


def test_a_split_given_by_its_own_id(name: str) -> None:
    tables = {"docs": [doc(*row) for row in DOCUMENTS], "queries": [query(*row) for row in QUERIES]}
    register(f"{name}/dev", **tables, qrels=[qrel("q1", "d1", 1)])
    assert list(IrDatasets(id=f"{name}/dev").load().qrels) == ["dev"]


def broken() -> Any:
    yield doc("d1", "t", "x")
    raise OSError("the download failed")


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"docs": [doc("d1", "", "x")] * 2}, " docs record 2: the id 'd1' already belongs to document number 1"),
        ({"docs": []}, " docs: no documents"),
        ({"docs": broken}, " docs: cannot be read: the download failed"),
        ({"queries": [query("q1", "one"), query("q1", "two")]}, " queries record 2: the id 'q1' already belongs"),
        ({"qrels": [qrel("q1", "d7", 1)]}, " qrels record 1: none of the 1 judgments is about a query and "),
        ({"qrels": [qrel("q7", "d1", 1)]}, " qrels record 1: none of the 1 judgments is about a query and "),
        ({"qrels": []}, " qrels: no judgments"),
        ({"qrels": None}, ": no judgments, neither of the dataset itself"),
        ({"docs": None}, ": the dataset has no documents"),
    ],
)
def test_what_is_broken_is_named_with_dataset_and_record(name: str, tables: dict[str, Any], says: str) -> None:
    good = {"docs": [doc("d1", "", "x")], "queries": [query("q1", "one")], "qrels": [qrel("q1", "d1", 1)]}
    register(name, **{table: rows for table, rows in (good | tables).items() if rows is not None})
    with pytest.raises(InputError) as caught:
        IrDatasets(id=name).load()
    assert str(caught.value).startswith(f"ir_datasets:{name}{says}")


def test_the_fingerprint_holds_the_parameters_and_the_version(name: str) -> None:
    register(name, docs=[])
    expected = f"ir_datasets(id={name}, dev=0.2) v1, ir_datasets {ir_datasets.__version__}"
    assert IrDatasets(id=name, dev=0.2).fingerprint() == expected
    with pytest.raises(InputError, match=r"^ir_datasets:nothing/here: the package has no such dataset"):
        IrDatasets(id="nothing/here").fingerprint()


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(InputError, match=r"pip install 'negbench\[ir-datasets\]'"):
        IrDatasets(id="beir/scifact").load()
