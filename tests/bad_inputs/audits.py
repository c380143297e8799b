"""Bad audit files: negatives in a broken layout, sheets that somebody has edited, answers that are none."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from case import Case

NEGATIVES = {
    "an empty file": ("", "mined.jsonl"),
    "half a record": ('{"anchor": "a", "pos', "mined.jsonl:1"),
    "a list of numbers": ("[1, 2, 3]", "mined.jsonl:1"),
    "unknown fields": ('{"left": "a", "right": "b"}', "mined.jsonl:1"),
    "no negatives": ('{"anchor": "a", "positive": "b"}', "mined.jsonl"),
    "an empty list of negatives": ('{"query": "a", "pos": ["b"], "neg": []}', "mined.jsonl"),
    "negatives that are text": ('{"query": "a", "pos": ["b"], "neg": "c"}', "mined.jsonl:1"),
    "negatives that are numbers": ('{"query": "a", "pos": ["b"], "neg": [1.5]}', "mined.jsonl:1"),
    "negatives that are null": ('{"query": "a", "pos": ["b"], "neg": [null]}', "mined.jsonl:1"),
    "positives that are a number": ('{"query": "a", "pos": 7, "neg": ["c"]}', "mined.jsonl:1"),
    "a query that is null": ('{"query": null, "pos": ["b"], "neg": ["c"]}', "mined.jsonl:1"),
    "a query that is empty": ('{"query": " ", "pos": ["b"], "neg": ["c"]}', "mined.jsonl:1"),
    "a query that is a list": ('{"query": ["a"], "pos": ["b"], "neg": ["c"]}', "mined.jsonl:1"),
    "scores that are too few": ('{"query": "a", "pos": ["b"], "neg": ["c", "d"], "neg_scores": [1]}', "mined.jsonl:1"),
    "scores that are words": ('{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": ["x"]}', "mined.jsonl:1"),
    "scores that are infinite in float32": (
        '{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [-1e39]}',
        "mined.jsonl:1",
    ),
    "scores that are infinite": ('{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [1e999]}', "mined.jsonl:1"),
    "scores that are minus infinity": (
        '{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [-Infinity]}',
        "mined.jsonl:1",
    ),
    "scores of 400 digits": (
        f'{{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [{"9" * 400}]}}',
        "mined.jsonl:1",
    ),
    "scores of 5,000 digits": (
        f'{{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [{"9" * 5000}]}}',
        "mined.jsonl:1",
    ),
    "scores of truth": ('{"query": "a", "pos": ["b"], "neg": ["c"], "neg_scores": [true]}', "mined.jsonl:1"),
    "half a character": ('{"query": "a", "pos": ["b"], "neg": ["\\ud800"]}', "mined.jsonl:1"),
    "half a character in the query": ('{"query": "\\ud800", "pos": ["b"], "neg": ["c"]}', "mined.jsonl:1"),
    "10,000 lists": ("[" * 10_000, "mined.jsonl:1"),
    "10,000 lists in a field": ('{"query": ' + "[" * 10_000, "mined.jsonl:1"),
    "no UTF-8": (b'{"query": "\xff", "pos": ["b"], "neg": ["c"]}', "mined.jsonl:1"),
    "DPR without texts": ('[{"question": "a", "positive_ctxs": [{}], "hard_negative_ctxs": [{}]}]', "mined.jsonl:1"),
    "DPR with a number": ('[{"question": "a", "positive_ctxs": 3, "hard_negative_ctxs": 4}]', "mined.jsonl:1"),
    "triples of two": ("a\tb\n", "mined.jsonl:1"),
    "triples that become short": ("a\tb\tc\na\tb\n", "mined.jsonl:2"),
    "ids without a collection": ("1\t2\t3\n", "mined.jsonl:1"),
    "a program": (b"\x7fELF\x02\x01\x01\x00" * 40, "mined.jsonl"),
}


def negatives() -> Iterator[Case]:
    """Files of negatives that are broken, in a layout of no tool, or with numbers that are none."""
    for name, (content, named) in NEGATIVES.items():
        yield Case(name=name, arguments=("audit", "mined.jsonl"), named=(named,), files={"mined.jsonl": content})


def copied(path: Path) -> None:
    """Copy the sheet that the tests share."""
    shutil.copytree(path.parents[1] / "shared" / "sheet", path)


def _design(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        copied(path)
        record = json.loads((path / "design.json").read_text()) | changes
        text = json.dumps({key: value for key, value in record.items() if value is not ...})
        (path / "design.json").write_text(text.replace('"HUGE"', "9" * 5000))

    return change


def _written(name: str, content: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        copied(path)
        (path / name).write_bytes(content)

    return change


def _column(name: str, value: Any) -> Callable[[Path], None]:
    """Put ``value`` into every row of a column of the pairs; ``...`` leaves the column out."""

    def change(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        copied(path)
        table = pq.read_table(path / "pairs.parquet")
        place = table.column_names.index(name)
        table = table.remove_column(place)
        if value is not ...:
            table = table.append_column(name, pa.array([value] * len(table)))
        pq.write_table(table, path / "pairs.parquet")

    return change


DESIGNS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no design": (_written("design.json", b""), "design.json"),
    "half a design": (_written("design.json", b'{"version": 1, "meth'), "design.json"),
    "a design that is a list": (_written("design.json", b"[]"), "design.json"),
    "a design that is a number": (_written("design.json", b"3"), "design.json"),
    "a design of 10,000 lists": (_written("design.json", b"[" * 10_000), "design.json"),
    "a design that is no UTF-8": (_written("design.json", b'{"\xff": 1}'), "design.json"),
    "no number": (_written("design.json", b'{"version": NaN}'), "design.json"),
    "a later version": (_design(version=99), "version"),
    "a version that is null": (_design(version=None), "version"),
    "no version": (_design(version=...), "version"),
    "no items": (_design(items=...), "items"),
    "an empty list of items": (_design(items=[]), "items"),
    "items that are text": (_design(items="1"), "items"),
    "items that are texts": (_design(items=["1"]), "items"),
    "items that are fractions": (_design(items=[0.5]), "items"),
    "items that are null": (_design(items=[None]), "items"),
    "items that are true": (_design(items=[True]), "items"),
    "an item below 0": (_design(items=[-1]), "items"),
    "an item beyond the pairs": (_design(items=[10_000]), "items"),
    "an item of 30 digits": (_design(items=[10**30]), "design.json"),
    "an item of 5,000 digits": (_design(items=["HUGE"]), "design.json"),
    "one item of all": (_design(items=[0]), "items"),
    "no methods": (_design(methods=[]), "methods"),
    "methods that are text": (_design(methods="mined"), "methods"),
    "methods that are numbers": (_design(methods=[1]), "methods"),
    "a method twice": (_design(methods=["mined", "mined"]), "methods"),
    "a method of no column": (_design(methods=["other"]), "weight/other"),
    "a seed that is text": (_design(seed="x"), "seed"),
    "a seed below 0": (_design(seed=-1), "seed"),
    "a seed of 400 digits": (_design(seed=10**400), "seed"),
    "a seed that is a fraction": (_design(seed=0.5), "seed"),
    "no pairs": (_written("pairs.parquet", b""), "pairs.parquet"),
    "pairs that are cut": (_written("pairs.parquet", b"PAR1\x00"), "pairs.parquet"),
    "pairs that are text": (_written("pairs.parquet", b"query\n1\n"), "pairs.parquet"),
    "no digests": (_column("digest", ...), "pairs.parquet"),
    "no queries": (_column("query", ...), "query"),
    "queries that are words": (_column("query", "x"), "pairs.parquet"),
    "queries below 0": (_column("query", -5), "query"),
    "queries beyond 32 bits": (_column("query", 2**40), "query"),
    "queries that are null": (_column("query", None), "query"),
    "strata below -1": (_column("stratum", -7), "stratum"),
    "strata that are no numbers": (_column("stratum", float("nan")), "stratum"),
    "probabilities above 1": (_column("probability", 1.5), "probability"),
    "probabilities below 0": (_column("probability", -0.5), "probability"),
    "probabilities of 0": (_column("probability", 0.0), "items"),
    "probabilities that are no numbers": (_column("probability", float("nan")), "probability"),
    "probabilities that are words": (_column("probability", "x"), "pairs.parquet"),
    "infinite weights": (_column("weight/mined", float("inf")), "weight"),
    "weights that are no numbers": (_column("weight/mined", float("nan")), "weight"),
    "weights below 0": (_column("weight/mined", -1.0), "weight"),
    "weights of 0": (_column("weight/mined", 0.0), "weight"),
    "huge weights": (_column("weight/mined", 1e300), "weight"),
    "weights that are words": (_column("weight/mined", "x"), "pairs.parquet"),
}


def designs() -> Iterator[Case]:
    """Sheets whose design is cut, edited, out of range or of another draw."""
    for name, (change, named) in DESIGNS.items():
        yield Case(name=name, arguments=("audit", "sheet"), named=("sheet", named), files={"sheet": change})


ANSWERS = {
    "an empty file": (b"", "answers.csv"),
    "a list": (b"[1]\n", "answers.csv"),
    "unknown columns": (b"a,b\n1,2\n", "answers.csv:1"),
    "no items": (b"answer\nyes\n", "answers.csv:1"),
    "an item of 0": (b"item,answer\n0,yes\n", "answers.csv:2"),
    "an item beyond the sheet": (b"item,answer\n9999,yes\n", "answers.csv:2"),
    "an item that is a word": (b"item,answer\none,yes\n", "answers.csv:2"),
    "an item that is a fraction": (b"item,answer\n1.5,yes\n", "answers.csv:2"),
    "an item of another script": ("item,answer\n\u0661,yes\n".encode(), "answers.csv:2"),
    "an item of 5,000 digits": (b"item,answer\n" + b"9" * 5000 + b",yes\n", "answers.csv:2"),
    "an item twice": (b"item,answer\n1,yes\n1,no\n", "answers.csv:3"),
    "an answer that is none": (b"item,answer\n1,maybe\n", "answers.csv:2"),
    "a grade among answers": (b"item,answer\n1,3\n", "answers.csv:2"),
    "a grade of 9": (b"item,grade\n1,9\n", "answers.csv:2"),
    "an answer and a grade": (b"item,answer,grade\n1,yes,3\n", "answers.csv:2"),
    "a row that is short": (b"item,answer\n1\n", "answers.csv:2"),
    "a row that is long": (b"item,answer\n1,yes,x\n", "answers.csv:2"),
    "an open quote": (b'item,answer\n1,"yes\n', "answers.csv"),
    "no UTF-8": (b"item,answer\n1,\xff\n", "answers.csv:2"),
    "a record that is cut": (b'{"item": 1, "ans', "answers.csv:1"),
    "a record with two answers": (b'{"item": 1, "answer": "yes", "answer": "no"}\n', "answers.csv:1: the key 'answer'"),
    "a list with two answers": (
        b'[{"item": 1, "answer": "yes"},\n{"item": 2, "answer": "yes",\n"answer": "no"}]',
        "answers.csv:3: the key 'answer'",
    ),
    "a record that is a list": (b'{"item": 1}\n[1]\n', "answers.csv:2"),
    "a record of no number": (b'{"item": NaN, "answer": "yes"}\n', "answers.csv:1"),
    "a record of 5,000 digits": (b'{"item": ' + b"9" * 5000 + b"}\n", "answers.csv:1"),
    "a record of 10,000 lists": (b'{"item": ' + b"[" * 10_000 + b"\n", "answers.csv:1"),
    "a record with a huge item": (b'{"item": 1e300, "answer": "yes"}\n', "answers.csv:1"),
    "a record with an infinite item": (b'{"item": 1e999, "answer": "yes"}\n', "answers.csv:1"),
    "a record with half a character": (b'{"item": 1, "answer": "\\ud800"}\n', "answers.csv:1"),
    "a record with a list as answer": (b'{"item": 1, "answer": ["yes"]}\n', "answers.csv:1"),
    "a record with a huge grade": (b'{"item": 1, "grade": 1e300}\n', "answers.csv:1"),
    "a record that is no UTF-8": (b'{"item": 1, "answer": "\xff"}\n', "answers.csv:1"),
}


def _sheet_with(change: Callable[[list[list[str]]], None]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        copied(path)
        rows = list(csv.reader(io.StringIO((path / "sheet.csv").read_text(encoding="utf-8-sig"))))
        change(rows)
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        (path / "sheet.csv").write_text(out.getvalue(), encoding="utf-8-sig", newline="")

    return write


def _cell(row: int, column: int, text: str) -> Callable[[list[list[str]]], None]:
    return lambda rows: rows[row].__setitem__(column, text)


def answers() -> Iterator[Case]:
    """Answers to items that are not there, that are none, twice or in a broken file; and in the sheet itself."""
    for name, (content, named) in ANSWERS.items():
        yield Case(
            name=name,
            arguments=("audit", "sheet", "--answers", "answers.csv"),
            named=(named,),
            files={"sheet": copied, "answers.csv": content},
        )
    edits = {
        "an answer": (1, 4, "perhaps"),
        "an item": (1, 0, "x"),
        "a heading": (0, 0, "number"),
        "a second item": (2, 0, "1"),
    }
    for name, (row, column, text) in edits.items():
        rows = _cell(row, column, text)
        if name == "a second item":

            def rows(table: list[list[str]]) -> None:
                table[1][4] = "yes"
                table[2][0], table[2][4] = table[1][0], "no"

        yield Case(
            name=f"the sheet: {name}",
            arguments=("audit", "sheet"),
            named=("sheet.csv",),
            files={"sheet": _sheet_with(rows)},
        )
    both = _sheet_with(_cell(1, 4, "yes"))

    def at_odds(path: Path) -> None:
        both(path)
        (path / "answers.jsonl").write_text('{"item": 1, "answer": "no"}\n')

    for name, items in {
        "no items": "",
        "items that are lists": "[]\n" * 9,
        "items of nothing": "{}\n" * 9,
        "an item with two documents": '{"item": 1, "document": "a", "document": "b"}\n' * 9,
        "an item too few": '{"item": 1, "query": "a", "positives": [], "more": 0, "document": "b"}\n',
    }.items():

        def written(path: Path, items: str = items) -> None:
            copied(path)
            (path / "items.jsonl").write_text(items)

        yield Case(
            name=f"a page or an export: {name}",
            arguments=("audit", "sheet", "--export", "label-studio"),
            named=("items.jsonl",),
            files={"sheet": written},
        )
    yield Case(
        name="sheet and page at odds", arguments=("audit", "sheet"), named=("answers.jsonl",), files={"sheet": at_odds}
    )


def options() -> Iterator[Case]:
    """Options of an audit that exclude one another, or lack another one."""
    mined = {"mined.jsonl": '{"anchor": "a", "positive": "b", "negative": "c"}\n'}
    for name, arguments, named in (
        ("labels and width", ("mined.jsonl", "--labels", "5", "--width", "0.1"), "--width"),
        ("an annotator without a page", ("mined.jsonl", "--annotator", "ann"), "--annotator"),
        ("answers without a sheet", ("mined.jsonl", "--answers", "answers.csv"), "--answers"),
        ("a judge that is not there", ("mined.jsonl", "--labels", "2", "--judge", "nobody"), "--judge"),
        ("a judge that is trained", ("mined.jsonl", "--labels", "2", "--judge", "trained-cross-encoder"), "--judge"),
        ("a collection that is not there", ("mined.jsonl", "--collection", "nowhere"), "nowhere"),
        ("a folder for no sheet", ("mined.jsonl", "--out", "new"), "--out new"),
        ("a seed for no sheet", ("mined.jsonl", "--seed", "3"), "--seed"),
        ("a file twice", ("mined.jsonl", "mined.jsonl"), "mined.jsonl"),
        ("a width of no number", ("mined.jsonl", "--width", "nan"), "width"),
    ):
        yield Case(name=name, arguments=("audit", *arguments), named=(named,), files=mined)
