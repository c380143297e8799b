from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beir_folders import DATA, DOCUMENTS, QUERIES, lines, load, pairs, real, write
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from negbench.collections import checks
from negbench.collections.beir import Beir
from negbench.errors import InputError


def test_a_small_folder(folder: Path) -> None:
    collection = load(folder)
    assert collection.name == folder.name
    assert collection.document_ids == ["d1", "d2", "d3"]
    assert collection.titles == ["Socks", "", ""]
    assert collection.passages()[1:] == ["Cotton dries slowly.", "Linen is cool."]
    assert collection.query_ids == ["q1", "q2"]
    assert collection.queries == ["warm feet", "cool cloth"]
    assert list(collection.qrels) == ["test"]
    assert pairs(collection, collection.qrels["test"]) == {
        ("q1", "d1"): 2,
        ("q2", "d1"): 0,
        ("q2", "d2"): -1,
        ("q2", "d3"): 1,
    }
    assert collection.truth == {}
    assert collection.truth_kind == "none"
    assert collection.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "q1 0 d1 2\nq2 Q0 d3 1\n",
        "q1\t0\td1\t2\nq2\t0\td3\t1",
        "q1 d1 2\nq2 d3 1\n",
        "q1\td1\t2\r\nq2\td3\t1\r\n",
        "\ufeffq1\td1\t2\nq2\td3\t1\n",
        "\ufeff\nq1\td1\t2\nq2\td3\t1\n",
        "\ufeffquery_id\tcorpus_id\tscore\nq1\td1\t2\n\nq2\td3\t+1\n",
        "query-id\tcorpus-id\tscore\nq1\td1\t2.0\nq2\td3\t1.000000e+00\n",  # as pandas and NumPy write them
    ],
)
def test_the_forms_of_qrels(folder: Path, text: str) -> None:
    write(folder / "qrels/test.tsv", text)
    collection = load(folder)
    assert pairs(collection, collection.qrels["test"]) == {("q1", "d1"): 2, ("q2", "d3"): 1}


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), min_size=1, max_size=6)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    documents = draw(st.dictionaries(names, st.tuples(words, words), min_size=1, max_size=8))
    queries = draw(st.dictionaries(names, words, min_size=1, max_size=8))
    pair = st.tuples(st.sampled_from(sorted(queries)), st.sampled_from(sorted(documents)))
    qrels = {}
    for split in draw(st.sets(st.sampled_from(["train", "dev", "test", "extra"]), min_size=1)):
        grades = draw(st.dictionaries(pair, st.integers(-2, 4), max_size=12))
        grades[draw(pair)] = draw(st.integers(1, 4))  # a split without a positive is refused
        qrels[split] = grades
    flags = {key: draw(st.booleans()) for key in ("gz", "header", "trec")}
    return {"documents": documents, "queries": queries, "qrels": qrels, **flags}


@given(worlds())
def test_what_is_written_is_what_is_loaded(world: dict[str, Any]) -> None:
    end = ".gz" if world["gz"] else ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(
            folder / f"corpus.jsonl{end}",
            lines([{"_id": i, "title": title, "text": text} for i, (title, text) in world["documents"].items()]),
        )
        write(folder / f"queries.jsonl{end}", lines([{"_id": i, "text": text} for i, text in world["queries"].items()]))
        middle = "Q0\t" if world["trec"] else ""
        for split, grades in world["qrels"].items():
            header = "query-id\tcorpus-id\tscore\n" if world["header"] else ""
            rows = "".join(f"{q}\t{middle}{d}\t{grade}\n" for (q, d), grade in grades.items())
            write(folder / f"qrels/{split}.tsv{end}", header + rows)
        source = Beir(path=name, dev=0, test=0)
        collection = source.load()
        assert source.fingerprint() == source.fingerprint()
    assert collection.document_ids == list(world["documents"])
    assert list(zip(collection.titles, collection.texts, strict=True)) == list(world["documents"].values())
    assert collection.query_ids == list(world["queries"])
    assert collection.queries == list(world["queries"].values())
    assert {split: pairs(collection, qrels) for split, qrels in collection.qrels.items()} == world["qrels"]


