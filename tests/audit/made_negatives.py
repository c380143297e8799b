"""The same negatives in every format that miners write; the expected pairs are spelled out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

# query -> (its positive, its negatives, hardest first)
MINED: dict[str, tuple[str, tuple[str, str]]] = {
    "who built the tower?": ("Ann built the tower.", ("The tower is tall.", "Bo built the bridge, not the tower.")),
    "where is the lake?": ("The lake is up north.", ("Lakes are wet.", "The tower is tall.")),
    'what does "moss" mean?': ("Moss, a plant,\tis green.", ("Ann built the tower.", "Moss   is soft.")),
}
PAIRS = {(query, negative): rank for query, (_, found) in MINED.items() for rank, negative in enumerate(found)}


def _lines(records: list[dict[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def tuples() -> list[dict[str, object]]:
    return [
        {"question": query, "answer": positive, "negative_1": found[0], "negative_2": found[1]}
        for query, (positive, found) in MINED.items()
    ]


def triplets() -> list[dict[str, object]]:
    return [
        {"anchor": query, "positive": positive, "negative": negative}
        for query, (positive, found) in MINED.items()
        for negative in found
    ]


def pairs() -> list[dict[str, object]]:
    return [
        {"anchor": query, "positive": text, "label": int(text == positive)}
        for query, (positive, found) in MINED.items()
        for text in (positive, *found)
    ]


def _folder(at: Path) -> Path:
    from datasets import Dataset

    Dataset.from_list(tuples()).save_to_disk(str(at / "saved"))
    return at / "saved"


def _folder_of_splits(at: Path) -> Path:
    from datasets import Dataset, DatasetDict

    DatasetDict({"train": Dataset.from_list(tuples())}).save_to_disk(str(at / "splits"))
    return at / "splits"


def _parquet(at: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(triplets()), at / "mined.bin")  # known by what it holds, not by its name
    return at / "mined.bin"


def _csv(records: Callable[[], list[dict[str, object]]], delimiter: str) -> Callable[[Path], Path]:
    def write(at: Path) -> Path:
        import csv

        with (at / "mined.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records()[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(records())
        return at / "mined.csv"

    return write


def _json(records: Callable[[], list[dict[str, object]]]) -> Callable[[Path], Path]:
    def write(at: Path) -> Path:
        (at / "mined.jsonl").write_text(_lines(records()))
        return at / "mined.jsonl"

    return write


def _zipped(at: Path) -> Path:
    import gzip

    (at / "mined.jsonl.gz").write_bytes(gzip.compress(_lines(triplets()).encode()))
    return at / "mined.jsonl.gz"


def _lists() -> list[dict[str, object]]:
    return [
        {"anchor": query, "positive": [positive, *found], "labels": [1, 0, 0]}
        for query, (positive, found) in MINED.items()
    ]


def flag() -> list[dict[str, object]]:
    return [
        {"query": query, "pos": [positive], "neg": list(found), "pos_scores": [0.9], "neg_scores": [0.8, 0.7]}
        for query, (positive, found) in MINED.items()
    ]


def tevatron() -> list[dict[str, object]]:
    return [
        {
            "query_id": query[:3],
            "query": query,
            "positive_passages": [{"docid": "1", "title": "", "text": positive}],
            "negative_passages": [
                {"docid": text, "title": text.split(" ", 1)[0], "text": text.split(" ", 1)[1]} for text in found
            ],
        }
        for query, (positive, found) in MINED.items()
    ]


def dpr() -> list[dict[str, object]]:
    """One question has hard negatives, one has none but others, one says nothing of others."""

    def passages(*found: str) -> list[dict[str, object]]:
        split = (text.split(" ", 1) for text in found)
        return [{"title": title, "text": text, "score": 1, "passage_id": "7"} for title, text in split]

    return [
        {
            "dataset": "made",
            "question": query,
            "answers": [],
            "positive_ctxs": [{"title": "", "text": positive}],
            **[
                {"negative_ctxs": passages("not drawn"), "hard_negative_ctxs": passages(*found)},
                {"negative_ctxs": passages(*found), "hard_negative_ctxs": []},
                {"hard_negative_ctxs": passages(*found)},
            ][at],
        }
        for at, (query, (positive, found)) in enumerate(MINED.items())
    ]


def _json_list(records: Callable[[], list[dict[str, object]]]) -> Callable[[Path], Path]:
    def write(at: Path) -> Path:
        (at / "mined.json").write_text("\ufeff" + json.dumps(records(), indent=1) + "\n")
        return at / "mined.json"

    return write


def _lists_by_line(at: Path) -> Path:
    (at / "mined.jsonl").write_text("".join(json.dumps(list(record.values())) + "\n" for record in triplets()))
    return at / "mined.jsonl"


def _list_of_lists(at: Path) -> Path:
    (at / "mined.json").write_text(json.dumps([list(record.values()) for record in tuples()]))
    return at / "mined.json"


def _triples(at: Path) -> Path:
    rows = [[str(cell).replace("\t", " ") for cell in record.values()] for record in triplets()]
    (at / "mined.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    return at / "mined.tsv"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "saved dataset": _folder,
    "saved splits": _folder_of_splits,
    "parquet triplets": _parquet,
    "csv tuples": _csv(tuples, ","),
    "csv pairs": _csv(pairs, ","),
    "tsv with a heading": _csv(triplets, "\t"),
    "json tuples": _json(tuples),
    "json pairs": _json(pairs),
    "json lists": _json(_lists),
    "zipped triplets": _zipped,
    "flag embedding": _json(flag),
    "tevatron": _json(tevatron),
    "triples": _triples,
    "dpr": _json_list(dpr),
    "dpr by line": _json(dpr),
    "flag embedding in a list": _json_list(flag),
    "triples as lists": _lists_by_line,
    "tuples in a list of lists": _list_of_lists,
}
