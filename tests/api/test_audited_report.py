"""An audit of a grid's negatives reaches the grid's tables and page, and stays there."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import negbench as nb
from negbench.errors import InputError

HEADING = "false negatives %, audit [95 %]"


def answer(folder: Path) -> None:
    """Answer yes to every fourth item."""
    with (folder / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "sheet.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "answer": "yes" if len(row["document"]) % 4 == 0 else "no"} for row in rows)


def cells(table: str, method: str) -> dict[str, str]:
    """Return a row of a table in Markdown by its heading."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    (row,) = [line for line in lines if line[0] == method]
    return dict(zip(lines[0], row, strict=True))


def test_from_the_run_to_the_table(here: Path, negbench: Callable[..., Any]) -> None:
    def command(*arguments: str) -> Any:
        return negbench(*arguments, cwd=here)

    shutil.rmtree(here / "runs/audited", ignore_errors=True)
    out = ("--out", "runs/audited")
    assert command("run", "garden.yaml", *out).code == 0
    before = (here / "runs/audited/table.md").read_text()
    assert HEADING not in before

    early = command("report", "garden.yaml", *out, "--audit", "audits/garden")
    assert (early.code, "has no sheet" in early.err) == (2, True)
    assert command("audit", "garden.yaml", "--labels", "30").code == 0
    early = command("report", "garden.yaml", *out, "--audit", "audits/garden")
    assert (early.code, "fewer than two answers" in early.err) == (2, True)
    assert (here / "runs/audited/table.md").read_text() == before

    answer(here / "audits/garden")
    (found,) = json.loads(command("audit", "garden.yaml", "--json").out)["estimate"]["methods"]
    assert "negbench report garden.yaml --audit audits/garden" in " ".join(command("audit", "garden.yaml").out.split())
    said = command("report", "garden.yaml", *out, "--audit", "audits/garden")
    assert (said.code, said.err) == (0, "")
    wanted = " [".join([f"{100 * found['rate']:.2f}", f"{100 * found['low']:.2f}, {100 * found['high']:.2f}]"])
    table = (here / "runs/audited/table.md").read_text()
    assert cells(table, "bm25")[HEADING] == wanted
    assert cells(table, "in-batch")[HEADING] == ""
    assert wanted in (here / "runs/audited/report.html").read_text()
    manifest = json.loads((here / "runs/audited/manifest.json").read_text())
    assert manifest["command"][1] == "run"

    again = command("run", "garden.yaml", *out)
    assert (here / "runs/audited/table.md").read_text() == table
    assert f"{100 * found['rate']:.2f}" in again.out

    wider = nb.run(nb.load_grid("garden.yaml", {"seeds": [0, 1]}), "runs/audited")
    assert all(row.audited is None for row in wider.rows)
    assert any("bm25: the audit" in note and "not shown" in note for note in wider.data["oddities"])
    with pytest.raises(InputError, match="drawn from other negatives"):
        nb.write_report(nb.load_grid("garden.yaml", {"seeds": [0, 1]}), "runs/audited", audit="audits/garden")
