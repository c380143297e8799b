"""``verdicts.json`` of a paper: what it says now, what it said before, and what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from negbench import plain_values
from negbench.papers import table
from negbench.papers.files import Folder
from negbench.papers.rows import EvaluationRow, GridRow, Source
from negbench.papers.samples import Sample
from negbench.papers.statements import Statement, Value
from negbench.papers.verdicts import GOOD, Finding

NAME = "verdicts.json"


@dataclass(frozen=True)
class Before:
    """The last record of a paper and the values that it rests on; empty where it never ran."""

    record: dict[str, Any] = field(default_factory=dict)
    samples: Mapping[Value, Sample] = field(default_factory=dict)

    @property
    def statements(self) -> dict[str, dict[str, Any]]:
        """The records of the statements by name."""
        return {it["name"]: it for it in self.record.get("statements", [])}

    def still_valid(self, rows: Mapping[str, str]) -> dict[Value, Sample]:
        """Return the values of those rows that are defined as they are now; ``rows`` are the definitions by name."""
        defined = self.record.get("rows", {})
        return {value: it for value, it in self.samples.items() if defined.get(value.row) == rows.get(value.row, "")}


def before(out: Path) -> Before:
    """Read what the last run left in a paper's results folder."""
    if not (out / NAME).is_file() or not (out / "by_query.csv").is_file():
        return Before()
    record = plain_values.json_file(out / NAME, "the record of a paper")
    return Before(record, table.read((out / "by_query.csv").read_text(encoding="utf-8")))


def definitions(folder: Folder, sources: Mapping[str, Source]) -> dict[str, str]:
    """Return a digest of what each row is: grid, method and point; evaluation; or script."""
    return {name: _digest(_defined(folder, source)) for name, source in sources.items()}


def _defined(folder: Folder, source: Source) -> str:
    if isinstance(source, GridRow):
        grid = folder.grids[source.grid]
        return json.dumps([grid.text, grid.assignments, source.spelling, source.point])
    if isinstance(source, EvaluationRow):
        return folder.expect.evaluations[source.name].model_dump_json()
    return source.name + (folder.path / folder.expect.scripts[source.script].file).read_text(encoding="utf-8")


def make(
    folder: Folder,
    findings: Mapping[str, Finding],
    samples: Mapping[Value, Sample],
    rows: Mapping[str, str],
    earlier: Before,
) -> dict[str, Any]:
    """Return the record of a paper: its citation, and each statement with its claim, values and verdict.

    ``changed`` says of a statement whose values are those of an earlier run that it was not so worded then.
    """
    paper = folder.paper
    statements = []
    for name, claim in folder.expect.statements.items():
        statement = folder.statements[name]
        inputs = _inputs(statement, samples)
        first = _first_wording(name, statement, inputs, earlier)
        statements.append(
            {
                "name": name,
                "says": statement.text,
                "kind": statement.kind,
                "reported": paper.reported[claim.answers].model_dump(),
                "differs": claim.differs,
                "fair": claim.fair,
                "note": claim.note,
                **asdict(findings[name]),
                "inputs": inputs,
                "first": first,
                "changed": _change(first, statement.text),
            }
        )
    gone = [*earlier.record.get("removed", []), *earlier.statements]
    return {
        "paper": folder.name,
        "title": paper.title,
        "authors": paper.authors,
        "year": paper.year,
        "link": paper.link,
        "expect": folder.digest,
        "rows": dict(rows),
        "statements": statements,
        "removed": sorted({name for name in gone if name not in folder.expect.statements}),
    }


def _first_wording(name: str, statement: Statement, inputs: str | None, earlier: Before) -> str:
    """Return how a statement was worded when its values were first there; empty if it was not there at all."""
    known = earlier.statements.get(name)
    if known is not None and (known["inputs"] is None or known["inputs"] != inputs):
        known = None  # other values: they are the first for this wording
    if known is not None:
        return str(known["first"])
    measured = {value: earlier.samples[value] for value in statement.values if value in earlier.samples}
    if inputs is None or name in earlier.statements or _inputs(statement, measured) != inputs:
        return statement.text
    return ""


def _change(first: str, now: str) -> str:
    if not first:
        return "added since the run"
    return "" if first == now else f"changed since the run, from: {first}"


def _inputs(statement: Statement, samples: Mapping[Value, Sample]) -> str | None:
    """Return a digest of the values that a statement names; None where some are missing."""
    if any(value not in samples for value in statement.values):
        return None
    return _digest(table.write({value: samples[value] for value in statement.values}))


def worse(record: Mapping[str, Any], earlier: Before) -> list[str]:
    """Return a line for each statement that was reproduced or held and is not any more."""
    lines = []
    for it in record["statements"]:
        last = earlier.statements.get(it["name"])
        if last is not None and last["verdict"] in GOOD and it["verdict"] not in GOOD:
            lines.append(f"{record['paper']}/{it['name']}: {last['verdict']} before, now {it['verdict']}: {it['why']}")
    return lines


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
