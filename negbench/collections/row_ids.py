"""Ids of rows: whether they name the queries, the positives, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from negbench.collections.duplicates import folded
from negbench.collections.layouts.rows import Row


def applied(rows: dict[str, list[Row]]) -> tuple[dict[str, list[Row]], list[str]]:
    """Return the rows by split with the ids of rows as ids of queries and positives, and a sentence on what they name.

    Ids of rows name the queries if each has one text, and likewise the positives: the ``id`` of a table of questions
    may occur with several answers, and that of a table of articles with several questions. Rows that have ids of the
    queries or the positives themselves keep those.
    """
    every = [row for of_split in rows.values() for row in of_split]
    if not any(row.row_id for row in every) or any(row.of_ids for row in every):
        return rows, []
    names_queries = not any(row.query_id for row in every) and _has_one_text(every, lambda row: (row.query,))
    names_positives = not any(row.positive_ids for row in every) and _has_one_text(every, lambda row: row.positives)
    named = [what for what, is_named in (("queries", names_queries), ("documents", names_positives)) if is_named]
    if not named:
        return rows, []

    def changed(row: Row) -> Row:
        if names_queries:
            row = row._replace(query_id=row.row_id)
        return row._replace(positive_ids=(row.row_id,)) if names_positives and row.row_id else row

    return (
        {split: [changed(row) for row in of_split] for split, of_split in rows.items()},
        [f"the ids of the rows are the ids of {' and '.join(named)}"],
    )


def _has_one_text(rows: Iterable[Row], texts_of: Callable[[Row], tuple[str, ...]]) -> bool:
    """Tell whether each row has one text, and each id one text on all of its rows."""
    found: dict[str, str] = {}
    for row in rows:
        texts = texts_of(row)
        if len(texts) != 1:
            return False
        if row.row_id and found.setdefault(row.row_id, folded(texts[0])) != folded(texts[0]):
            return False
    return True
