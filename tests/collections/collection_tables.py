"""Collections as plain things that tests compare."""

from __future__ import annotations

import hashlib

from negbench.types import Collection, Qrels


def pairs(qrels: Qrels) -> set[tuple[int, int]]:
    return set(zip(qrels.queries.tolist(), qrels.documents.tolist(), strict=True))


def digest(collection: Collection) -> str:
    lines = [*collection.document_ids, *collection.titles, *collection.texts]
    lines += [*collection.query_ids, *collection.queries]
    for name, table in (("qrels", collection.qrels), ("truth", collection.truth)):
        for split in sorted(table):
            q = table[split]
            rows = zip(q.queries.tolist(), q.documents.tolist(), q.grades.tolist(), strict=True)
            lines += [f"{name} {split} {row}" for row in rows]
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
