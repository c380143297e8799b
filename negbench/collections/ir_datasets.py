"""A dataset of the ``ir_datasets`` package (MacAvaney et al. 2021) with its ``/train``, ``/dev``, ``/test``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from negbench.collections import Source, assembly, checks
from negbench.collections.splits import SPLIT_NAMES, Share, Together
from negbench.errors import InputError
from negbench.types import Collection

T = TypeVar("T")
_SPLITS = ("train", "dev", "test", *SPLIT_NAMES)


class IrDatasets(Source):
    """A dataset of ``ir_datasets``, e.g. ``beir/scifact``, with the splits that it has below its id.

    A dataset with judgments of its own and no splits below it, e.g. ``cranfield``, is one split: the one that its id
    ends in, else test. The package downloads what it needs and keeps it in its own folder.
    """

    name: ClassVar[str] = "ir_datasets"
    carves: ClassVar[bool] = True
    downloads: ClassVar[bool] = True

    id: str = Field(description="Id of the dataset, as in `beir/scifact`.")
    dev: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes dev where there is no such split, in [0, 0.5).",
    )
    test: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes test where there is no such split, in [0, 0.5).",
    )
    together: Together = "text"

    def fingerprint(self) -> str:
        """Return the parameters and the package's version, which pins the checksums of its downloads."""
        self._dataset(self.id)
        import ir_datasets

        return f"{self.spelling} v{self.version}, ir_datasets {ir_datasets.__version__}"

    def load(self) -> Collection:
        """Download what is missing, read and check it. Raises InputError with dataset and record number."""
        dataset = self._dataset(self.id)
        if not dataset.has_docs():
            raise InputError(f"{self._place(self.id)}: the dataset has no documents; give the id of one that has")
        splits = self._splits(dataset)
        return assembly.assemble(
            self.id,
            self._records(self.id, "docs", _document),
            checks.Records(f"{self._place(self.id)} queries", self._queries(splits)),
            {split: self._records(name, "qrels", _judgment) for split, name in splits.items()},
            dev=self.dev,
            test=self.test,
            together=self.together,
        )

    def _dataset(self, name: str) -> Any:
        try:
            import ir_datasets
        except ImportError as error:
            raise InputError(
                f"{self._place(name)}: the package is not installed; pip install 'negbench[ir-datasets]'"
            ) from error
        try:
            return ir_datasets.load(name)
        except KeyError as error:
            raise InputError(
                f"{self._place(name)}: the package has no such dataset; see https://ir-datasets.com for the ids"
            ) from error

    def _splits(self, whole: Any) -> dict[str, str]:
        """Return the ids of the datasets that hold the judgments, by split."""
        import ir_datasets

        splits = {}
        for split in _SPLITS:
            try:
                part = ir_datasets.load(f"{self.id}/{split}")
            except KeyError:
                continue
            if part.has_qrels():
                splits[split] = f"{self.id}/{split}"
        if not splits and whole.has_qrels():
            last = self.id.rpartition("/")[2]
            splits[last if last in _SPLITS else "test"] = self.id
        if not splits:
            raise InputError(
                f"{self._place(self.id)}: no judgments, neither of the dataset itself nor of its /train or /test; "
                "give one with qrels"
            )
        return splits

    def _queries(self, splits: dict[str, str]) -> Iterator[checks.Query]:
        """Yield every query once, whether the whole dataset, its splits or all of them list it."""
        seen: dict[str, str] = {}
        for name in dict.fromkeys((self.id, *splits.values())):
            if not self._dataset(name).has_queries():
                continue
            for query in self._records(name, "queries", _query).entries:
                if seen.get(query.id) != query.text:  # the same id with other words is refused as a duplicate
                    seen.setdefault(query.id, query.text)
                    yield query

    def _records(self, name: str, table: str, convert: Callable[[Any, str], T]) -> checks.Records[T]:
        place = f"{self._place(name)} {table}"
        return checks.Records(place, (convert(record, where) for record, where in self._iterate(name, table, place)))

    def _iterate(self, name: str, table: str, place: str) -> Iterator[tuple[Any, str]]:
        try:
            for number, record in enumerate(getattr(self._dataset(name), f"{table}_iter")(), 1):
                yield record, f"{place} record {number}"
        except (OSError, RuntimeError) as error:  # among them failed downloads
            raise InputError(f"{place}: cannot be read: {error}") from error

    @staticmethod
    def _place(name: str) -> str:
        return f"ir_datasets:{name}"


def _document(record: Any, place: str) -> checks.Document:
    title, text = getattr(record, "title", None), getattr(record, "text", None)
    if not isinstance(title, str) or not isinstance(text, str):
        title, text = "", _text_of(record)
    return checks.document({"_id": record.doc_id, "title": title, "text": text}, place)


def _query(record: Any, place: str) -> checks.Query:
    return checks.query({"_id": record.query_id, "text": _text_of(record)}, place)


def _text_of(record: Any) -> object:
    """Return a record's default text; old record types only have a field ``text``."""
    return record.default_text() if hasattr(record, "default_text") else getattr(record, "text", None)


def _judgment(record: Any, place: str) -> checks.Judgment:
    query, document = (checks.identifier(getattr(record, name), name, place) for name in ("query_id", "doc_id"))
    return checks.Judgment(place, query, document, checks.grade(record.relevance, place))
