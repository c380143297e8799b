"""The pages and figures of papers, written from their ``verdicts.json`` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negbench.papers import figure, page
from negbench.papers.record import NAME
from negbench.report import figures, results


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``verdicts.md`` of one paper into its results folder, and ``verdicts.svg`` where anything was estimated."""
    results.write_text(folder / "verdicts.md", page.paper(record))
    drawn = figure.draw(record)
    if drawn is None:
        (folder / figure.NAME).unlink(missing_ok=True)
    else:
        results.write_text(folder / figure.NAME, figures.svg(drawn))


def write_all(out: Path) -> None:
    """Write the pages and figures of all papers whose results are in ``out``, and the page of all verdicts."""
    for path in sorted(out.glob(f"*/{NAME}")):
        write(path.parent, json.loads(path.read_text(encoding="utf-8")))
    results.write_text(out / "README.md", page.write(out))
