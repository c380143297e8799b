"""The negatives of a method, without a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.api.grids import Grid, GridLike, as_grid, open_store
from negbench.api.result import Result
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.evaluation.false_negatives import Rate
    from negbench.runners.mine import MinedNegative, MiningResult
    from negbench.types import Collection

SHOWN = 10
"""Number of negatives that the table shows."""

LETTERS = 80
"""Number of characters of a text that the table shows."""


@dataclass(frozen=True, repr=False)
class Mined(Result):
    """The negatives that a method drew for the training queries of a collection."""

    found: MiningResult

    @property
    def rows(self) -> list[MinedNegative]:
        """The negatives: ids of query and document, rank, score, origin, texts of both."""
        return self.found.negatives

    @property
    def notes(self) -> list[str]:
        """Sentences on what is odd in the collection or the draw, each with its count."""
        return self.found.notes

    @property
    def false_negatives(self) -> Rate | None:
        """The share that is relevant by the truth, each negative counted once, with its 95 % interval over queries.

        None where the collection knows no more than its labels.
        """
        return self.found.false_negatives

    @property
    def data(self) -> dict[str, Any]:
        """Method, collection, false_negatives, notes and negatives."""
        rate = self.false_negatives
        estimate = None if rate is None else {name: getattr(rate, name) for name in ("rate", "low", "high", "note")}
        return {
            "method": self.found.method,
            "collection": self.found.collection,
            "false_negatives": estimate,
            "notes": self.notes,
            "negatives": [asdict(row) for row in self.rows],
        }

    @property
    def about(self) -> dict[str, Any]:
        """How they were made: method, collection, encoders, teacher, digests, settings, counts, rate, versions."""
        return self.found.about

    def save(self, out: str | PathLike[str], format: str | None = None) -> SavedNegatives:
        """Write the negatives and ``about`` for a library that trains.

        ``format`` is one of those that ``negbench.list_parts("format")`` lists, by default triplets of
        sentence-transformers; the suffix of ``out`` chooses the file where a format has several: ``.jsonl``,
        ``.parquet``, or none for a folder of ``datasets``. ``about`` goes to ``OUT.json``, in a folder to
        ``negbench.json`` and ``README.md``. An earlier export of the same format at ``out`` is replaced, unless it was
        changed since. Raises InputError, with nothing written, for an unknown format, a suffix that it does not have,
        and anything else in the way.
        """
        from negbench.export import saving
        from negbench.export.earlier import description_of
        from negbench.store.writable import expanded

        path = expanded(out, "--out")
        chosen = saving.format_of(format, path, self.found.inputs)
        about = saving.save(self.found.rows, chosen, path, self.about, self.found.inputs)
        return SavedNegatives(path, description_of(path), self, about)

    def to_pandas(self) -> DataFrame:
        """Return a row a negative: query, document, rank (from 1), score, origin, text."""
        import pandas as pd

        columns = ["query", "document", "rank", "score", "origin", "text"]
        return pd.DataFrame(self.data["negatives"], columns=columns).astype({"rank": "Int64", "score": "float64"})

    def _renderable(self) -> RenderableType:
        """Return the first negatives as a table, the false-negative rate, and the notes."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        found = self.found
        title = f"{found.method} on {found.collection}: {found.count} negatives of {found.queries} queries"
        table = Table(title=Text(title), title_justify="left")
        for name in ("query", "query text", "document", "rank", "score", "origin", "text"):
            table.add_column(name, justify="right" if name in ("rank", "score") else "left", overflow="fold")
        for row in self.found.first(SHOWN):
            rank, score = "" if row.rank is None else str(row.rank), "" if row.score is None else f"{row.score:.3f}"
            query_text, text = _short(row.query_text), _short(row.text)
            query, document = row.query_place or row.query, row.document_place or row.document
            table.add_row(*map(Text, (query, query_text, document, rank, score, row.origin, text)))
        lines = [f"and {self.found.count - SHOWN} more"] if self.found.count > SHOWN else []
        if (rate := self.false_negatives) is not None:
            share = f"{100 * rate.rate:.2f} % [{100 * rate.low:.2f}, {100 * rate.high:.2f}]"
            name = next(iter(self.found.rates))
            lines.append(f"false negatives, {name}: {share} of the negatives, each counted once; {rate.note}")
        return Group(table, *map(Text, [*lines, *(f"note: {note}" for note in self.notes)]))


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


