from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_page import EXAMPLES, HOSTILE, made
from made_trials import RESULTS, rows

from negbench.errors import InputError
from negbench.report import latex, page


class Page(HTMLParser):
    """The page's tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_by_itself_and_escapes_what_it_shows(tmp_path: Path) -> None:
    data = made(tmp_path)
    written = page.write(tmp_path, EXAMPLES)
    assert all(path.stat().st_size > 100 for path in written)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    assert sum(tag == "script" for tag, _ in found.tags) == 1  # the page's own
    assert not any(tag == "b" for tag, _ in found.tags)
    assert found.text.count(HOSTILE) >= 6  # title, notes, query, negative, grid: as text
    assert sum(tag == "svg" for tag, _ in found.tags) == 6  # the main figure in two forms
    outside = [
        value for _, attrs in found.tags for name, value in attrs.items() if name in ("src", "href", "xlink:href")
    ]
    assert all(value and value.startswith(("#", "data:image/png;base64,")) for value in outside)  # nothing is fetched
    for line in data["tables"][0]["body"]:
        assert all(cell in found.text.replace("\N{NO-BREAK SPACE}", " ") for cell in line)
    assert found.text.index("Train with simans") < found.text.index("Results") < found.text.index("What the tests say")


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    made(tmp_path)
    first = {path: path.read_bytes() for path in page.write(tmp_path, EXAMPLES)}
    assert {path: path.read_bytes() for path in page.write(tmp_path, EXAMPLES)} == first


def test_what_the_tests_say_is_said_in_words() -> None:
    settings = {"baseline": "in-batch", "equivalent_within": 0.01}
    decided, (simans,) = page.findings(rows(*RESULTS), settings)
    assert not decided
    assert "simans(a=1.0) shows no significant difference to in-batch: +0.0900 [" in simans
    assert "False negatives: 12.0 % [" in simans
    assert "50 % of its negatives are random fill." in simans  # a share of a third or less is not told
    other = replace(rows(*RESULTS)[2], gain_low=0.01, gain_high=0.17, p=0.08, family=4, filled=0.25)
    _, (corrected,) = page.findings([other], settings)
    assert (
        "is undecided against in-batch after correction for 4 comparisons, though its own interval leaves" in corrected
    )
    assert "random fill" not in corrected
    sure = [replace(row, p=0.01) for row in rows(*RESULTS)]
    (better,), undecided = page.findings(sure, settings)
    assert not undecided
    assert "simans(a=1.0) is better than in-batch: +0.0900 [" in better


@pytest.mark.parametrize("folded", [False, True])
def test_what_the_tests_say_of_many_methods_is_folded_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folded: bool
) -> None:
    made(tmp_path)
    monkeypatch.setattr(page, "FOLDED", 0 if folded else 1)
    page.write(tmp_path, [])
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    (first, *_) = [attributes for tag, attributes in found.tags if tag == "details"]
    assert ("open" not in first) == folded
    assert "What the tests say of each method against in-batch: 0 decided, 1 undecided" in found.text
    assert "simans(a=1.0) shows no significant difference to in-batch: +0.0900" in found.text


def test_a_long_note_is_a_list_of_its_sentences() -> None:
    sentences = ["Values are means.", "* differs (5 % level).", "= is equal within 0.01.", "x" * 500 + " ends here."]
    assert page.paragraphs(" ".join(sentences)) == sentences
    assert page.paragraphs("Short. Two sentences.") == ["Short. Two sentences."]


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (0.1, "Ranking quality against the false-negative rate"),
        (None, "Ranking quality; no false-negative rate is known"),
    ],
)
def test_the_caption_speaks_of_rates_only_where_there_are_some(tmp_path: Path, rate: float | None, told: str) -> None:
    made(tmp_path)
    data = json.loads((tmp_path / "results.json").read_text())
    for row in data["rows"]:
        row |= {"rate": rate, "rate_low": rate, "rate_high": rate}
    (tmp_path / "results.json").write_text(json.dumps(data))
    page.write(tmp_path, [])
    assert told in (tmp_path / "report.html").read_text()


def test_a_cell_breaks_before_its_interval_alone() -> None:
    cells = {"0.1 ± 0.2 *": 1, "2.50 [1.62, 3.67]": 1, "43.0 !": 0, "in-batch": 0}
    assert {cell: page.kept_together(cell).count(" ") for cell in cells} == cells


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results.json; expected the results of a grid"):
        page.write(tmp_path, [])
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="written by an older version"):
        page.write(tmp_path, [])


def test_latex_escapes_and_balances() -> None:
    text = latex.table(rows(*RESULTS), "nDCG@10", "in-batch", "50 % of_it & more {x} #1", ["* differs"])
    assert r"50 \% of\_it \& more \{x\} \#1" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in body}) == 1
    assert r"\textbf" not in text  # the test finds no difference


def test_latex_sets_bold_what_the_test_supports_and_nothing_else() -> None:
    start, control, simans = rows(*RESULTS)
    cases = {
        "better": (replace(simans, p=0.01, filled=0.3), True),
        "mostly random fill": (replace(simans, p=0.01, filled=0.34), False),
        "worse": (replace(simans, p=0.01, gain=-0.1, filled=0.0), False),
        "undecided": (replace(simans, p=0.06, filled=0.0), False),
        "not tested": (replace(simans, p=None, filled=0.0), False),
    }
    for name, (row, bold) in cases.items():
        text = latex.table([start, control, row], "nDCG@10", "in-batch", "made", [], "tab:made")
        assert (r"\textbf{0.7100}" in text) == bold, name
        assert text.count(r"\textbf") == bold
        assert ("Bold: better than in-batch by the test." in text) == bold
        assert text.count(r"\label{tab:made}") == 1
    assert r"\label" not in latex.table([control], "nDCG@10", "in-batch", "made", [])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    text = latex.table(
        rows(*RESULTS), "nDCG@10", "in-batch", "50 % of_it & more {x} #1 ~^\\<>", ["± 95 %", "* differs"]
    )
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + text + "\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_results_of_before_details_were_counted_have_a_page_too(tmp_path: Path) -> None:
    data = made(tmp_path)
    del data["details"], data["further"]
    (tmp_path / "results.json").write_text(json.dumps(data))
    assert tmp_path / "report.html" in page.write(tmp_path, [])
