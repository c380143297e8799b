"""A frame with made-up texts, whose false negatives are known."""

from __future__ import annotations

import numpy as np

from negbench.auditing.population import Population, build
from negbench.collections.layouts.rows import Negative, Row
from negbench.types import Bool

HOSTILE = "<script>document.title = 'broken'</script> & <b>bold</b>"


def frame(queries: int = 60, depth: int = 10, methods: int = 1, known: int = 0) -> Population:
    """``queries`` x ``depth`` pairs; later methods go deeper. A query's first ``known`` are known positives."""
    rows = {
        f"m{method}": [
            Row(
                "made",
                f"=query {query}" if query else HOSTILE,
                ("a positive", *(f"document {query} {rank}" for rank in range(known))),
                tuple(
                    Negative(f"document {query} {rank}", rank) for rank in range(0, depth * (method + 1), method + 1)
                ),
            )
            for query in range(queries)
        ]
        for method in range(methods)
    }
    return build(rows, None)


def relevant(frame: Population) -> Bool:
    """Say which pairs [N] are relevant: by a rule that favours the top."""
    rank = np.array([int(text.split()[-1]) for text in frame.document_texts])[frame.documents]
    query = np.array([0 if text == HOSTILE else int(text.split()[-1]) for text in frame.query_texts])[frame.queries]
    return np.asarray((query * 7 + rank * 3) % 10 < 4 - rank // 2)