GOOD = '{"_id": "d1", "text": "x"}\n'


@pytest.mark.parametrize(
    ("file", "text", "line", "says"),
    [
        ("corpus.jsonl", GOOD + '{"_id": "d2", "text": \n', 2, "broken JSON, Expecting value at column 22"),
        ("corpus.jsonl", GOOD + "\n" + "[1, 2]\n", 3, "expected an object"),
        ("corpus.jsonl", GOOD + "[" * 100_000 + "\n", 2, "unreadable JSON"),
        ("corpus.jsonl", '{"text": "x"}\n', 1, 'the field "_id" is missing; found text'),
        ("corpus.jsonl", '{"_id": "d1", "title": "x"}\n', 1, 'the field "text" is missing; found _id, title'),
        ("corpus.jsonl", GOOD + '{"_id": 2.0, "text": "x"}\n', 2, '"_id" must be text or a whole number, found 2.0'),
        ("queries.jsonl", '{"_id": true, "text": "x"}\n', 1, '"_id" must be text or a whole number, found True'),
        ("queries.jsonl", '{"_id": null, "text": "x"}\n', 1, '"_id" must be text or a whole number, found None'),
        ("corpus.jsonl", GOOD + '{"_id": "2", "text": null}\n', 2, 'the field "text" must be text, found None'),
        ("corpus.jsonl", GOOD + '{"_id": "2", "title": [], "text": ""}\n', 2, 'the field "title" must be text'),
        ("corpus.jsonl", GOOD + '{"_id": "", "text": "x"}\n', 2, 'the field "_id" is empty'),
        ("corpus.jsonl", GOOD + '{"_id": "2", "text": "\\ud800"}\n', 2, "text with half a character"),
        ("corpus.jsonl", '{"_id": "d0", "text": "x"}\n' + GOOD * 2, 3, "'d1' already belongs to document number 2"),
        ("queries.jsonl", "nonsense\n", 1, "broken JSON"),
        ("queries.jsonl", '{"_id": "q1"}\n', 1, 'the field "text" is missing'),
        ("queries.jsonl", lines(QUERIES + QUERIES[:1]), 3, "'q1' already belongs to query number 1"),
        ("qrels/test.tsv", "q1\td1\t1\nq2\td1\n", 2, "expected query-id, corpus-id and score between tabs"),
        ("qrels/test.tsv", "q1\td1\t1\nq2\t0\td1\t1\tx\n", 2, "expected query-id, corpus-id and score"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tyes\n", 2, "must be an integer of at most nine"),
        ("qrels/test.tsv", "q1\td1\t1\nquery-id\tcorpus-id\tscore\n", 2, "found 'score'"),
        (
            "qrels/test.tsv",
            "q1\td1\t1\nq1\td2\n",
            2,
            "only the two ids, or TREC's four columns, the same number in every line",
        ),
        ("qrels/test.tsv", "q1\td1\nq1\td2\t1\n", 2, "the same number in every line; found 'q1\\td2\\t1'"),
        ("qrels/test.tsv", "q1\td1\t1\nq1\t\t1\n", 2, 'the field "corpus-id" is empty'),
        ("qrels/test.tsv", "\td1\t1\n", 1, 'the field "query-id" is empty'),
        ("qrels/test.tsv", "q1,d1,1\n", 1, "expected query-id, corpus-id and score between tabs"),
        ("qrels/test.tsv", "q1\td1\t1\nq2\td1\t0.5\n", 2, "must be an integer of at most nine digits, found '0.5'"),
        ("qrels/test.tsv", "q1\td1\t1.5\n", 1, "found '1.5'"),
        ("qrels/test.tsv", "q1\td1\t1e-1\n", 1, "found '1e-1'"),
        ("qrels/test.tsv", "q1\td1\tnan\n", 1, "found 'nan'"),
        ("qrels/test.tsv", "q1\td1\t1_0\n", 1, "found '1_0'"),
        ("qrels/test.tsv", "q1\td1\t9999999999\n", 1, "found '9999999999'"),
    ],
)
def test_what_is_broken_is_named_with_file_and_line(folder: Path, file: str, text: str, line: int, says: str) -> None:
    write(folder / file, text)
    with pytest.raises(InputError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / file}:{line}: ")
    assert says.format(folder) in message
    assert "\n" not in message


@pytest.mark.parametrize("file", ["corpus.jsonl", "qrels/test.tsv"])
def test_bytes_that_are_not_text(folder: Path, file: str) -> None:
    path = folder / file
    path.write_bytes(path.read_bytes() + b'{"_id": "\xff", "text": ""}\n')
    with pytest.raises(InputError, match=rf"{file}:\d: not UTF-8 text"):
        load(folder)


def test_a_file_cut_short(folder: Path) -> None:
    whole = gzip.compress((folder / "corpus.jsonl").read_bytes())
    (folder / "corpus.jsonl").unlink()
    (folder / "corpus.jsonl.gz").write_bytes(whole[:-12])
    with pytest.raises(InputError, match=r"corpus.jsonl.gz:\d: the file is unreadable from this line on"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("corpus.jsonl", "\n", "corpus.jsonl: no documents"),
        ("queries.jsonl", "", "queries.jsonl: no queries"),
        ("qrels/test.tsv", "", "qrels/test.tsv: no judgments; fill this split or remove it"),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\n", "qrels/train.tsv: no judgments"),
        ("qrels/test.tsv", "q1\td1\t0\n", "qrels/test.tsv: no judgment with a score above 0"),
    ],
)
def test_what_is_empty_is_named(folder: Path, file: str, text: str, says: str) -> None:
    write(folder / file, text)
    with pytest.raises(InputError) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{folder}/{says}")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("corpus.jsonl", "no corpus.jsonl or corpus.jsonl.gz"),
        ("queries.jsonl", "no queries.jsonl or queries.jsonl.gz"),
        ("qrels/test.tsv", "no split; expected files like test.tsv"),
    ],
)
def test_what_is_missing_is_named(folder: Path, file: str, says: str) -> None:
    (folder / file).unlink()
    for act in (Beir(path=str(folder)).load, Beir(path=str(folder)).fingerprint):
        with pytest.raises(InputError, match=says):
            act()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Beir(path=str(tmp_path / "nowhere")).fingerprint()


