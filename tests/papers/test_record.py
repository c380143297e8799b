"""What a record says of earlier runs: changed wordings, statements that were added or taken out, what is worse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_papers import PAPER, additive, sample, write_paper

from negbench.papers import files, page, record
from negbench.papers.record import Before
from negbench.papers.rows import sources
from negbench.papers.statements import Value
from negbench.papers.verdicts import decide

MORE = "evaluations: {a: {encoder: bm25, collection: helpdesk}, b: {encoder: bm25, collection: helpdesk}}\n"
VALUES = additive(0.5, [0.0], [0.1, -0.3, 0.2])
SAMPLES = {Value("AP", name): sample(VALUES * scale, False) for name, scale in (("a", 1.0), ("b", 0.5))}


@pytest.fixture
def made(tmp_path: Path) -> record.Before:
    """Return a first record, of a value that is reproduced."""
    return _again(tmp_path, {"it": "AP(a) = 0.5 ± 0.01"}, Before())


def _again(folder: Path, says: dict[str, str], earlier: Before, scale: float = 1.0) -> Before:
    """Write the paper anew, decide on its values times ``scale``, and return the record."""
    write_paper(folder, says, MORE)
    found = files.read(folder)
    samples = {value: sample(it.values * scale, False) for value, it in SAMPLES.items()}
    rows = record.definitions(found, sources(found))
    findings = decide(found.statements, samples)
    return Before(record.make(found, findings, samples, rows, earlier), samples)


def test_nothing_has_changed_in_the_first_run(made: Before) -> None:
    (it,) = made.record["statements"]
    assert (it["verdict"], it["changed"], made.record["removed"]) == ("reproduced", "", [])
    assert record.worse(made.record, Before()) == []


def test_another_wording_for_the_same_values_is_told(made: Before, tmp_path: Path) -> None:
    again = _again(tmp_path, {"it": "AP(a) = 0.5 ± 0.2"}, made)
    assert again.statements["it"]["changed"] == "changed since the run, from: AP(a) = 0.5 ± 0.01"
    assert again.record["expect"] != made.record["expect"]
    later = _again(tmp_path, {"it": "AP(a) = 0.5 ± 0.3"}, again)
    assert later.statements["it"]["changed"] == "changed since the run, from: AP(a) = 0.5 ± 0.01"
    assert _again(tmp_path, {"it": "AP(a)  =  0.5 ± 0.01"}, later).statements["it"]["changed"] == ""


def test_a_wording_for_other_values_is_not(made: Before, tmp_path: Path) -> None:
    assert _again(tmp_path, {"it": "AP(a) = 0.5 ± 0.2"}, made, 1.1).statements["it"]["changed"] == ""


def test_statements_that_are_added_or_taken_out_later_are_told(made: Before, tmp_path: Path) -> None:
    again = _again(tmp_path, {"new": "AP(a) > AP(b)"}, made)
    assert again.statements["new"]["changed"] == "added since the run"
    assert again.record["removed"] == ["it"]
    assert "Taken out since the run: it." in page.paper(again.record)
    later = _again(tmp_path, {"new": "AP(a) > AP(b)"}, again)
    assert later.statements["new"]["changed"] == "added since the run"
    assert later.record["removed"] == ["it"]


def test_what_was_reproduced_and_is_not_any_more(made: Before, tmp_path: Path) -> None:
    again = _again(tmp_path, {"it": "AP(a) = 0.5 ± 0.01"}, made, 1.1)
    (line,) = record.worse(again.record, made)
    assert line == f"{tmp_path.name}/it: reproduced before, now not reproduced: 0.05 off; the tolerance is 0.01"
    assert record.worse(made.record, again) == []


def test_values_of_a_row_that_was_redefined_do_not_count(made: Before, tmp_path: Path) -> None:
    write_paper(tmp_path, {"it": "AP(a) > AP(b)"}, MORE.replace("helpdesk}}", "helpdesk, split: dev}}"))
    found = files.read(tmp_path)
    valid = made.still_valid(record.definitions(found, sources(found)))
    assert list(valid) == [Value("AP", "a")]


def test_the_page_shows_what_the_record_says(made: Before, tmp_path: Path) -> None:
    section = page.paper(made.record)
    (line,) = [line for line in section.splitlines() if line.startswith("| it:")]
    assert line == (
        "| it: `AP(a) = 0.5 ± 0.01` | Table 1, Garden, nDCG@10: bm25 0.5 | AP(a) 0.5000 [-0.1572, 1.1572] (3 queries) "
        "| reproduced: 0 off; the tolerance is 0.01 | nothing | yes |"
    )
    assert "Mint and Basil, [How gardens grow](https://arxiv.org/abs/2001.00001), 2020." in section


def test_cells_keep_to_themselves(tmp_path: Path) -> None:
    write_paper(tmp_path, {"it": "AP(a) > AP(b)"}, MORE, PAPER.replace("Table 1", "Table 1 | 2"))
    found = files.read(tmp_path)
    findings = decide(found.statements, SAMPLES)
    made = record.make(found, findings, SAMPLES, {}, Before())
    (line,) = [line for line in page.paper(made).splitlines() if line.startswith("| it:")]
    assert "Table 1 \\| 2" in line


def test_the_page_of_all_papers_has_the_minutes_of_finished_trials(made: Before, tmp_path: Path) -> None:
    out = tmp_path / "results"
    trials = [
        ("done", {"marginal_seconds": 90.0, "seconds": 500.0}),
        ("failed", {}),
        ("done", {"marginal_seconds": 60.0}),
    ]
    for name, of_grids in (("garden", (trials, trials[:1])), ("shed", ())):
        (out / name).mkdir(parents=True)
        (out / name / record.NAME).write_text(json.dumps({**made.record, "paper": name}))
        for number, of_grid in enumerate(of_grids):
            (out / name / f"grid-{number}").mkdir()
            told = {"trials": [{"status": status, "cost": cost} for status, cost in of_grid]}
            (out / name / f"grid-{number}/results.json").write_text(json.dumps(told))
    rows = [line for line in page.write(out).splitlines() if line.startswith(("| [", "| all"))]
    assert [row.split("|")[3].strip() for row in rows] == ["4", "", "4"]
