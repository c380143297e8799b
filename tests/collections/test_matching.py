"""Judgments and what is held: what is absent is left out and counted, ids written differently are refused.

Every way of loading goes through the same step, so all of them are held against the same sentences.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from negbench.collections import Source
from negbench.collections.beir import Beir
from negbench.collections.hub import Hub
from negbench.collections.ir_datasets import IrDatasets
from negbench.errors import InputError
from negbench.types import Qrels

Judged = list[tuple[Any, Any, int]]
CARD = """---
configs:
- {config_name: corpus, data_files: [{split: corpus, path: corpus.jsonl}]}
- {config_name: queries, data_files: [{split: queries, path: queries.jsonl}]}
- {config_name: qrels, data_files: [{split: test, path: qrels.jsonl}]}
---
"""


def _jsonl(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def _tables(folder: Path, documents: list[Any], queries: list[Any]) -> None:
    _jsonl(folder / "corpus.jsonl", [{"_id": name, "text": f"text of {name}"} for name in documents])
    _jsonl(folder / "queries.jsonl", [{"_id": name, "text": f"question {name}"} for name in queries])


def of_beir(folder: Path, documents: list[Any], queries: list[Any], judged: Judged) -> Source:
    _tables(folder, documents, queries)
    (folder / "qrels").mkdir()
    (folder / "qrels/test.tsv").write_text("".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in judged))
    return Beir(path=str(folder))


def of_hub(folder: Path, documents: list[Any], queries: list[Any], judged: Judged) -> Source:
    _tables(folder, documents, queries)
    _jsonl(folder / "qrels.jsonl", [{"query-id": q, "corpus-id": d, "score": grade} for q, d, grade in judged])
    (folder / "README.md").write_text(CARD)
    return Hub(id=str(folder))


def of_ir_datasets(_: Path, documents: list[Any], queries: list[Any], judged: Judged) -> Source:
    package = pytest.importorskip("ir_datasets")
    formats, name = package.formats, f"negbench-{uuid.uuid4().hex}"

    class Held:
        def __init__(self) -> None:
            self.docs_handler = self.queries_handler = self.qrels_handler = lambda: self
            self.docs_iter = lambda: (formats.GenericDoc(name, f"text of {name}") for name in documents)
            self.queries_iter = lambda: (formats.GenericQuery(name, f"question {name}") for name in queries)
            self.qrels_iter = lambda: (formats.TrecQrel(q, d, grade, "0") for q, d, grade in judged)

    package.registry.register(name, package.Dataset(Held()))
    return IrDatasets(id=name)


everywhere = pytest.mark.parametrize("source", [of_beir, of_hub, of_ir_datasets])


def triples(qrels: Qrels) -> list[tuple[int, int, int]]:
    return list(zip(qrels.queries.tolist(), qrels.documents.tolist(), qrels.grades.tolist(), strict=True))


@everywhere
def test_what_is_absent_is_left_out_and_counted(source: Callable[..., Source], tmp_path: Path) -> None:
    judged = [("q1", "d1", 2), ("q1", "gone", 1), ("q1", "far", 0), ("lost", "d1", 1), ("lost", "gone", 1)]
    judged += [("q2", "gone", 1), ("q3", "gone", -1), ("q3", "d2", 1), ("q3", "d1", 0)]
    collection = source(tmp_path, ["d1", "d2"], ["q1", "q2", "q3"], judged).load()
    assert triples(collection.qrels["test"]) == [(0, 0, 2), (2, 0, 0), (2, 1, 1)]
    assert collection.warnings == (
        "1 query has no positive in any split",
        "2 judgments of test name an unknown query and are left out (the first is 'lost')",
        "4 judgments of test name an unknown document and are left out (the first is 'gone'); 2 are relevant "
        "and left out of nDCG and recall, where trec_eval would count a document as not retrieved",
        "1 query of test has no positive in the corpus and is not evaluated",
    )


def test_an_absent_document_that_is_not_relevant_changes_no_measure(tmp_path: Path) -> None:
    collection = of_beir(tmp_path, ["d1"], ["q1"], [("q1", "d1", 1), ("q1", "gone", 0)]).load()
    assert collection.warnings == ("1 judgment of test names an unknown document and is left out ('gone')",)


@everywhere
@pytest.mark.parametrize(
    ("held", "judged"),
    [("007", "7"), ("7", "007"), ("000", "0"), ("7", "7.0"), ("d 7", "d 7 "), (" d7", "d7")],
)
def test_an_id_that_is_written_differently_is_refused(
    source: Callable[..., Source], held: str, judged: str, tmp_path: Path
) -> None:
    """Even where others match: zeros lost from some ids would leave out the low ones without an error."""
    with pytest.raises(InputError) as caught:
        source(tmp_path, ["100", held], ["100"], [("100", "100", 1), ("100", judged, 1)]).load()
    assert f"the judged document {judged!r} does not exist in" in str(caught.value)
    assert f"but {held!r} does" in str(caught.value)
    assert any(place in str(caught.value) for place in ("test.tsv:2:", "row 2:", "record 2:"))


def test_ids_that_only_look_alike_are_not_the_same(tmp_path: Path) -> None:
    collection = of_beir(tmp_path, ["70", "a07", "7"], ["1"], [("1", "7", 1), ("1", "a7", 1), ("1", "700", 1)]).load()
    assert triples(collection.qrels["test"]) == [(0, 2, 1)]


def test_a_query_that_is_written_differently_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"test.tsv:1: the judged query '0' does not exist in .*queries.jsonl, but '00'"
    ):
        of_beir(tmp_path, ["0"], ["00"], [("0", "0", 1)]).load()


@everywhere
def test_judgments_that_match_nothing_show_an_id_of_either_side(source: Callable[..., Source], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        source(tmp_path, ["d1", "d2"], ["q1"], [("d1", "q1", 1), ("d2", "q1", 1)]).load()  # the columns are swapped
    message = str(caught.value)
    assert "none of the 2 judgments is about a query and document held here" in message
    assert "this one has query 'd1' and document 'q1'" in message
    assert "queries like 'q1'" in message
    assert "documents like 'd1'" in message


@everywhere
def test_where_no_positive_is_left_the_split_is_refused(source: Callable[..., Source], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no judgment with a score above 0 of a query and document of this collection"):
        source(tmp_path, ["d1"], ["q1"], [("q1", "d1", 0), ("q1", "gone", 1)]).load()


@everywhere
def test_ids_that_are_numbers_are_their_digits(source: Callable[..., Source], tmp_path: Path) -> None:
    collection = source(tmp_path, [10, 7], [7, 8], [(8, 10, 1), (7, 7, 2)]).load()
    assert (collection.document_ids, collection.query_ids) == (["10", "7"], ["7", "8"])
    assert triples(collection.qrels["test"]) == [(0, 1, 2), (1, 0, 1)]
    assert collection.warnings == ()


def test_ids_that_are_numbers_here_and_text_there(tmp_path: Path) -> None:
    collection = of_hub(tmp_path, [10, 7], ["7", "8"], [("8", "10", 1), ("7", "7", 2)]).load()
    assert triples(collection.qrels["test"]) == [(0, 1, 2), (1, 0, 1)]


def test_truth_is_matched_as_judgments_are(tmp_path: Path) -> None:
    folder = tmp_path / "held"
    folder.mkdir()
    of_beir(folder, [7, 10], [1, 2], [(1, 7, 1)])
    (folder / "truth").mkdir()
    source = Beir(path=str(folder), truth="truth/{split}.tsv")
    truth = folder / "truth/test.tsv"
    truth.write_text("1\t10\t1.0\n1\t99\t1\n2\t7\t1\n")
    collection = source.load()
    assert triples(collection.truth["test"]) == [(0, 0, 1), (0, 1, 1)]
    assert (
        "2 truth judgments of test name a query or document outside the split and are left out" in collection.warnings
    )
    truth.write_text("query-id\tcorpus-id\n1\t10\n")
    assert triples(source.load().truth["test"]) == [(0, 0, 1), (0, 1, 1)]
    truth.write_text("1\t10\t1\n1\t007\t1\n")
    with pytest.raises(
        InputError, match=r"truth/test.tsv:2: the judged document '007' does not exist in .* but '7' does"
    ):
        source.load()
    truth.write_text("1\t10\t0.5\n")
    with pytest.raises(InputError, match=r"truth/test.tsv:1: the score must be an integer .* found '0.5'"):
        source.load()