def test_two_names_of_one_split(folder: Path) -> None:
    write(folder / "qrels/dev.tsv", "q1\td1\t1\n")
    write(folder / "qrels/validation.tsv", "q2\td1\t1\n")
    with pytest.raises(InputError, match=r"validation.tsv: a second dev split"):
        load(folder)


def test_what_is_odd_is_counted(folder: Path) -> None:
    more = [
        {"_id": "d4", "title": "Socks", "text": "Wool keeps feet warm."},
        {"_id": "d5", "title": "Socks", "text": "Wool keeps feet warm."},
        {"_id": "d6", "title": "", "text": " "},
        {"_id": "d7", "text": ""},
        {"_id": "d9", "text": ""},  # as empty as the one before, which counts once, as empty
        {"_id": "d8", "text": "Socks Wool keeps feet warm."},  # the same passage, but not the same document
    ]
    asked = [{"_id": "q3", "text": " WARM\u00a0 feet "}, {"_id": "q4", "text": ""}, {"_id": "q5", "text": "unjudged"}]
    write(folder / "corpus.jsonl", lines(DOCUMENTS + more))
    write(folder / "queries.jsonl", lines(QUERIES + asked))
    write(folder / "qrels/dev.tsv", "q3\td1\t1\nq4\td1\t0\nq3\td1\t2\n")
    collection = load(folder)
    assert collection.warnings == (
        "3 documents have no text",
        "1 query has no text",
        "2 documents are exact duplicates of another",
        "1 query text occurs in two or more splits",
        "2 queries have no positive in any split",
        "1 pair is judged more than once; the last counts",
    )
    assert pairs(collection, collection.qrels["dev"]) == {("q3", "d1"): 2, ("q4", "d1"): 0}


