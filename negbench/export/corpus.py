"""The documents that mined rows name, each once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negbench.export.mined_rows import Document, MinedRows
from negbench.types import Int32


def named_rows(rows: MinedRows) -> Int32:
    """Return the distinct document rows of all positives and negatives, ascending."""
    kept = rows.kept
    positives = rows.negatives.positives[kept][rows.weighed[kept]]
    others = [table[kept].ravel() for table in (rows.negatives.promoted, rows.negatives.documents)]
    every = np.unique(np.concatenate([positives, *others]))
    return np.asarray(every[every >= 0], np.int32)


def named_documents(rows: MinedRows) -> Iterator[Document]:
    """Yield each document of ``named_rows`` with its texts."""
    for row in named_rows(rows).tolist():
        yield rows.plain(row, "")
