"""What is wrong in a paper's folder is told in one line with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_papers import PAPER, write_paper

from negbench.errors import InputError
from negbench.papers import files
from negbench.papers.rows import EvaluationRow, GridRow, ScriptRow, sources

GRID = """\
name: small
collection: helpdesk
encoder: all-MiniLM-L6-v2
methods: [in-batch, bm25, "simans(a=0.5, b=0.5)", "simans(a=0.1)"]
seeds: [0, 1, 2]
measures: [nDCG@10, RR@10]
"""
AXES = "axes: {negatives: [1, 2]}\n"
EVALUATION = "evaluations: {lexical: {encoder: bm25, collection: helpdesk}}\n"


def _sources(folder: Path, statements: dict[str, str], more: str = "", grid: str = GRID) -> dict[str, object]:
    write_paper(folder, statements, more)
    (folder / "grid.yaml").write_text(grid)
    return dict(sources(files.read(folder)))


def test_rows_come_from_grids_evaluations_and_scripts(tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text("")
    more = (
        "rows: {simans: 'simans(b=0.5,a=0.5)', weak: {method: simans(a=0.1), grid: grid}}\n"
        f"{EVALUATION}scripts: {{more: {{file: more.py, rows: [theirs]}}}}\n"
    )
    statements = {
        "one": "simans > weak on RR@10",
        "two": "bm25 > start on nDCG@10",
        "three": "AP(lexical) < same(theirs)",
    }
    assert _sources(tmp_path, statements, more) == {
        "simans": GridRow("grid", "simans(b=0.5)", ()),
        "weak": GridRow("grid", "simans(a=0.1)", ()),
        "bm25": GridRow("grid", "bm25", ()),
        "start": GridRow("grid", "start", ()),
        "lexical": EvaluationRow("lexical"),
        "theirs": ScriptRow("more", "theirs"),
    }


def test_a_row_stands_at_a_point_of_the_axes(tmp_path: Path) -> None:
    more = "rows: {one: {method: bm25, at: {negatives: 1}}, two: {method: bm25, at: {negatives: 2}}}\n"
    found = _sources(tmp_path, {"it": "two > one on nDCG@10"}, more, GRID + AXES)
    assert found["two"] == GridRow("grid", "bm25", (("negatives", "2"),))


@pytest.mark.parametrize(
    ("says", "more", "said"),
    [
        ("bn25 > in-batch on nDCG@10", "", "says: no row is called 'bn25'; did you mean bm25?"),
        ("bm25 > in-batch on nDCG@11", "", "says: no measure of the grid is called 'nDCG@11'; did you mean nDCG@10?"),
        ("bm25 > in-batch on cost", "", "says: no measure of the grid is called 'cost'; did you mean cost/...?"),
        ("rate(start) < 0.5", "", "says: start has no rate: it mines no negatives"),
        ("bm25 > in-batch", "", "says: bm25 is of no measure"),
        ("nope@10(lexical) > 0.5", EVALUATION, "says: ir-measures has no measure 'nope@10'"),
        ("it > bm25 on nDCG@10", "rows: {it: simens}\n", ":1: rows.it: no method is called 'simens'"),
        (
            "it > bm25 on nDCG@10",
            "rows: {it: naive}\n",
            ":1: rows.it: no method of the grid is called 'naive'; ",
        ),
        ("it > 0 on RR@10", 'rows: {it: "simans(a=x)"}\n', ":1: rows.it: a: expected a number, found 'x'"),
        (
            "it > 0 on RR@10",
            'rows: {it: "denoised(teacher=llm(letters=1))"}\n',
            ":1: rows.it: teacher.letters: expected at least 100, found 1",
        ),
        (
            "it > 0 on RR@10",
            "rows: {it: {method: bm25, grid: gird}}\n",
            "rows.it: no grid is called 'gird'; did",
        ),
        (
            "it > 0 on RR@10",
            "rows: {it: {method: bm25, at: {a: 1}}}\n",
            "rows.it: bm25 stands at 0 points; no point",
        ),
        ("it > 0 on RR@10", f"rows: {{lexical: bm25}}\n{EVALUATION}", "evaluations: lexical is a name under rows, too"),
        ("it > 0 on RR@10", "rows: {between: bm25}\n", "rows.between: 'between' cannot be a name in a statement"),
        ("it > 0 on RR@10", "rows: {a b: bm25}\n", "rows.a b: 'a b' cannot be a name in a statement"),
        ("a > 0 on RR@10", "scripts: {it: {file: it.py, rows: [a]}}\n", "scripts.it.file: no file it.py in "),
        ("a > 0 on RR@10", "scripts: {it: {file: ../it.py, rows: [a]}}\n", "scripts.it.file: expected "),
        ("a > 0 on RR@10", "grids: {weak: weak.yaml}\n", "grids.weak: no file weak.yaml in "),
        ("a > 0 on RR@10", "row: {}\n", ":1: row: no key is called 'row'; did you mean rows?"),
        ("a > 0 on RR@10", "evaluations: {a: {encoder: bm25}}\n", ":1: evaluations.a.collection: is missing"),
    ],
)
def test_mistakes(tmp_path: Path, says: str, more: str, said: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$") as told:
        _sources(tmp_path, {"it": says}, more)
    line = 2 + more.count("\n")
    assert str(told.value).startswith(f"{tmp_path / 'expect.yaml'}:")
    assert said in str(told.value)
    if said.startswith("says"):
        assert str(told.value).startswith(f"{tmp_path / 'expect.yaml'}:{line}: statements.it.says: ")


def test_several_points_need_one_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bm25 stands at 2 points; say which by at: \{negatives: 1\} or "):
        _sources(tmp_path, {"it": "bm25 > 0 on RR@10"}, "", GRID + AXES)


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        (PAPER.replace("title: How gardens grow\n", ""), "paper.yaml:1: title: is missing"),
        (PAPER.replace('arxiv: "2001.00001"\n', ""), "paper.yaml:1: give arxiv"),
        (PAPER.replace("2001.00001", "x"), "arxiv: expected an id such as '2007.00808', found 'x'"),
        (
            PAPER + "url: javascript:x\n",
            "url: expected an address that starts with",
        ),
        (
            PAPER.replace("table-1:", "table-2:"),
            "answers: no entry of reported in paper.yaml is called 'table-1';",
        ),
        (PAPER.replace("0.5}", "[1]}"), "paper.yaml:6: reported.table-1.values.bm25: expected "),
        ("- 1\n", "paper.yaml:1: expected a mapping of keys such as title, authors"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_mistakes_of_the_paper(tmp_path: Path, paper: str, said: str) -> None:
    write_paper(tmp_path, {"it": "AP(lexical) > 0"}, EVALUATION, paper)
    with pytest.raises(InputError) as told:
        files.read(tmp_path)
    assert said in str(told.value)


def test_a_value_is_expected_only_where_it_is_fair(tmp_path: Path) -> None:
    write_paper(tmp_path, {"it": "AP(lexical) = 0.5 ± 0.01"}, EVALUATION)
    path = tmp_path / "expect.yaml"
    path.write_text(path.read_text().replace("fair: true", "fair: false"))
    with pytest.raises(InputError, match=r"expect.yaml:3: statements.it.fair: a value with a tolerance is "):
        files.read(tmp_path)


def test_what_needs_more_has_rows_of_its_own(tmp_path: Path) -> None:
    write_paper(tmp_path, {"it": "AP(lexical) > 0", "full": "RR(lexical) > 0"}, EVALUATION)
    path = tmp_path / "expect.yaml"
    path.write_text(path.read_text().replace("RR(lexical) > 0',", "RR(lexical) > 0', needs: the hub,"))
    with pytest.raises(InputError, match=r"statements.full.needs: other statements run all of its rows here; give it"):
        files.read(tmp_path)


@pytest.mark.parametrize("name", ["paper.yaml", "expect.yaml"])
def test_both_files_are_needed(tmp_path: Path, name: str) -> None:
    write_paper(tmp_path, {"it": "AP(lexical) > 0"}, EVALUATION)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"no {name} there; give the folder of a paper"):
        files.read(tmp_path)