def test_truth_is_the_visible_positives_and_the_fuller_ones(folder: Path) -> None:
    write(folder / "extra/test.full.tsv.gz", "q1\td1\t3\nq1\td2\t1\nq1\td3\t0\nq2\td3\t0\nq9\td1\t1\nq1\td9\t1\n")
    collection = load(folder, truth="extra/{split}.full.tsv.gz", truth_kind="complete")
    assert collection.truth_kind == "complete"
    # d1 takes the fuller grade; q2's d3 is a visible positive that a zero does not undo
    assert pairs(collection, collection.truth["test"]) == {("q1", "d1"): 3, ("q1", "d2"): 1, ("q2", "d3"): 1}
    assert collection.warnings == (
        "2 truth judgments of test name a query or document outside the split and are left out",
    )


def test_truth_goes_with_its_queries_into_a_carved_split(folder: Path) -> None:
    queries = [{"_id": f"q{n}", "text": f"question {n}"} for n in range(10)]
    write(folder / "queries.jsonl", lines(queries))
    write(folder / "qrels/train.tsv", "".join(f"q{n}\td1\t1\n" for n in range(9)))
    write(folder / "qrels/test.tsv", "q9\td1\t1\n")
    write(folder / "extra/train.tsv", "".join(f"q{n}\td2\t1\n" for n in range(9)))
    collection = load(folder, truth="extra/{split}.tsv", dev=0.3)
    assert {split: len(collection.split_queries(split)) for split in collection.qrels} == {
        "train": 6,
        "dev": 3,
        "test": 1,
    }
    assert set(collection.truth) == {"train", "dev"}
    for split in ("train", "dev"):
        judged = {query for query, _ in pairs(collection, collection.qrels[split])}
        expected = {(query, document): 1 for query in judged for document in ("d1", "d2")}
        assert pairs(collection, collection.truth[split]) == expected


def test_truth_that_fits_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no such file for any of the splits test"):
        load(folder, truth="extra/{split}.tsv")
    write(folder / "extra/test.tsv", "q7\td1\t1\n")
    with pytest.raises(InputError, match=r"test.tsv:1: none of the 1 judgments .* query 'q7' .* queries like 'q1'"):
        load(folder, truth="extra/{split}.tsv")
    write(folder / "queries.jsonl", lines([*QUERIES, {"_id": "q7", "text": "of no split"}]))
    with pytest.raises(InputError, match=r"test.tsv: none of its 1 judgments is about a query of the split test"):
        load(folder, truth="extra/{split}.tsv")
    write(folder / "extra/test.tsv", "q1\td1\t1\nq1\td1\tx\n")
    with pytest.raises(InputError, match=r"test.tsv:2: the score must be an integer"):
        load(folder, truth="extra/{split}.tsv")


@pytest.mark.parametrize("parameters", [{"truth": "all.tsv"}, {"dev": 0.5}, {"test": -0.1}, {"truth_kind": "none"}])
def test_parameters_out_of_bounds(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(parameters))):
        Beir(path="x", **parameters)


