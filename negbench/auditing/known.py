"""Look up texts of a collection: by id, and which documents are relevant to which query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from negbench.collections.duplicates import folded, words_of
from negbench.collections.layouts.rows import Row
from negbench.errors import InputError
from negbench.types import Collection, Passages, Qrels, TruthKind


class Known:
    """A collection's judgments, looked up by texts. If several queries or documents have the same text, all count.

    Documents are the same that have the same words, as in mining.
    """

    def __init__(self, collection: Collection) -> None:
        self.truth_kind: TruthKind = collection.truth_kind
        self._passages = Passages(collection.titles, collection.texts)
        self._queries: dict[str, list[int]] = defaultdict(list)
        for row, text in enumerate(collection.queries):
            self._queries[folded(text)].append(row)
        self._documents: dict[str, list[int]] = defaultdict(list)
        for row, text in enumerate(collection.texts):
            passage = self._passages[row]
            for written in {words_of(passage), words_of(text)}:  # files may contain the title or not
                self._documents[written].append(row)
        self._positives = _by_query(collection.qrels.values())
        self._relevant = _by_query(collection.truth.values())

    def positives(self, query: str) -> list[str]:
        """Return the texts of the query's labelled positives in any split; empty for an unknown query."""
        return [self._passages[row] for row in sorted(self._of(self._positives, query))]

    def holds(self, query: str) -> bool:
        """Tell whether there are fuller judgments of this query."""
        return any(row in self._relevant for row in self._queries.get(folded(query), []))

    def labelled(self, query: str, document: str) -> bool:
        """Tell whether the document is a labelled positive of the query."""
        return not self._of(self._positives, query).isdisjoint(self._documents.get(words_of(document), []))

    def relevant(self, query: str, document: str) -> bool | None:
        """Tell whether fuller judgments call the document relevant; None if query or document are unknown."""
        rows = self._documents.get(words_of(document))
        if rows is None or not self.holds(query):
            return None
        return not self._of(self._relevant, query).isdisjoint(rows)

    def _of(self, judged: dict[int, set[int]], query: str) -> set[int]:
        return set().union(*(judged.get(row, set()) for row in self._queries.get(folded(query), [])))


def _by_query(splits: Iterable[Qrels]) -> dict[int, set[int]]:
    by_query: dict[int, set[int]] = defaultdict(set)
    for qrels in splits:
        for query, documents in qrels.at_least(1).by_query().items():
            by_query[query] |= set(documents.tolist())
    return dict(by_query)


def in_texts(rows: Sequence[Row], collection: Collection) -> Sequence[Row]:
    """Replace ids in the rows by the collection's texts; rows are unchanged if the first row has texts.

    Raises InputError for a row with an unknown id.
    """
    queries = dict(zip(collection.query_ids, collection.queries, strict=True))
    row_of = {name: row for row, name in enumerate(collection.document_ids)}
    first = rows[0]
    seem = first.query in queries and all(name in row_of for name in _documents(first))
    if not seem and not any(row.of_ids for row in rows):
        return rows
    passages = Passages(collection.titles, collection.texts)

    def missing(row: Row, what: str, name: str, held: str) -> InputError:
        return InputError(
            f"{row.place}: no {what} {name!r} in {collection.name}, whose ids are like {held!r}; use these"
        )

    def text(row: Row, name: str) -> str:
        if name not in row_of:
            raise missing(row, "document", name, collection.document_ids[0])
        return passages[row_of[name]]

    converted = []
    for row in rows:
        if row.query not in queries:
            raise missing(row, "query", row.query, collection.query_ids[0])
        converted.append(
            row._replace(
                query=queries[row.query],
                positives=tuple(text(row, name) for name in row.positives),
                negatives=tuple(one._replace(text=text(row, one.text)) for one in row.negatives),
            )
        )
    return converted


def _documents(row: Row) -> Iterator[str]:
    yield from row.positives
    yield from (one.text for one in row.negatives)
