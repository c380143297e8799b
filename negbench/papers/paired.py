"""Which queries values are over: only values over the same queries can be paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from negbench.collections import Source
from negbench.collections.resolve import collection_name, source_of
from negbench.errors import InputError
from negbench.papers.files import Folder
from negbench.papers.rows import IN_BATCH, OVERLAP, RATE, RECORDED, EvaluationRow, GridRow
from negbench.papers.rows import Source as RowSource
from negbench.papers.statements import Value
from negbench.stages.inputs import TRAINING_SPLIT, LoadCollection, read_collection
from negbench.store import Store
from negbench.types import Collection


@dataclass(frozen=True)
class Queries:
    """The queries of splits, read from the store once each."""

    store: Store
    _known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def ids(self, loaded: LoadCollection, split: str) -> tuple[str, ...]:
        """Return the queries of a split as COLLECTION/ID, so that those of two collections are never paired.

        A collection made from another, such as ``mismatched``, has the other's name where it left the split's queries
        and judgments and the documents as they were.
        """
        key = (loaded.key, split)
        if key not in self._known:
            self._known[key] = self._read(loaded, split)
        return self._known[key]

    def _read(self, loaded: LoadCollection, split: str) -> tuple[str, ...]:
        collection, source = read_collection(self.store.ensure(loaded)), loaded.source
        for inner in list(_made_from(source))[1:]:
            stage = LoadCollection(inner, inner.fingerprint(), loaded.equal_texts)
            if not _equal_split(collection, read_collection(self.store.ensure(stage)), split):
                break
            source = inner
        name = collection_name(source)
        return tuple(f"{name}/{collection.query_ids[row]}" for row in collection.split_queries(split).tolist())


def check(folder: Folder, rows: Mapping[str, RowSource]) -> None:
    """Refuse statements whose values cannot be paired, as far as that is known before anything runs.

    Raises InputError with file, line and key. What remains for later: whether a collection made from another left the
    split that both are measured on as it was, and the queries of scripts.
    """
    for name, statement in folder.statements.items():
        if folder.expect.statements[name].needs is not None:
            continue
        for values in statement.paired:
            known = [(value, found) for value in values if (found := _over(folder, rows[value.row], value))]
            for value, found in known[1:]:
                first, expected = known[0]
                if not found & expected:
                    raise InputError(
                        f"{folder.where('statements', name, 'says')}: {first} is over {_told(expected)}, {value} over "
                        f"{_told(found)}, so they cannot be paired; name rows over the same queries"
                    )


def _over(folder: Folder, row: RowSource, value: Value) -> set[str]:
    """Return the names that the value's queries may go by; none where that is not known yet."""
    if isinstance(row, EvaluationRow):
        spec = folder.expect.evaluations[row.name]
        try:
            return {f"{it}, {spec.split}" for it in _names(source_of(spec.collection))}
        except InputError:
            return set()  # told when it runs
    if not isinstance(row, GridRow):
        return set()
    (settings,) = [
        it for point, it in folder.grids[row.grid].points if tuple((k, str(v)) for k, v in point.items()) == row.point
    ]
    prefix = value.measure.partition("/")[0]
    if value.measure == IN_BATCH or prefix in RECORDED:
        return {"the whole"}
    if value.measure == RATE or OVERLAP.fullmatch(value.measure):
        return {f"{it}, {TRAINING_SPLIT}" for it in _names(settings.collection)}
    elsewhere = {collection_name(it.collection): it.collection for it in settings.evaluate_on}
    return {f"{it}, {settings.split}" for it in _names(elsewhere.get(prefix, settings.collection))}


def _told(names: set[str]) -> str:
    return " or ".join(sorted(names))


def _names(source: Source) -> list[str]:
    return [collection_name(it) for it in _made_from(source)]


def _made_from(source: Source) -> Iterator[Source]:
    """Yield the source, the one that it was made from, and so on."""
    yield source
    while isinstance(inner := source.parameters.get("collection"), Source):
        yield inner
        source = inner


def _equal_split(one: Collection, other: Collection, split: str) -> bool:
    """Tell whether a split has the same judgments of the same queries and documents in two collections."""
    if split not in other.qrels or one.qrels[split].triples() != other.qrels[split].triples():
        return False
    texts = [(it.query_ids, it.queries, it.document_ids, it.titles, it.texts) for it in (one, other)]
    return all(list(a) == list(b) for a, b in zip(*texts, strict=True))