def test_the_fingerprint_follows_what_is_read(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def mark(**parameters: Any) -> str:
        return Beir(path=str(folder), **parameters).fingerprint()

    first = mark()
    write(folder / "notes.txt", "not read")
    write(folder / "extra/test.tsv", "q1\td2\t1\n")
    assert mark() == first
    other = tmp_path_factory.mktemp("elsewhere")
    for path in folder.rglob("*.*"):
        write(other / path.relative_to(folder), path.read_text())
    assert Beir(path=str(other)).fingerprint() == first
    marks = [first, mark(dev=0.2), mark(test=0.2), mark(truth="extra/{split}.tsv")]
    marks.append(mark(truth="extra/{split}.tsv", truth_kind="complete"))
    write(folder / "extra/test.tsv", "q1\td3\t1\n")
    marks.append(mark(truth="extra/{split}.tsv"))
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        write(folder / name, (folder / name).read_text() + "\n")
        marks.append(mark())
    (folder / "qrels/test.tsv").rename(folder / "qrels/dev.tsv")
    marks.append(mark())
    assert len(set(marks)) == len(marks)


@real
def test_scifact() -> None:
    collection = load(DATA / "scifact")
    assert (len(collection.texts), len(collection.queries)) == (5183, 1109)
    assert {split: len(qrels) for split, qrels in load(DATA / "scifact", dev=0).qrels.items()} == {
        "train": 919,
        "test": 339,
    }
    assert len(collection.split_queries("test")) == 300
    assert len(collection.split_queries("train")) + len(collection.split_queries("dev")) == 809
    assert 79 <= len(collection.split_queries("dev")) <= 83
    assert "2 query texts occur in two or more splits" in collection.warnings
    assert not any("duplicate" in warning or "no text" in warning for warning in collection.warnings)


@real
def test_nfcorpus_with_its_fuller_judgments() -> None:
    collection = load(DATA / "nfcorpus", truth="extra/{split}.3-2-1.tsv.gz")
    assert len(collection.texts) == 3633
    assert {split: (len(collection.split_queries(split)), len(q)) for split, q in collection.qrels.items()} == {
        "train": (2590, 110575),
        "dev": (324, 11385),
        "test": (323, 12334),
    }
    assert "40 documents are exact duplicates of another" in collection.warnings
    assert "9 query texts occur in two or more splits" in collection.warnings
    assert collection.truth_kind == "proxy"
    train = collection.truth["train"]
    added = ~collection.qrels["train"].contains(train.queries, train.documents)
    # 28,775 marginal pairs, less those of queries that BEIR leaves out
    assert int(added.sum()) == 28775 - 78
    assert set(train.grades[added].tolist()) == {1}
    assert "78 truth judgments of train name a query or document outside the split and are left out" in (
        collection.warnings
    )


@real
def test_cranfield_has_a_test_split_and_nothing_to_carve_from() -> None:
    collection = load(DATA / "cranfield")
    assert len(collection.texts) == 1400
    assert list(collection.qrels) == ["test"]
    assert len(collection.qrels["test"]) == 1837
    assert len(collection.split_queries("test")) == 225
    assert collection.warnings == ("2 documents have no text",)
    empty = [i for i, text in zip(collection.document_ids, collection.texts, strict=True) if not text]
    assert empty == ["471", "995"]


@pytest.mark.parametrize(
    "record",
    [
        {"_id": "1", "title": "a", "text": "b"},
        {"_id": "1", "text": "b"},
        {"_id": "1", "title": None, "text": ""},
        {"id": "1", "text": "é"},
        {"_id": "1", "id": "2", "text": "b"},
        {"_id": 7, "text": "b"},
        {"_id": True, "text": "b"},
        {"_id": "", "text": "b"},
        {"_id": "1", "title": 3, "text": "b"},
        {"_id": "1", "text": "\ud83d"},
        {"_id": "1"},
        {},
        ["1"],
    ],
    ids=str,
)
def test_a_plain_document_is_checked_as_any_other(record: object) -> None:
    """A query is checked field by field, and a document is one with a title."""

    def outcome(check: Callable[[object, str], Any]) -> tuple[object, ...] | str:
        try:
            return tuple(check(record, "f:1"))
        except InputError as error:
            return str(error)

    found, query = outcome(checks.document), outcome(checks.query)
    title = record.get("title") if isinstance(record, dict) else None
    if isinstance(query, str):
        assert found == query
    elif title is not None and not isinstance(title, str):
        assert isinstance(found, str)
        assert '"title" must be text' in found
    else:
        assert found == (*query[:2], title or "", query[2])
