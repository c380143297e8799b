"""Warnings about suspicious rows, which are read nevertheless."""

from __future__ import annotations

from collections.abc import Sequence

from negbench.collections.layouts.rows import Row


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a warning for each kind of suspicious row of negatives, with the number of such rows."""
    without = _count(sum(not row.negatives for row in rows), len(rows), "rows have no negatives and are skipped")
    return (*([without] if without else []), *odd_texts(rows))


def odd_texts(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a warning for each kind of suspicious text, with the number of such texts."""
    negatives = [one.text.strip() for row in rows for one in row.negatives]
    positives = [text.strip() for row in rows for text in row.positives]
    every_warning = [
        _count(negatives.count(""), len(negatives), "negatives have no text and are left out"),
    ]
    split = "have only one character: was a text read as a list of texts?"
    every_warning += [_count(sum(len(text) == 1 for text in negatives), len(negatives), f"negatives {split}")]
    every_warning += [_count(sum(len(text) == 1 for text in positives), len(positives), f"positives {split}")]
    listed = sum(text.startswith(("['", '["')) and text.endswith("]") for text in negatives)
    every_warning.append(_count(listed, len(negatives), "negatives look like a list that was saved as one text"))
    return tuple(sentence for sentence in every_warning if sentence)


def _count(count: int, total: int, what: str) -> str:
    return f"{count} of {total} {what}" if count else ""
