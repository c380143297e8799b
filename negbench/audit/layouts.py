"""The layouts in which miners write negatives: found from the names of the fields, read into rows.

sentence-transformers: columns anchor, positive and negative, or negative_1 to negative_n; or anchor, document and a
label of 0 or 1, one pair a row or lists of them. FlagEmbedding: query, pos, neg. Tevatron: query, positive_passages,
negative_passages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from negbench.audit.records import Record
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
    return _reader(first)(chain([first], stream))


def heading(names: Sequence[str]) -> bool:
    """Tell whether these can be the names of columns, and no data."""
    return any(_NEGATIVE.fullmatch(name) or name in _LABELS for name in names)


def _reader(first: Record) -> Callable[[Iterable[Record]], Iterator[Row]]:
    names = set(first.fields)
    if "negative_passages" in names:
        return _tevatron
    if {"query", "neg"} <= names:
        return _flag_embedding
    if names & set(_LABELS):
        return _labelled
    if any(_NEGATIVE.fullmatch(name) for name in names):
        return _tuples
    raise InputError(
        f"{first.place}: no known layout of negatives in the fields {', '.join(first.fields) or '(none)'}; expected "
        "anchor, positive, negative (or negative_1, ...); query, pos, neg; query, negative_passages; or a label column"
    )


def _tevatron(records: Iterable[Record]) -> Iterator[Row]:
    for place, fields in records:
        positives, negatives = (
            [_passage(one, place, key) for one in _list(fields, key, place)]
            for key in ("positive_passages", "negative_passages")
        )
        yield Row(place, _text(fields, "query", place), tuple(positives), _ranked(negatives))


def _passage(passage: Any, place: str, key: str) -> str:
    if not isinstance(passage, dict):
        raise InputError(f'{place}: {key} must hold objects like {{"docid": ..., "text": ...}}, found {passage!r:.60}')
    title = passage.get("title") or ""
    return f"{title} {_text(passage, 'text', f'{place}: {key}')}".strip()


def _flag_embedding(records: Iterable[Record]) -> Iterator[Row]:
    for place, fields in records:
        positives, negatives = _texts(fields, "pos", place), _texts(fields, "neg", place)
        scores = fields.get("neg_scores")
        if scores is not None:
            scores = _numbers(scores, len(negatives), f"{place}: neg_scores")
        yield Row(place, _text(fields, "query", place), tuple(positives), _ranked(negatives, scores))


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
    negatives: list[str] = []
    for name in columns:
        value = fields[name]
        if isinstance(value, list):
            negatives += _texts(fields, name, place)
        elif value not in (None, ""):  # a row that was short of negatives
            negatives.append(_text(fields, name, place))
    scores = fields.get("scores")  # of the positive, then of each negative
    if scores is not None:
        scores = _numbers(_parsed(scores), len(negatives) + 1, f"{place}: scores")[1:]
    positives = _texts(fields, positive, place) if isinstance(fields[positive], list) else None
    known = (_text(fields, positive, place),) if positives is None else tuple(positives)
    return Row(place, _text(fields, anchor, place), known, _ranked(negatives, scores))


def _labelled(records: Iterable[Record]) -> Iterator[Row]:
    """Yield a row a query from pairs with a label of 1 or 0; those of a query follow one another."""
    pairs = [pair for record in records for pair in _pairs(record)]
    for _, run in groupby(pairs, lambda pair: pair[1]):
        listed = list(run)
        place, query = listed[0][:2]
        positives = [document for _, _, document, label in listed if label]
        negatives = [document for _, _, document, label in listed if not label]
        many = len(negatives) > 1
        ranked = _ranked(negatives) if many else tuple(map(Negative, negatives))
        yield Row(place, query, tuple(positives), ranked)


def _pairs(record: Record) -> Iterator[tuple[str, str, str, bool]]:
    place, fields = record
    column = next((name for name in _LABELS if name in fields), None)
    if column is None:
        raise InputError(f"{place}: no column of labels; it has {', '.join(fields)}")
    anchor, document = _columns(fields, place, [])
    query = _text(fields, anchor, place)
    if isinstance(fields[column], list):
        documents, labels = _texts(fields, document, place), fields[column]
        if len(documents) != len(labels):
            raise InputError(f"{place}: {len(documents)} documents but {len(labels)} labels; expected one for each")
    else:
        documents, labels = [_text(fields, document, place)], [fields[column]]
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


def _ranked(texts: Sequence[str], scores: Sequence[float] | None = None) -> tuple[Negative, ...]:
    known = [math.nan] * len(texts) if scores is None else scores
    return tuple(Negative(text, rank, score) for rank, (text, score) in enumerate(zip(texts, known, strict=True)))


def _text(fields: dict[str, Any], key: str, place: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{place}: {key}: expected some text, found {'nothing' if value is None else repr(value)[:60]}"
        )
    return value


def _list(fields: dict[str, Any], key: str, place: str) -> list[Any]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise InputError(f"{place}: {key}: expected a list, found {'nothing' if value is None else repr(value)[:60]}")
    return value


def _texts(fields: dict[str, Any], key: str, place: str) -> list[str]:
    values = _list(fields, key, place)
    if odd := [value for value in values if not isinstance(value, str)]:
        raise InputError(f"{place}: {key}: expected a list of texts, found {odd[0]!r:.60} in it")
    return values


def _parsed(scores: Any) -> Any:
    """Return a list that a CSV cell holds as text; anything else as it is."""
    import json

    try:
        return json.loads(scores) if isinstance(scores, str) else scores
    except json.JSONDecodeError:
        return scores


def _numbers(values: Any, count: int, place: str) -> list[float]:
    if not isinstance(values, list) or any(isinstance(it, bool) or not isinstance(it, int | float) for it in values):
        raise InputError(f"{place}: expected a list of numbers, found {values!r:.60}")
    if len(values) != count:
        raise InputError(f"{place}: expected {count} numbers, found {len(values)}")
    return [float(value) for value in values]
