"""Bad collections: lines of a corpus, of queries, of judgments and of pairs that are not what they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from case import Case, Content
from places import EVALUATE, SOCKS

RECORDS = {
    "half a record": '{"_id": "d9", "te',
    "a list": '["d9", "text"]',
    "a number": "17",
    "null": "null",
    "no number": '{"_id": "d9", "text": NaN}',
    "no id": '{"text": "sock"}',
    "an empty id": '{"_id": "", "text": "sock"}',
    "an id that is a list": '{"_id": [1], "text": "sock"}',
    "an id that is a fraction": '{"_id": 1.5, "text": "sock"}',
    "an id that is null": '{"_id": null, "text": "sock"}',
    "no text": '{"_id": "d9"}',
    "a text that is a number": '{"_id": "d9", "text": 3}',
    "a text that is null": '{"_id": "d9", "text": null}',
    "a text that is a list": '{"_id": "d9", "text": ["sock"]}',
    "an id of 5,000 digits": f'{{"_id": {"9" * 5000}, "text": "sock"}}',
    "half a character": '{"_id": "d9", "text": "\\ud800"}',
    "half a character in the id": '{"_id": "\\udfff", "text": "sock"}',
    "10,000 lists": "[" * 10_000,
    "a control character": '{"_id": "d9", "text": "a\x07b"}',
    "two records": '{"_id": "d8", "text": "a"} {"_id": "d9", "text": "b"}',
    "an id twice in a line": '{"_id": "d8", "_id": "d9", "text": "sock"}',
    "a key twice further in": '{"_id": "d9", "text": "sock", "metadata": {"url": "a", "url": "a"}}',
    "single quotes": "{'_id': 'd9', 'text': 'sock'}",
    "no UTF-8": b'{"_id": "d9", "text": "\xff"}',
}

JUDGMENTS = {
    "one column": "q0",
    "five columns": "q0\t0\td0\t1\tx",
    "another number of columns": "q0\td0",
    "a grade that is a word": "q0\td0\tgood",
    "a grade that is a fraction": "q0\td0\t0.5",
    "a grade of twelve digits": "q0\td0\t999999999999",
    "a grade of 5,000 digits": f"q0\td0\t{'9' * 5000}",
    "an infinite grade": "q0\td0\t1e999",
    "no number as grade": "q0\td0\tnan",
    "an empty grade": "q0\td0\t",
    "an empty query": "\td0\t1",
    "an empty document": "q0\t\t1",
    "no UTF-8": b"q0\td\xff\t1",
}


def _line(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\n"


def _with(path: str, content: Content) -> Mapping[str, Content]:
    return {**SOCKS, path: content}


def lines_of_a_collection() -> Iterator[Case]:
    """A line that is wrong, after one that is right; the message names its number."""
    for name, text in RECORDS.items():
        for path in ("socks/corpus.jsonl", "socks/queries.jsonl"):
            if "corpus" not in path and "title" in name:
                continue
            first = str(SOCKS[path]).encode()
            yield Case(
                name=f"{path}: {name}",
                arguments=(*EVALUATE, "socks"),
                named=(f"{path}:3",),
                files=_with(path, first + _line(text)),
            )
    for name, text in JUDGMENTS.items():
        path = "socks/qrels/test.tsv"
        first = str(SOCKS[path]).encode()
        yield Case(
            name=f"{path}: {name}",
            arguments=(*EVALUATE, "socks"),
            named=(f"{path}:3",),
            files=_with(path, first + _line(text)),
        )


def parts_of_a_collection() -> Iterator[Case]:
    """Files that are missing, empty or at odds with one another."""
    for path in ("socks/corpus.jsonl", "socks/queries.jsonl"):
        rest = {name: text for name, text in SOCKS.items() if name != path}
        yield Case(name=f"no {path}", arguments=(*EVALUATE, "socks"), named=("socks",), files=rest)
        yield Case(name=f"an empty {path}", arguments=(*EVALUATE, "socks"), named=(path,), files=_with(path, ""))
        twice = str(SOCKS[path]) * 2
        yield Case(
            name=f"an id twice in {path}",
            arguments=(*EVALUATE, "socks"),
            named=(f"{path}:3",),
            files=_with(path, twice),
        )
    rest = {name: text for name, text in SOCKS.items() if "qrels" not in name}
    yield Case(name="no judgments", arguments=(*EVALUATE, "socks"), named=("qrels",), files=rest)
    for name, text in (("empty judgments", ""), ("a heading alone", "query-id\tcorpus-id\tscore\n")):
        yield Case(
            name=name, arguments=(*EVALUATE, "socks"), named=("test",), files=_with("socks/qrels/test.tsv", text)
        )
    yield Case(
        name="a split that is not there",
        arguments=(*EVALUATE, "socks", "--split", "exam"),
        named=("--split exam",),
        files=SOCKS,
    )
    for name, truth in (("without {split}", "truth.tsv"), ("of no file", "truth/{split}.tsv"), ("of a number", "3")):
        spelled = f'beir(path=socks, truth="{truth}")'
        yield Case(
            name=f"a truth {name}",
            arguments=(*EVALUATE, spelled),
            named=("truth" if name != "of a number" else "3",),
            files=SOCKS,
        )
    for name, grades in (
        ("twice", "[[1, 2], [1, 3]]"),
        ("below 0", "[[1, -2]]"),
        ("none", "[]"),
        ("words", "[[good, 1]]"),
        ("missing", "[[2, 1]]"),
    ):
        spelled = f"beir(path=socks, grades={grades})"
        yield Case(name=f"grades: {name}", arguments=(*EVALUATE, spelled), named=("grades",), files=SOCKS)
    for name, dev in (("half", "0.5"), ("negative", "-0.1"), ("words", "some"), ("no number", "nan")):
        yield Case(
            name=f"a dev share: {name}",
            arguments=(*EVALUATE, f"beir(path=socks, dev={dev})"),
            named=("dev",),
            files=SOCKS,
        )


ROWS = {
    "no text at all": ("", "pairs.tsv"),
    "one column": ("query\nwhere\n", "pairs.tsv:1"),
    "unknown columns": ("left\tright\na\tb\n", "pairs.tsv:1"),
    "a row that is short": ("query\tpositive\na\n", "pairs.tsv:2"),
    "a row that is long": ("query\tpositive\na\tb\tc\n", "pairs.tsv:2"),
    "an empty query": ("query\tpositive\n\tb\n", "pairs.tsv:2"),
    "an empty positive": ("query\tpositive\na\t\n", "pairs.tsv:2"),
    "an open quote": ('query\tpositive\na\t"b\n', "pairs.tsv"),
    "a heading alone": ("query\tpositive\n", "pairs.tsv"),
    "no UTF-8": (b"query\tpositive\na\t\xff\n", "pairs.tsv:2"),
    "a field of 200,000 letters": (f"query\tpositive\na\t{'b' * 200_000}\n", "pairs.tsv:2"),
    "two query columns": ("query\tquery\tpositive\na\tb\tc\n", "pairs.tsv"),
}

LISTS = {
    "a key twice": (
        '[{"query": "a", "positive": "b"},\n {"query": "c: {]",\n  "positive": "d",\n  "query": "e"}]',
        "pairs.json:4: the key 'query'",
    ),
    "half a list": ('[{"query": "a", "positive": "b"}', "pairs.json:1"),
    "a list of numbers": ("[1, 2]", "pairs.json:1"),
    "an empty list": ("[]", "pairs.json"),
    "a list without commas": ('[{"query": "a"} {"query": "b"}]', "pairs.json:1"),
    "10,000 lists": ("[" * 10_000, "pairs.json:1"),
    "a query that is a list": ('[{"query": ["a"], "positive": "b"}]', "pairs.json:1"),
    "a positive that is a mapping": ('[{"query": "a", "positive": {"x": 1}}]', "pairs.json:1"),
    "half a character": ('[{"query": "a", "positive": "\\ud800"}]', "pairs.json:1"),
    "a number of 5,000 digits": (f'[{{"query": "a", "positive": {"9" * 5000}}}]', "pairs.json:1"),
    "scores of a word": ('[{"query": "a", "positive": "b", "negative": "c", "scores": "x"}]', "pairs.json:1"),
    "scores of 400 digits": (
        f'[{{"query": "a", "positive": "b", "negative": "c", "scores": [1, {"9" * 400}]}}]',
        "pairs.json:1",
    ),
    "infinite scores": ('[{"query": "a", "positive": "b", "negative": "c", "scores": [1, 1e999]}]', "pairs.json:1"),
}


def _of_two_queries(path: Path) -> None:
    arrays = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    pq.write_table(pa.table(arrays, names=["query", "positive", "query"]), path)


def files_of_pairs() -> Iterator[Case]:
    """Tables and lists of pairs that are broken, or whose columns nobody knows."""
    for file, table in (("pairs.tsv", ROWS), ("pairs.json", LISTS)):
        for name, (content, named) in table.items():
            yield Case(name=f"{file}: {name}", arguments=(*EVALUATE, file), named=(named,), files={file: content})
    parquet: dict[str, Content] = {
        "two columns of one name": _of_two_queries,
        "cut": b"PAR1\x15\x04",
        "no Parquet": b"PAR1" + bytes(100) + b"PAR1",
        "empty": b"PAR1PAR1",
    }
    for name, content in parquet.items():
        yield Case(
            name=f"a Parquet file: {name}",
            arguments=(*EVALUATE, "p.parquet"),
            named=("p.parquet",),
            files={"p.parquet": content},
        )
