"""A collection and a grid whose every text is hostile: run, shown, reported and audited, nothing of it takes effect."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import rich.console
from markdown_it import MarkdownIt

import negbench
from negbench import tracking

EVIL = "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script> [a](javascript:x) | `b` $c$ 100% _d_ {e} \\f"
FORMULAS = ('=HYPERLINK("http://example.org","x")', "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+cmd|' /C calc'!A0")
ROW = "=1+1|`$x_1$` <script>alert(2)</script> 5% [a](javascript:x)".replace("(", "").replace(")", "")
"""The name of a row; it may hold no round brackets."""


@dataclass(frozen=True)
class Hostile:
    """A grid that was run, its results, and what the command printed."""

    here: Path
    out: Path
    printed: str


@pytest.fixture(scope="module")
def hostile(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]) -> Hostile:
    here = tmp_path_factory.mktemp("hostile")
    folder = here / "\x1b[31m<b>evil"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"{FORMULAS[at % 4]} {EVIL} d{at}", "title": EVIL, "text": f"sock {at}"} for at in range(24)]
    queries = [{"_id": f"{FORMULAS[at % 4]} \x1b[2J q{at}", "text": f"{EVIL} where is sock {at}"} for at in range(16)]
    for stem, records in (("corpus", documents), ("queries", queries)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, rows in (("train", range(10)), ("dev", range(10, 13)), ("test", range(13, 16))):
        judged = "".join(f"{queries[row]['_id']}\t{documents[row]['_id']}\t1\n" for row in rows)
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    grid = {
        "name": "evil",
        "collection": str(folder),
        "encoder": {"model": str(tiny_encoder)},
        "methods": ["in-batch", {"bm25": {}, "name": ROW}],
        "baseline": ROW,
        "train": {"epochs": 1, "batch_size": 4, "max_length": 32, "precision": "float32"},
        "axes": {"encoder.query_prompt": [f"=1 {EVIL}"]},
        "curve_points": 1,
    }
    (here / "grid.json").write_text(json.dumps(grid))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        said = negbench("run", "grid.json", "--out", "results", cwd=here)
    assert said.code == 0, said.err
    return Hostile(here, here / "results", said.out + said.err)


def unseen(text: str) -> set[str]:
    return {it for it in text if unicodedata.category(it) in ("Cc", "Cs") and it not in "\t\n"}


def test_what_a_run_prints_steers_no_terminal(hostile: Hostile) -> None:
    assert not unseen(hostile.printed)
    assert "\\x1b[31m<b>evil" in hostile.printed


@pytest.mark.parametrize(
    "command", [["plan"], ["inspect"], ["audit"], ["inspect", "\x1b[2J"], ["report", "--out", "r"]]
)
def test_what_is_shown_steers_no_terminal(command: list[str], hostile: Hostile, negbench: Callable[..., Any]) -> None:
    name, *more = command
    said = negbench(name, "grid.json", *more, cwd=hostile.here)
    assert said.code in (0, 2), said.err
    assert said.out + said.err
    assert not unseen(said.out + said.err)


def test_no_cell_of_a_table_is_a_formula(hostile: Hostile) -> None:
    files = list(hostile.out.glob("*.csv"))
    assert {path.name for path in files} >= {"table.csv", "by_query.csv", "details.csv", "curves.csv"}
    begun = []
    for path in files:
        for line in csv.reader(path.read_text(encoding="utf-8").splitlines()):
            for cell in line:
                begun.append(cell.lstrip()[:2])
                assert not unseen(cell)
                assert not re.match(r"\s*[=@]", cell), path
                assert not re.match(r"\s*[-+](?![\d.]+(e[-+]\d+)?( to -?\d+)?$)", cell), (path, cell)
    assert {"'=", "'@", "'+", "'-"} <= set(begun)


def test_a_comparison_pairs_by_true_names_and_has_no_formula(hostile: Hostile) -> None:
    """The files by query have the names as no spreadsheet takes for formulas."""
    found = negbench.compare(hostile.out, hostile.out)
    (row,) = [one for one in found.rows if one.method == ROW]
    assert row.note == ""
    assert (row.difference, row.queries) == (0.0, 3)
    assert ROW in found.to_pandas()["method"].tolist()
    cells = [cell for line in csv.reader(found.csv.splitlines()) for cell in line]
    assert f"'{ROW}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@"))]


def test_rich_shows_a_result_as_the_command_line_does(hostile: Hostile) -> None:
    out = io.StringIO()
    rich.console.Console(file=out, width=160).print(negbench.load_grid(hostile.here / "grid.json"))
    assert "\\x1b[31m" in out.getvalue()
    assert not unseen(out.getvalue())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts += data


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


def test_the_table_in_markdown_has_text_alone(hostile: Hostile) -> None:
    text = (hostile.out / "table.md").read_text(encoding="utf-8")
    assert not unseen(text)
    page = tags(MarkdownIt("commonmark").enable("table").render(text))
    assert {tag for tag, _ in page.found} <= {
        "h1", "h2", "p", "code", "em", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"
    }  # fmt: skip
    columns = sum(tag == "th" for tag, _ in page.found)
    assert sum(tag == "td" for tag, _ in page.found) == columns * (sum(tag == "tr" for tag, _ in page.found) - 1)


def test_the_page_and_the_latex_table_have_text_alone(hostile: Hostile, negbench: Callable[..., Any]) -> None:
    said = negbench("report", "grid.json", "--out", "results", cwd=hostile.here)
    assert said.code == 0, said.err
    page = tags((hostile.out / "report.html").read_text(encoding="utf-8"))
    assert "alert" not in page.scripts
    assert [tag for tag, _ in page.found].count("script") == 1
    assert not [value for _, given in page.found for value in given.values() if (value or "").startswith("javascript")]
    tex = (hostile.out / "table.tex").read_text(encoding="utf-8")
    assert not unseen(tex)
    assert r"=1+1\textbar{}" in tex
    for line in tex.splitlines():  # comments, mathematics and cells of their own: as many as negbench writes
        assert not re.search(r"(?<!\\)%", line)
        assert len(re.findall(r"(?<!\\)\$", line)) % 2 == 0
    assert "<script>" not in tex


def test_a_control_character_in_a_row_is_refused(hostile: Hostile, negbench: Callable[..., Any]) -> None:
    said = negbench("plan", "grid.json", "--set", 'methods=[{bm25: {}, name: "a\\eb"}]', cwd=hostile.here)
    assert said.code == 2
    assert "has characters that cannot be seen; leave them out" in said.err
    assert not unseen(said.err)
