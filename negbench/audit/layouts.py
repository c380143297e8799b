"""The layouts in which miners write negatives: found from the names of the fields, read into rows.

sentence-transformers: columns anchor, positive and negative, or negative_1 to negative_n; or anchor, document and a
label of 0 or 1, one pair a row or lists of them. FlagEmbedding: query, pos, neg. Tevatron: query, positive_passages,
negative_passages. Others have files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from negbench.audit import by_id, dpr, triples
from negbench.audit import fields as read
from negbench.audit.records import Record, Unnamed
from negbench.audit.rows import Negative, Row
from negbench.errors import InputError

_ANCHORS = ("anchor", "query", "question")
_DOCUMENTS = ("positive", "pos", "answer", "document", "passage", "documents", "text")
_NEGATIVE = re.compile(r"negatives?(_\d+)?")
_LABELS = ("label", "labels")
_NO_TEXTS = {"score", "scores", *_LABELS}


def rows(records: Iterable[Record], source: str) -> Iterator[Row]:
    """Yield the training rows that the records stand for; the first record's fields decide the layout.

    Raises InputError with the record's place where a field is missing or of another kind, and where there is no
    record or no known layout.
    """
    stream = iter(records)
    first = next(stream, None)
    if first is None:
        raise InputError(f"{source}: holds no rows; expected training rows with negatives")
    found = _reader(first)(chain([first], stream))
    if isinstance(first, Unnamed) and triples.are_ids(list(map(str, first.fields.values()))):
        yield next(found)._replace(of_ids=True)
    yield from found


def heading(names: Sequence[str]) -> bool:
    """Tell whether these can be the names of columns, and no data."""
    return any(_NEGATIVE.fullmatch(name) or name in ("neg", *_LABELS) for name in names)


def _reader(first: Record) -> Callable[[Iterable[Record]], Iterator[Row]]:
    names = set(first.fields)
    if "negative_passages" in names:
        return _tevatron
    if "negative_document_ids" in names:
        return by_id.tevatron
    if "positive_ctxs" in names:
        return dpr.rows
    if {"qid", "neg"} <= names:
        return by_id.by_system
    if {"query", "neg"} <= names:
        return _flag_embedding
    if names & set(_LABELS):
        return _labelled
    if any(_NEGATIVE.fullmatch(name) for name in names):
        return _tuples
    raise InputError(
        f"{first.place}: no known layout of negatives in the fields {', '.join(first.fields) or '(none)'}; expected "
        "anchor, positive, negative (or negative_1, ...); query, pos, neg; query, negative_passages; question, "
        "positive_ctxs, hard_negative_ctxs; query_id, negative_document_ids; qid, pos, neg; or a label column"
    )


def _tevatron(records: Iterable[Record]) -> Iterator[Row]:
    for place, fields in records:
        positives, negatives = (read.passages(fields, f"{which}_passages", place) for which in ("positive", "negative"))
        yield Row(place, read.text(fields, "query", place), tuple(positives), read.ranked(negatives))


def _flag_embedding(records: Iterable[Record]) -> Iterator[Row]:
    for place, fields in records:
        positives, negatives = read.texts(fields, "pos", place), read.texts(fields, "neg", place)
        scores = fields.get("neg_scores")
        if scores is not None:
            scores = read.numbers(scores, len(negatives), f"{place}: neg_scores")
        yield Row(place, read.text(fields, "query", place), tuple(positives), read.ranked(negatives, scores))


def _tuples(records: Iterable[Record]) -> Iterator[Row]:
    """Yield rows of anchor, positive and one or many negatives.

    Where there is one negative a row, rows of the same anchor and positive that follow one another are a ranked list.
    """
    found = [_tuple(record) for record in records]
    runs = [list(run) for _, run in groupby(found, lambda row: (row.query, row.positives))]
    if all(len(row.negatives) <= 1 for row in found) and any(len(run) > 1 for run in runs):
        for run in runs:
            for rank, row in enumerate(run):
                yield row._replace(negatives=tuple(one._replace(rank=rank) for one in row.negatives))
    elif any(len(row.negatives) > 1 for row in found):
        yield from found
    else:  # one negative a row, and no two rows of a query side by side: no order to be seen
        yield from (row._replace(negatives=tuple(one._replace(rank=-1) for one in row.negatives)) for row in found)


def _tuple(record: Record) -> Row:
    place, fields = record
    columns = sorted((name for name in fields if _NEGATIVE.fullmatch(name)), key=_number)
    if not columns:
        raise InputError(f"{place}: no column of negatives; it has {', '.join(fields)}")
    anchor, positive = _columns(fields, place, columns)
    cells = {name: fields[name] for name in (anchor, positive, *columns)}
    of_ids = any(_is_number(one) for cell in cells.values() for one in (cell if isinstance(cell, list) else [cell]))
    if of_ids:
        cells = {name: _digits(cell) for name, cell in cells.items()}
    negatives: list[str] = []
    for name in columns:
        if isinstance(cells[name], list):
            negatives += read.texts(cells, name, place)
        elif isinstance(cells[name], str):  # maybe without a word, which is counted later
            negatives.append(cells[name])
        elif cells[name] is not None:  # None: a row that was short of negatives
            negatives.append(read.text(cells, name, place))
    scores = fields.get("scores")  # of the positive, then of each negative
    if scores is not None:
        scores = read.numbers(_parsed(scores), len(negatives) + 1, f"{place}: scores")[1:]
    several = read.texts(cells, positive, place) if isinstance(cells[positive], list) else None
    known = [read.text(cells, positive, place)] if several is None else several
    return Row(place, read.text(cells, anchor, place), tuple(known), read.ranked(negatives, scores), of_ids)


def _labelled(records: Iterable[Record]) -> Iterator[Row]:
    """Yield a row a query from pairs with a label of 1 or 0; those of a query follow one another."""
    pairs = [pair for record in records for pair in _pairs(record)]
    for _, run in groupby(pairs, lambda pair: pair[1]):
        listed = list(run)
        place, query = listed[0][:2]
        positives = [document for _, _, document, label in listed if label]
        negatives = [document for _, _, document, label in listed if not label]
        many = len(negatives) > 1
        ranked = read.ranked(negatives) if many else tuple(map(Negative, negatives))
        yield Row(place, query, tuple(positives), ranked)


def _pairs(record: Record) -> Iterator[tuple[str, str, str, bool]]:
    place, fields = record
    column = next((name for name in _LABELS if name in fields), None)
    if column is None:
        raise InputError(f"{place}: no column of labels; it has {', '.join(fields)}")
    anchor, document = _columns(fields, place, [])
    query = read.text(fields, anchor, place)
    if isinstance(fields[column], list):
        documents, labels = read.texts(fields, document, place), fields[column]
        if len(documents) != len(labels):
            raise InputError(f"{place}: {len(documents)} documents but {len(labels)} labels; expected one for each")
    else:
        documents, labels = [read.text(fields, document, place)], [fields[column]]
    for text, label in zip(documents, labels, strict=True):
        value = label.strip() if isinstance(label, str) else label
        if value not in (0, 1, "0", "1", "0.0", "1.0"):
            raise InputError(f"{place}: {column}: expected 0 or 1, found {label!r:.60}")
        yield place, query, text, bool(float(value))


def _columns(fields: dict[str, Any], place: str, negatives: Sequence[str]) -> tuple[str, str]:
    """Return the columns of the anchor and the positive or document: by name, else the first two that are left."""
    left = [name for name in fields if name not in negatives and name not in _NO_TEXTS]
    anchor = next((name for name in _ANCHORS if name in left), left[0] if left else "")
    left = [name for name in left if name != anchor]
    document = next((name for name in _DOCUMENTS if name in left), left[0] if left else "")
    if not document:
        raise InputError(f"{place}: expected columns of the query and of its positive, found {', '.join(fields)}")
    return anchor, document


def _number(name: str) -> int:
    return int(name.rpartition("_")[2]) if "_" in name else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _digits(cell: Any) -> Any:
    """Return whole numbers as text; anything else as it is."""
    if isinstance(cell, list):
        return [_digits(one) for one in cell]
    return str(cell) if _is_number(cell) else cell


def _parsed(scores: Any) -> Any:
    """Return a list that a CSV cell holds as text; anything else as it is."""
    import json

    try:
        return json.loads(scores) if isinstance(scores, str) else scores
    except json.JSONDecodeError:
        return scores
