"""Store a loaded collection as Parquet, and read it back."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np

from negbench.collections.duplicates import with_copies_in_truth
from negbench.types import Collection, GivenCandidates, Places, Qrels

_BLOCK = 8_192
"""Documents converted at a time: an Arrow copy of a whole corpus would double its memory."""


def save(collection: Collection, folder: Path) -> None:
    """Write ``documents``, ``queries``, one table of judgments a split and kind, and ``collection.json``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema({"id": pa.string(), "title": pa.string(), "text": pa.string()})
    with pq.ParquetWriter(folder / "documents.parquet", schema) as file:
        for first in range(0, len(collection.texts), _BLOCK):
            block = slice(first, first + _BLOCK)
            columns = [collection.document_ids[block], collection.titles[block], collection.texts[block]]
            file.write_table(pa.table(columns, schema))
    pq.write_table(pa.table({"id": collection.query_ids, "text": collection.queries}), folder / "queries.parquet")
    for name, by_split in (("qrels", collection.qrels), ("truth", collection.truth)):
        for split, judged in by_split.items():
            table = {"query": judged.queries, "document": judged.documents, "grade": judged.grades}
            pq.write_table(pa.table(table), folder / f"{name}.{split}.parquet")
    if collection.equal_texts is not None:
        np.save(folder / "equal_texts.npy", collection.equal_texts, allow_pickle=False)
    if collection.parents is not None:
        np.save(folder / "parents.npy", collection.parents, allow_pickle=False)
    if collection.given is not None:
        pq.write_table(pa.table(asdict(collection.given)), folder / "given.parquet")
    if collection.places is not None:
        for name, places in asdict(collection.places).items():
            pq.write_table(pa.table({"place": places}), folder / f"places-{name}.parquet")
    rest = {
        "name": collection.name,
        "truth_kind": collection.truth_kind,
        "warnings": list(collection.warnings),
        "copies_known": collection.copies_known,
    }
    (folder / "collection.json").write_text(json.dumps(rest, indent=1) + "\n")


def load(folder: Path) -> Collection:
    """Read a collection that ``save`` wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    documents: dict[str, list[str]] = {"id": [], "title": [], "text": []}
    with pq.ParquetFile(folder / "documents.parquet") as file:
        for batch in file.iter_batches(_BLOCK, use_threads=False):  # a thread keeps its memory
            for name, column in documents.items():
                column += batch[name].to_pylist()
    pa.default_memory_pool().release_unused()
    queries = pq.read_table(folder / "queries.parquet")
    judged: dict[str, dict[str, Qrels]] = {"qrels": {}, "truth": {}}
    for path in sorted(folder.glob("*.*.parquet")):
        name, split = path.name.removesuffix(".parquet").split(".", 1)
        table = pq.read_table(path)
        columns = [table[column].to_numpy().astype(np.int32) for column in ("query", "document", "grade")]
        judged[name][split] = Qrels(*columns)
    equal, parents = folder / "equal_texts.npy", folder / "parents.npy"
    rest = json.loads((folder / "collection.json").read_text())
    return Collection(
        name=rest["name"],
        document_ids=documents["id"],
        titles=documents["title"],
        texts=documents["text"],
        query_ids=queries["id"].to_pylist(),
        queries=queries["text"].to_pylist(),
        qrels=judged["qrels"],
        truth=judged["truth"],
        truth_kind=rest["truth_kind"],
        warnings=tuple(rest["warnings"]),
        equal_texts=np.load(equal, allow_pickle=False) if equal.exists() else None,
        copies_known=rest["copies_known"],
        given=_given(folder / "given.parquet"),
        parents=np.load(parents, allow_pickle=False) if parents.exists() else None,
        places=_places(folder),
    )


@lru_cache(maxsize=2)
def load_once(folder: Path) -> Collection:
    """Read a collection that ``save`` wrote; the last two stay in memory, since all stages of a grid read the same.

    Its truth holds copies of relevant documents, too (``duplicates.with_copies_in_truth``).
    """
    return with_copies_in_truth(load(folder))


def count(folder: Path) -> int:
    """Return the number of documents of a collection that ``save`` wrote, without reading them."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "documents.parquet") as file:
        return int(file.metadata.num_rows)


def _places(folder: Path) -> Places | None:
    """Return where texts without ids were read; None where there are no files of that."""
    import pyarrow.parquet as pq

    paths = [folder / f"places-{name}.parquet" for name in ("documents", "queries")]
    return Places(*(pq.read_table(path)["place"].to_pylist() for path in paths)) if paths[0].exists() else None


def _given(path: Path) -> GivenCandidates | None:
    """Return the candidates that came with the collection; None where there is no file of them."""
    import pyarrow.parquet as pq

    if not path.exists():
        return None
    table = pq.read_table(path)
    return GivenCandidates(**{name: table[name].to_numpy() for name in table.column_names})
