"""An audit of a grid's negatives reaches the grid's tables and page, and stays there."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import negbench as nb
from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.trials import trials
from negbench.report.rows import Row
from negbench.runners import outputs
from negbench.runners.rewrite import join_audits
from negbench.store import Store

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
    held = " [".join([f"{100 * found['rate']:.1f} %", f"{100 * found['low']:.1f}, {100 * found['high']:.1f}]"])
    card = (here / "runs/audited/best/README.md").read_text()
    assert ("method: `bm25`" in card) == (f"(audit): {held}; {found['note']}." in card)
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


BOTH = """\
name: both
collections: [garden, yard]
encoder: tiny
methods: [bm25, random]
seeds: [0]
negatives: 2
train: {epochs: 1, batch_size: 8, max_length: 64, precision: float32}
"""


@pytest.fixture
def both(here: Path) -> Path:
    """A grid of two collections that has run, and one of a third that was never in it."""
    for name, word in (("yard", "today"), ("field", "tomorrow")):
        folder = here / name
        if not folder.exists():
            shutil.copytree(here / "garden", folder)
            documents = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
            lines = (json.dumps({**one, "text": f"{one['text']} {word}"}) + "\n" for one in documents)
            (folder / "corpus.jsonl").write_text("".join(lines))
    (here / "both.yaml").write_text(BOTH)
    (here / "field.yaml").write_text(BOTH.replace("collections: [garden, yard]", "collection: field"))
    (here / "yard.yaml").write_text(BOTH.replace("collections: [garden, yard]", "collection: yard"))
    shutil.rmtree(here / "runs/both", ignore_errors=True)
    nb.run("both.yaml", "runs/both")
    return here


def join(*folders: Path) -> None:
    """Do what a report does with audits, without its page and figures."""
    grid = read(Path("both.yaml"))
    join_audits(grid, trials(grid), Store.default(), Path("runs/both"), folders)


def audited(*paths: str, **keys: Any) -> Path:
    """Audit, answer, and return the folder."""
    folder = nb.audit(*paths, labels=30, **keys).folder
    answer(folder)
    return folder


def rates_of(folder: Path) -> dict[tuple[str, str], str]:
    """The audited rates in the table of a run by method and collection; those of a part by method alone."""
    heading, *lines = list(csv.reader((folder / "table.csv").open(encoding="utf-8")))
    rows = [dict(zip(heading, line, strict=True)) for line in lines]
    return {(row["method"], row.get("collection", "")): row["audited"] for row in rows if row["audited"]}


def test_audits_of_several_collections(both: Path) -> None:
    """Each in the rows of its own collection, whatever their order and how many at a time."""
    of_garden = audited("both.yaml")
    assert of_garden == Path("audits/both")
    of_yard = audited("both.yaml", collection="yard", seed=1)
    assert of_yard == Path("audits/both-yard")
    given = {name: nb.audit(folder).estimate for name, folder in (("garden", of_garden), ("yard", of_yard))}
    wanted = {
        tuple(method.split(" collection=")): str(rate.rate)
        for found in given.values()
        if found is not None
        for method, rate in found.rates.items()
    }
    assert set(wanted) == {(method, name) for method in ("bm25", "random") for name in ("garden", "yard")}

    nb.write_report("both.yaml", "runs/both", texts=0, audit=[of_yard, of_garden])
    assert rates_of(Path("runs/both")) == wanted
    for name in ("garden", "yard"):
        of_part = {(method, ""): rate for (method, place), rate in wanted.items() if place == name}
        assert rates_of(Path("runs/both") / name) == of_part
        assert "(audit)" in (both / f"runs/both/best/{name}/README.md").read_text()

    (both / "runs/both/audit.json").unlink()
    for one in (of_garden, of_yard):
        join(one)
    assert rates_of(Path("runs/both")) == wanted
    assert [row.audited for row in nb.run("both.yaml", "runs/both").rows].count(None) == 6  # the references

    with pytest.raises(InputError, match=r"audits/both and audits/both have both audited .*bm25 collection=garden"):
        join(of_garden, of_garden)


def test_an_audit_of_one_method_or_of_a_grid_of_one_collection(both: Path) -> None:
    """Their sheets name the methods as the smaller grid does."""
    (both / "few.yaml").write_text((both / "yard.yaml").read_text().replace("[bm25, random]", "[random]"))
    one, other = audited("yard.yaml"), audited("few.yaml", seed=2)
    join(one)
    before = rates_of(Path("runs/both"))
    assert set(before) == {("bm25", "yard"), ("random", "yard")}
    join(other)  # the newer one of the same negatives
    found = nb.audit(other).estimate
    assert found is not None
    assert rates_of(Path("runs/both")) == {**before, ("random", "yard"): str(found.rates["random"].rate)}


def test_a_contradiction_names_the_collection(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = audited("both.yaml", collection="yard")
    of_rows = outputs.rows

    def contradicted(*given: Any) -> list[Row]:
        return [replace(one, rate=1.0, rate_low=1.0, rate_high=1.0) for one in of_rows(*given)]

    monkeypatch.setattr(outputs, "rows", contradicted)
    monkeypatch.setattr("negbench.report.audited._estimates", lambda row, _: {"judge": (1.0, 1.0, 1.0)})
    join(folder)
    (said,) = [
        note
        for note in json.loads((both / "runs/both/results.json").read_text())["oddities"]
        if "believe the labels" in note
    ]
    assert "bm25, collection=yard 100.0 %" in said
    assert "garden" not in said


def test_an_audit_of_another_collection_is_refused(both: Path) -> None:
    nb.run("field.yaml", "runs/field")
    folder = audited("field.yaml")
    with pytest.raises(InputError) as told:
        join(folder)
    assert str(told.value) == (
        "--audit: the sheet in audits/field (bm25, random) was drawn from other negatives than those of both as it is "
        "now, on garden or yard; audit the grid again with another --out"
    )
    assert not (both / "runs/both/audit.json").exists()
    with pytest.raises(InputError, match=r"^--collection field: both\.yaml has negatives on garden, yard; give one"):
        nb.audit("both.yaml", collection="field")