@dataclass(frozen=True, repr=False)
class SavedNegatives(Result):
    """Negatives in a file or folder; ``description`` is the file that says how they were made."""

    path: Path
    description: Path
    mined: Mined
    about: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """The path, and what the description holds."""
        return {"path": str(self.path), **self.about}

    def to_pandas(self) -> DataFrame:
        """Return a row a negative, as ``Mined.to_pandas``."""
        return self.mined.to_pandas()

    def _renderable(self) -> RenderableType:
        """Return the first negatives as a table, and where all of them are."""
        from rich.console import Group
        from rich.text import Text

        before = self.mined.notes
        notes = [f"note: {note}" for note in self.about["notes"] if note not in before]
        where = f"negatives in {self.path}, format {self.about['format']}; how they were made in {self.description}"
        return Group(self.mined._renderable(), *map(Text, [*notes, where]))


def mine(
    method: str | Mapping[str, Any],
    collection: str | PathLike[str] | Mapping[str, Any],
    *,
    encoder: str | PathLike[str] | Mapping[str, Any] = "all-MiniLM-L6-v2",
    seed: int = 0,
    negatives: int = 1,
    max_length: int = 256,
    precision: str = "auto",
    format: str | None = None,
    overrides: Sequence[str] = (),
    store: str | PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Mined:
    """Draw ``negatives`` a training query by a method, with ``encoder`` as it stands; nothing is trained with them.

    ``method``, ``collection`` and ``encoder`` are as in a grid: ``"simans(a=0.5)"``, ``{"simans": {"a": 0.5}}``.
    A method whose candidates have an encoder of their own is mined with that one.
    ``max_length`` is the tokens a text, ``precision`` auto, float32 or bfloat16; ``overrides`` change further keys of a
    grid, as ``"equal_texts=unlabelled"``. A method that draws again as the
    encoder moves gets its first draw, and one that asks a teacher trained on the labels has it trained. ``progress``
    hears the label of each stage before it is made. ``format`` is what they will be saved in: ids that have no place
    in it are refused before anything is mined. A note names overrides that change nothing. Raises InputError for
    what does not exist, for a method that mines nothing, for one whose phases train the encoder that mines, and for
    overrides of what has an argument here.

    >>> mined = negbench.mine("bm25", "garden", encoder="tiny", negatives=2)
    >>> mined.to_pandas().columns.tolist()
    ['query', 'document', 'rank', 'score', 'origin', 'text']
    >>> len(mined.rows)
    48
    """
    from negbench.config.grid import read
    from negbench.runners.mine import mine as draw

    grid = {
        "name": "mine",
        "collection": collection,
        "encoder": encoder,
        "methods": [method],
        "seeds": [seed],
        "negatives": negatives,
        "train": {"max_length": max_length, "precision": precision},
    }
    for override in overrides:
        if option := _OPTIONS.get(override.partition("=")[0].strip()):
            raise InputError(
                f"--set {override}: one method is mined with one seed and one encoder; give it by {option}"
            )
    without = {override: partial(read, grid, [it for it in overrides if it is not override]) for override in overrides}
    return Mined(
        draw(read(grid, tuple(overrides)), open_store(store), progress or (lambda _: None), _fits(format), without)
    )


_OPTIONS = {
    "methods": "METHOD",
    "collection": "--collection",
    "encoder": "--encoder",
    "seeds": "--seed",
    "negatives": "--negatives",
}
"""Keys of a grid that ``mine`` has arguments for, with the command's names of these."""


def load_negatives(
    grid: GridLike,
    method: str,
    *,
    seed: int | None = None,
    format: str | None = None,
    store: str | PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Mined:
    """Return the negatives that a method of a grid trains on, those of its first epoch; nothing is trained.

    ``method`` is a row as the table calls it: ``"simans"``, or ``"simans negatives=2"`` where the grid has axes.
    ``seed`` is the grid's first by default, ``format`` as in ``mine``. A draw that is not stored is made. Raises
    InputError where the grid has no such row or seed, and where a phase mines with an encoder that is not trained yet.

    >>> negbench.load_negatives("garden.yaml", "bm25").save("bm25.jsonl").path.name
    'bm25.jsonl'
    """
    from negbench.runners.mine import of_grid

    return Mined(
        of_grid(as_grid(grid).config, method, seed, open_store(store), progress or (lambda _: None), _fits(format))
    )


def _fits(format: str | None) -> Callable[[Collection], None] | None:
    """Return the check that a format makes of a collection."""
    from negbench.export.saving import parse

    return None if format is None else parse(format).check


def check_format(out: Path, format: str | None, read: str | Grid) -> None:
    """Raise InputError where ``save`` could not write a format to ``out``; what takes long can ask beforehand.

    ``read`` is the collection, or the grid with the collections, that the negatives will be mined from.
    """
    from negbench.collections.resolve import source_of
    from negbench.export.saving import format_of
    from negbench.store.writable import check_writable, expanded

    sources = [source_of(read)] if isinstance(read, str) else [it.collection for _, it in read.config.points]
    path = expanded(out, "--out")
    format_of(format, path, [named for source in sources for named in source.paths])
    if not path.exists():
        check_writable(path, "--out")
