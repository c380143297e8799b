"""Keep a loaded collection as Parquet, and read it back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from negbench.types import Collection, Qrels


def save(collection: Collection, folder: Path) -> None:
    """Write ``documents``, ``queries``, one table of judgments a split and kind, and ``collection.json``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    documents = {"id": collection.document_ids, "title": collection.titles, "text": collection.texts}
    pq.write_table(pa.table(documents), folder / "documents.parquet")
    pq.write_table(pa.table({"id": collection.query_ids, "text": collection.queries}), folder / "queries.parquet")
    for name, by_split in (("qrels", collection.qrels), ("truth", collection.truth)):
        for split, judged in by_split.items():
            table = {"query": judged.queries, "document": judged.documents, "grade": judged.grades}
            pq.write_table(pa.table(table), folder / f"{name}.{split}.parquet")
    rest = {"name": collection.name, "truth_kind": collection.truth_kind, "warnings": list(collection.warnings)}
    (folder / "collection.json").write_text(json.dumps(rest, indent=1) + "\n")


def load(folder: Path) -> Collection:
    """Read what ``save`` wrote."""
    import pyarrow.parquet as pq

    documents = pq.read_table(folder / "documents.parquet")
    queries = pq.read_table(folder / "queries.parquet")
    judged: dict[str, dict[str, Qrels]] = {"qrels": {}, "truth": {}}
    for path in sorted(folder.glob("*.*.parquet")):
        name, split = path.name.removesuffix(".parquet").split(".", 1)
        table = pq.read_table(path)
        columns = [table[column].to_numpy().astype(np.int32) for column in ("query", "document", "grade")]
        judged[name][split] = Qrels(*columns)
    rest = json.loads((folder / "collection.json").read_text())
    return Collection(
        name=rest["name"],
        document_ids=documents["id"].to_pylist(),
        titles=documents["title"].to_pylist(),
        texts=documents["text"].to_pylist(),
        query_ids=queries["id"].to_pylist(),
        queries=queries["text"].to_pylist(),
        qrels=judged["qrels"],
        truth=judged["truth"],
        truth_kind=rest["truth_kind"],
        warnings=tuple(rest["warnings"]),
    )
