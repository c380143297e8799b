"""Folders with negatives by id and the texts beside them: ColBERT and RAGatouille, Tevatron 2, TREC files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from negbench.collections import beir, checks
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record, text_of
from negbench.errors import InputError
from negbench.export import colbert

_Texts = Mapping[str, str]


def records(folder: Path) -> Iterator[Record] | None:
    """Return the records of a folder that is known by its files, with texts in place of ids; None for another.

    The iterator raises InputError, with file and line, for a file that is broken and for an id without a text.
    """
    kinds: dict[tuple[str, ...], Callable[[Path], Iterator[Record]]] = {
        (colbert.TRIPLES, colbert.QUERIES, colbert.CORPUS): _colbert,
        ("train.jsonl", "corpus.jsonl"): _tevatron,
        ("qrels.trec", "negatives.trec", "queries.jsonl", "corpus.jsonl"): _trec,
    }
    found = (reader for names, reader in kinds.items() if all((folder / name).is_file() for name in names))
    reader = next(found, None)
    return None if reader is None else reader(folder)


def _colbert(folder: Path) -> Iterator[Record]:
    """Yield a triplet for each line of a query, a positive and one or more negatives."""
    queries, documents = (_of_tsv(folder / name) for name in (colbert.QUERIES, colbert.CORPUS))
    for cells, place in beir.objects(folder / colbert.TRIPLES):
        if not isinstance(cells, list) or len(cells) < 3:
            raise InputError(f"{place}: expected a list of query, positive and negatives, found {cells!r:.60}")
        query, positive, *negatives = (str(cell) for cell in cells)
        for negative in negatives:
            texts = {"positive": _text(documents, positive, place), "negative": _text(documents, negative, place)}
            yield Record(place, {"query": _text(queries, query, place), **texts})


def _tevatron(folder: Path) -> Iterator[Record]:
    documents = _of_objects(folder / "corpus.jsonl", "docid")
    for fields, place in beir.objects(folder / "train.jsonl"):
        if not isinstance(fields, dict):
            raise InputError(f"{place}: expected one JSON object per line, found {fields!r:.60}")
        lists = {
            key: [_text(documents, name, place) for name in read.ids(fields, f"{of}_document_ids", place)]
            for key, of in (("pos", "positive"), ("neg", "negative"))
        }
        yield Record(place, {"query": read.text(fields, "query_text", place), **lists})


def _trec(folder: Path) -> Iterator[Record]:
    """Yield a record for each query of the run, in the order of the file; its lines must be consecutive."""
    queries, documents = (_of_objects(folder / f"{name}.jsonl", "_id") for name in ("queries", "corpus"))
    positives: dict[str, list[str]] = {}
    for place, (query, _, document, grade) in _columns(folder / "qrels.trec", 4):
        if checks.grade(grade, place) > 0:
            positives.setdefault(query, []).append(_text(documents, document, place))
    drawn: dict[str, list[tuple[str, str, float]]] = {}
    for place, (query, _, document, _, score, _) in _columns(folder / "negatives.trec", 6):
        try:
            drawn.setdefault(query, []).append((place, _text(documents, document, place), float(score)))
        except ValueError as error:
            raise InputError(f"{place}: expected a number as score, found {score!r}") from error
    for query, negatives in drawn.items():
        place = negatives[0][0]
        lists: dict[str, Any] = {"pos": positives.get(query, []), "neg": [text for _, text, _ in negatives]}
        yield Record(
            place, {"query": _text(queries, query, place), **lists, "neg_scores": [score for *_, score in negatives]}
        )


def _columns(path: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        cells = line.split()
        if len(cells) != count:
            raise InputError(f"{path}:{number}: expected {count} columns, found {line!r:.60}")
        yield f"{path}:{number}", cells


def _of_tsv(path: Path) -> _Texts:
    """Read texts by id from lines of id and text."""
    lines = (line.partition("\t") for line in text_of(path).split("\n") if line)
    return {name: text for name, _, text in lines}


def _of_objects(path: Path, key: str) -> _Texts:
    """Read texts, titles before them, by the id under ``key``."""
    texts = {}
    for fields, place in beir.objects(path):
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise InputError(f"{place}: expected an object with {key} and text, found {fields!r:.60}")
        name = checks.identifier(fields.get(key), key, place)
        texts[name] = f"{fields.get('title') or ''} {fields['text']}".strip()
    return texts


def _text(texts: _Texts, name: str, place: str) -> str:
    if name not in texts:
        raise InputError(f"{place}: no text has the id {name!r}; expected one like {next(iter(texts), '')!r}")
    return texts[name]
