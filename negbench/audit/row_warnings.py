"""What may not be meant in the rows of a method, and is told rather than refused."""

from __future__ import annotations

from collections.abc import Sequence

from negbench.audit.rows import Row


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a sentence, with its count, for each thing that may not be meant."""
    negatives = [one.text.strip() for row in rows for one in row.negatives]
    positives = [text.strip() for row in rows for text in row.positives]
    found = [
        _count(sum(not row.negatives for row in rows), len(rows), "rows have no negatives and are passed over"),
        _count(negatives.count(""), len(negatives), "negatives have no text and are left out"),
    ]
    split = "are one letter long: was a text taken for a list of texts?"
    found += [_count(sum(len(text) == 1 for text in negatives), len(negatives), f"negatives {split}")]
    found += [_count(sum(len(text) == 1 for text in positives), len(positives), f"positives {split}")]
    listed = sum(text.startswith(("['", '["')) and text.endswith("]") for text in negatives)
    found.append(_count(listed, len(negatives), "negatives look like a list that was written as one text"))
    return tuple(sentence for sentence in found if sentence)


def _count(count: int, total: int, what: str) -> str:
    return f"{count} of {total} {what}" if count else ""
