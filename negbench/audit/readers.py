"""Read negatives from whatever a path holds: found from its content, and from its name where content does not say."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from negbench.audit import grids, json_lists, layouts, records, triples
from negbench.audit.known import Known, in_texts
from negbench.audit.rows import Row
from negbench.errors import InputError
from negbench.store import Store
from negbench.types import Collection

_EXPECTED = (
    "expected negatives as sentence-transformers (a saved dataset, .parquet, .jsonl or .csv), FlagEmbedding, Tevatron "
    "or DPR (.jsonl, .json) write them, triples (.tsv, .jsonl), a grid (.yaml), or a folder with the results of one"
)
_MANIFEST = "manifest.json"


def read(
    paths: Sequence[Path], collection: Collection | None, store: Store
) -> tuple[dict[str, Sequence[Row]], Known | None]:
    """Return the rows by method, and what a collection knows of them.

    A file is one method, called by its name without the ending, a grid as many as it has. A grid brings its own
    collection. Raises InputError with file and line for what is broken, and for a grid beside other paths.
    """
    manifests = [grid for path in paths if (grid := _grid(path)) is not None]
    if manifests:
        if len(paths) > 1:
            raise InputError(f"{manifests[0]}: a grid is audited by itself; give one path")
        if collection is not None:
            raise InputError(f"--collection: {manifests[0]} names its collection itself; leave the option out")
        drawn, own = grids.rows(manifests[0], store)
        return dict(drawn), Known(own)
    found: dict[str, Sequence[Row]] = {}
    for name, path in zip(_names(paths), paths, strict=True):
        mine: Sequence[Row] = list(layouts.rows(_records(path), str(path)))
        if collection is None and (named := next((row for row in mine if row.of_ids), None)):
            raise InputError(
                f"{named.place}: ids, not texts ({', '.join([named.query, *named.positives])[:60]}); say with "
                "--collection whose they are"
            )
        if not any(row.negatives for row in mine):
            raise InputError(f"{path}: no negatives in its {len(mine)} rows; expected at least one")
        found[name] = in_texts(mine, collection) if collection is not None else mine
    return found, Known(collection) if collection is not None else None


def _grid(path: Path) -> Path | None:
    """Return the grid file, or the manifest of a folder with a grid's results; None where it is something else."""
    if path.is_dir():
        return path / _MANIFEST if (path / _MANIFEST).is_file() else None
    return path if path.suffix in (".yaml", ".yml") or path.name == _MANIFEST else None


def _names(paths: Sequence[Path]) -> list[str]:
    """Return what each path's method is called: its file's name without endings, or the path where two are the same."""
    stems = [path.resolve().name.split(".")[0] or path.name for path in paths]
    if repeated := [str(path) for path, count in Counter(paths).items() if count > 1]:
        raise InputError(f"{repeated[0]}: given twice; give it once")
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _records(path: Path) -> Iterator[records.Record]:
    if path.is_dir():
        if not any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
            raise InputError(f"{path}: this folder holds no saved dataset; {_EXPECTED}")
        return records.dataset_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; {_EXPECTED}")
    start = _start(path)
    if start.startswith(b"PAR1"):
        return records.parquet(path)
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return records.json_lines(path)
    if start.startswith(b"["):
        return json_lists.records(path)
    first = start.split(b"\n", 1)[0].decode(errors="replace").rstrip("\r")
    tabbed, columns = first.split("\t"), [cell.strip().strip('"') for cell in first.replace("\t", ",").split(",")]
    if layouts.heading(columns):
        return records.table(path, "\t" if len(tabbed) > 1 else ",")
    if len(tabbed) == 3:
        return triples.records(path)
    raise InputError(f"{path}:1: {first!r:.60} is the start of no known format; {_EXPECTED}")


def _start(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(65_536)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
