"""Pages say what the result files say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import page_figures
import pytest
import scripts

ROOT = Path(__file__).parents[1]
RENDERED = [ROOT / "results" / name for name in ("benchmarks", "papers")]  # written from their files, and tested so
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] + [
    page
    for folder in ("results", "experiments")
    for page in sorted((ROOT / folder).rglob("README.md"))
    if page.parent not in RENDERED
]
OLDER = re.compile(r"\*\*An older run\*\*, made at commit `(\w+)`")


FIGURES = scripts.load("figures.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_figure_of_a_page_is_in_its_result_files(page: Path) -> None:
    wrong = page_figures.wrong(page)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", FIGURES.PAGES)
def test_derived_figures_are_those_of_the_tables(name: str) -> None:
    kept = json.loads((FIGURES.RESULTS / name / "figures.json").read_text())
    again = json.loads(FIGURES.derive(name))
    assert list(again) == list(kept), "run: python experiments/figures.py"
    for key, value in again.items():
        assert value == pytest.approx(kept[key], rel=1e-4, abs=1e-9), f"{key}: run python experiments/figures.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_about_an_older_run_names_the_commit_of_its_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    whole = [it for it in (page.parent, *page_figures.linked(page, ROOT)) if it.is_relative_to(ROOT / "results")]
    for note in OLDER.finditer(text):
        commit, begins, ends = note[1], text.rfind("\n## ", 0, note.start()), text.find("\n## ", note.start())
        section = text[begins : None if ends < 0 else ends]
        shown = {page.parent / target.split("/")[0] for target in re.findall(r"\]\((\w[^):]*/[^)]*)\)", section)}
        folders = whole if begins < 0 else sorted(shown)
        made = {json.loads(path.read_text())["commit"] for it in folders for path in it.rglob("manifest.json")}
        assert {it[: len(commit)] for it in made} == {commit}, (
            f"{page}: its results were made again, at {', '.join(sorted(made))}: take the note of the older run out"
        )


def test_made_files_are_tracked_only_where_a_page_shows_them() -> None:
    listed = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip("not a checkout")
    tracked = {ROOT / name for name in listed.stdout.splitlines()}
    made = {path for path in tracked if path.suffix in (".html", ".tex", ".png", ".svg") or path.name == "curves.csv"}
    shown = {
        (page.parent / target).resolve()
        for page in [*PAGES, *(folder / "README.md" for folder in RENDERED)]
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert made == shown, "track a figure where a README shows it, and nothing else that make pages writes"


PAGE = """# Demo

In-batch has 0.6274 nDCG@10, and `simans(a=0.5)` gains +0.0388;
2.5 % [1.6, 3.7] of its negatives are false, between 2 and 3 %.

| method | against in-batch | false negatives % [95 %] |
|---|---:|---:|
| simans | **+0.039 ± 0.016** | 2.5 [1.6, 3.7] |
| bm25 | -0.018 ± 0.007 | 8.62 |

Elsewhere it is 0.6451.

<!-- not from results: 0.6451 (published); 2 %, 3 % (bounds) -->
"""
TABLE = """method,nDCG@10,low,high,gain,gain_low,gain_high,false_negative_rate,rate_low,rate_high,seconds/training
in-batch,0.62742,0.58,0.67,,,,,,,51.7788
simans,0.666179,0.62,0.71,0.0388,0.0228,0.0548,0.025,0.016,0.037,0.9999
bm25,0.6094,0.56,0.66,-0.018,-0.025,-0.011,0.0862,0.07,0.1,1.5
"""


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "demo"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text(TABLE)
    (folder / "README.md").write_text(PAGE)
    return folder / "README.md"


def _wrong(page: Path, text: str) -> list[str]:
    page.write_text(text)
    return page_figures.wrong(page, page.parents[2])


def test_a_page_that_says_what_its_files_say_passes(demo: Path) -> None:
    assert _wrong(demo, PAGE) == []


@pytest.mark.parametrize("figure", ["0.6274", "0.0388", "8.62", "0.039", "0.016", "0.018", "0.6451"])
def test_any_changed_digit_is_told(demo: Path, figure: str) -> None:
    start = PAGE.index(figure)
    for at in range(start + figure.index(".") + 1, start + len(figure)):
        for digit in set("0123456789") - {PAGE[at]}:
            assert _wrong(demo, PAGE[:at] + digit + PAGE[at + 1 :]), f"digit {at - start} as {digit}"


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("gains +0.0388", "gains -0.0388"),  # a sign that is printed counts
        ("2.5 % [1.6, 3.7]", "2.5 % [1.6, 3.9]"),  # the ends of an interval after a percentage are percentages
        ("| bm25 | -0.018", "| bm25 | +0.039"),  # another method's
        ("8.62 |", "2.5 |"),
        ("0.6274 nDCG@10", "0.627 % nDCG@10"),  # a measure is no share
        ("In-batch has 0.6274", "In-batch has 0.9999"),  # seconds are no figures of quality
    ],
)
def test_what_is_of_something_else_is_told(demo: Path, said: str, instead: str) -> None:
    assert PAGE.count(said) == 1
    assert _wrong(demo, PAGE.replace(said, instead))


def test_the_message_says_where_which_and_what_to_do(demo: Path) -> None:
    (told,) = _wrong(demo, PAGE.replace("0.6274", "0.6275"))
    assert told.startswith("results/demo/README.md:3: no result file in results/demo has 0.6275 (closest: 0.62742, ")
    assert "results/demo/table.csv: in-batch nDCG@10)" in told
    assert "experiments/figures.py" in told
    assert "<!-- not from results: 0.6275 (where from) -->" in told


def test_a_declaration_of_what_is_not_there_is_told(demo: Path) -> None:
    (told,) = _wrong(demo, PAGE.replace("Elsewhere it is 0.6451.", ""))
    assert "0.6451: no such figure is left" in told


def test_values_of_a_linked_folder_count_in_that_paragraph_alone(demo: Path) -> None:
    other = demo.parents[1] / "other"
    other.mkdir()
    (other / "figures.json").write_text('{"price": 0.1234}')
    assert _wrong(demo, PAGE + "\nIt costs 0.1234 ([there](../other/README.md)).\n") == []
    assert _wrong(demo, PAGE + "\nIt costs 0.1234.\n\nSee [there](../other/README.md).\n")


def test_a_section_named_after_a_subfolder_has_its_values_alone(demo: Path) -> None:
    for name, number in (("one", "0.1111"), ("two", "0.2222")):
        (demo.parent / name).mkdir()
        (demo.parent / name / "figures.json").write_text(f'{{"it": {number}}}')
    assert _wrong(demo, PAGE + "\n## One\n\nIt is 0.1111.\n") == []
    assert _wrong(demo, PAGE + "\n## One\n\nIt is 0.2222.\n")
