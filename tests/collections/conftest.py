"""Collections that several tests of this folder load."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def turned_collection(tiny_collection: Path, tmp_path: Path) -> Path:
    """Return a copy of ``tiny_collection`` whose files have their lines in reverse order."""
    turned = tmp_path / "turned"
    (turned / "qrels").mkdir(parents=True)
    for path in sorted(tiny_collection.rglob("*.*")):
        lines = path.read_text().splitlines(keepends=True)
        head = lines[:1] if path.suffix == ".tsv" else []
        (turned / path.relative_to(tiny_collection)).write_text("".join([*head, *reversed(lines[len(head) :])]))
    return turned
