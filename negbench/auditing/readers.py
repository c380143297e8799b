"""Read negatives from a file or folder; the format is recognised by its content or, if ambiguous, by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from negbench import user_files
from negbench.auditing import folders, grids
from negbench.auditing.known import Known, in_texts
from negbench.collections.layouts import columns, files, recognise, records
from negbench.collections.layouts.columns import UnknownColumnsError
from negbench.collections.layouts.rows import Row
from negbench.collections.pairs import Pairs
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.store import Store
from negbench.types import Collection

_EXPECTED = (
    "expected negatives in a format of sentence-transformers (a saved dataset, .parquet, .jsonl or .csv), "
    "FlagEmbedding, Tevatron or DPR (.jsonl, .json), triples (.tsv, .jsonl), a folder of ColBERT, Tevatron 2 or TREC "
    "files, a grid (.yaml), or a folder with the results of a grid"
)
_LISTS = ("neg", "negative_passages", "negative_document_ids", "hard_negative_ctxs", "negative_ctxs")
"""Keys of lists of negatives, which may be empty; ``columns.NEGATIVE`` has those of texts."""
_MANIFEST = "manifest.json"


def read(
    paths: Sequence[Path], collection: Collection | None, store: Store, of_grid: str | None = None
) -> tuple[dict[str, Sequence[Row]], Known | None]:
    """Return the rows by method, and the collection's judgments.

    A file is one method, named by the file's name without extension; a grid has several. A grid names its own
    collections, of which ``of_grid`` chooses one. Raises InputError with file and line for invalid data, and for a grid
    together with other paths.
    """
    manifests = [grid for path in paths if (grid := grid_of(path)) is not None]
    if manifests:
        if len(paths) > 1:
            raise InputError(f"{manifests[0]}: a grid cannot be combined with other paths; give it alone")
        drawn, own = grids.rows(manifests[0], store, of_grid)
        return dict(drawn), Known(own)
    by_name: dict[str, Sequence[Row]] = {}
    for name, path in zip(_names(paths), paths, strict=True):
        try:
            rows = _records(path)
            first = next(rows, None)
            of_file: Sequence[Row] = list(recognise.rows(rows if first is None else chain([first], rows), str(path)))
        except UnknownColumnsError as error:
            command = f"negbench audit {error.named('NEGATIVE')} --label"
            raise InputError(
                f"{error.found}: say which is the query, its positive and its negative, as in `{command}`; or rename "
                "them to query, positive and negative"
            ) from error
        if collection is None and (named := next((row for row in of_file if row.of_ids), None)):
            raise InputError(
                f"{named.place}: ids, not texts ({', '.join([named.query, *named.positives])[:60]}); name their "
                "collection with --collection"
            )
        if not any(row.negatives for row in of_file):
            names = [] if first is None else [str(name) for name in first.fields]
            known = any(name in _LISTS or columns.NEGATIVE.fullmatch(name) for name in names)
            near = [] if known else [name for name in names if name.lower().startswith("neg")]
            key = f"; the key {near[0]!r} holds none that are read: rename it to neg or negative" if near else ""
            raise InputError(f"{path}: no negatives in its {len(of_file)} rows; expected at least one{key}")
        by_name[name] = in_texts(of_file, collection) if collection is not None else of_file
    return by_name, Known(collection) if collection is not None else None


def grid_of(path: Path) -> Path | None:
    """Return the grid file, or the manifest in a folder of results; None for other paths."""
    if user_files.is_folder(path):
        return path / _MANIFEST if user_files.is_file(path / _MANIFEST) else None
    return path if path.suffix in (".yaml", ".yml") or path.name == _MANIFEST else None


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the method name of each path: its file name without extensions, or the path if two names are equal."""
    stems = [user_files.resolved(file_of(path)).name.split(".")[0] or path.name for path in paths]
    if repeated := [str(path) for path, count in Counter(paths).items() if count > 1]:
        raise InputError(f"{repeated[0]}: given twice; give it once")
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def file_of(path: Path) -> Path:
    """Return the file of a path that names its columns, ``pairs(path=FILE, query=COLUMN, ...)``; another as it is."""
    source = _with_columns(path)
    return path if source is None else Path(source.path)


def _with_columns(path: Path) -> Pairs | None:
    text = str(path)
    if not text.startswith((f"{Pairs.name}(", "{")) or user_files.is_there(path):
        return None
    source = source_of(text)
    if not isinstance(source, Pairs) or source.query is None or source.positive is None:
        raise InputError(
            f"{text}: expected pairs(path=FILE, query=COLUMN, positive=COLUMN, negative=COLUMN); name them"
        )
    return source


def _records(path: Path) -> Iterator[records.Record]:
    if (source := _with_columns(path)) is not None:
        assert source.query is not None
        assert source.positive is not None
        named = files.open_file(Path(source.path), named=True)
        return columns.renamed(named, source.query, source.positive, source.negative)
    if user_files.is_folder(path):
        if (of_ids := folders.records(path)) is not None:
            return of_ids
        if not files.is_dataset(path):
            raise InputError(f"{path}: this folder has no saved dataset; {_EXPECTED}")
        return records.dataset_folder(path)
    if not user_files.is_there(path):
        raise InputError(f"{path}: no such file or folder; {_EXPECTED}")
    return files.open_file(path)
