"""Texts of users where they are shown, read back by what reads such files: parsers of HTML, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from negbench.escaping import (
    Escaped,
    csv_table,
    for_csv,
    for_html,
    for_latex,
    for_markdown,
    for_terminal,
    markdown_code,
    markdown_sentence,
)

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "back\x08\x08\x08space",
    "carriage\rreturn",
    "\u202eright to left",
    "half \ud800 a pair",
    '=HYPERLINK("http://example.org/?"&A1;"click")',
    "@SUM(1)",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "  =1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![image](http://example.org)",
    "a | b \\| c \\\\| d",
    "`code` and ``more``",
    "&lt;b&gt; &amp; AT&T",
    "100 % of $5 #1 {a_b} ~x^2 \\input{/etc/passwd}",
]
any_text = st.one_of(st.sampled_from(HOSTILE), st.text())


def unseen(text: str) -> list[str]:
    """Control characters, but tab and line feed, and characters that turn the direction of writing."""
    return [
        it for it in text if (unicodedata.category(it) in ("Cc", "Cs") and it not in "\t\n") or it in "\u202e\u2066"
    ]


class Shown(HTMLParser):
    """The text and the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(page: str) -> Shown:
    parser = Shown()
    parser.feed(page)
    parser.close()
    return parser


class TestTerminal:
    @given(any_text)
    def test_nothing_steers_it(self, text: str) -> None:
        assert not unseen(for_terminal(text))
        assert for_terminal(for_terminal(text)) == for_terminal(text)

    def test_what_is_written_out_can_be_read(self) -> None:
        assert for_terminal("\x1b[31m\t\u202e\r\n\ud800") == "\\x1b[31m\t\\u202e\n\\ud800"
        assert for_terminal("Größe, 東京, שלום, \N{FAMILY}") == "Größe, 東京, שלום, \N{FAMILY}"

    @pytest.mark.parametrize("colours", [True, False])
    def test_a_table_keeps_its_own_colours(self, colours: bool) -> None:
        table = Table()
        table.add_column(Text("\x1b[2Jname"))
        table.add_row(Text("\x1b[31mcell", style="bold"))
        out = io.StringIO()
        console = Console(file=out, force_terminal=colours, color_system="standard" if colours else None, width=60)
        console.print(Escaped(Group(table, Text("\x1b]0;title\x07"))))
        assert ("\x1b[1m" in out.getvalue()) == colours
        plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
        assert not unseen(plain)
        assert [part in plain for part in ("\\x1b[2Jname", "\\x1b[31mcell", "\\x1b]0;title")] == [True] * 3


@given(any_text)
def test_html_is_text_again(text: str) -> None:
    page = shown(f'<p title="{for_html(text)}">{for_html(text)}</p>')
    assert page.tags == ["p"]
    assert page.text == for_terminal(text)


class TestMarkdown:
    RENDER = MarkdownIt("commonmark").enable("table")

    @given(st.one_of(st.sampled_from(HOSTILE), st.text("abc|`\\<>&;()[]!$% \n")))
    def test_a_cell_stays_one_cell_and_its_text(self, text: str) -> None:
        cell = for_markdown(text)
        page = shown(self.RENDER.render(f"| name | number |\n|---|---|\n| x{cell}x | 1 |\n"))
        assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td"}
        assert page.tags.count("td") == 2
        words = " ".join(f"x{' '.join(for_terminal(text).splitlines())}x".split())
        assert " ".join(page.text.split()) == f"name number {words} 1"

    @given(any_text)
    def test_a_sentence_of_our_own_keeps_its_code(self, text: str) -> None:
        page = shown(self.RENDER.render(markdown_sentence(f"`seconds`: of {text.replace('`', '')}")))
        assert not {"script", "img", "a"} & set(page.tags)
        assert page.tags[:2] == ["p", "code"]
        assert "p < 0.05" in markdown_sentence("p < 0.05")

    @given(st.text("ab` |<", min_size=1).filter(str.strip))
    def test_code_shows_the_text(self, text: str) -> None:
        page = shown(self.RENDER.render(f"x {markdown_code(text)} x"))
        assert page.tags == ["p", "code"]
        assert "".join(page.text.split()) == "".join(f"x{text}x".split())


class TestCSV:
    @pytest.mark.parametrize("text", [it for it in HOSTILE if it.lstrip()[0] in "=+-@"])
    def test_what_looks_like_a_formula_is_text(self, text: str) -> None:
        assert for_csv(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["-0.01", "+3", "-1e-05", "-2 to -1", "-1 to 0", "-inf", "", "bm25", "a=b", "1-2"])
    def test_numbers_and_plain_texts_stay(self, text: str) -> None:
        assert for_csv(text) == text

    @given(st.lists(st.one_of(any_text, st.floats(allow_nan=False), st.integers(), st.none()), min_size=2, max_size=4))
    def test_no_cell_begins_a_formula_and_numbers_are_the_same(self, cells: list[str | float | int | None]) -> None:
        (read,) = csv.reader(io.StringIO(csv_table([cells])))
        assert len(read) == len(cells)
        for cell, found in zip(cells, read, strict=True):
            if isinstance(cell, str):
                assert found.removeprefix("'") == for_terminal(cell).removeprefix("'")
                assert not re.match(r"\s*[=@]", found)
                assert not re.match(r"\s*[-+].*[A-Za-z(!]", found) or re.fullmatch(r"[-+\d. etoinf]+", found, re.I)
            elif cell is None:
                assert found == ""
            else:
                assert type(cell)(found) == cell


class TestLatex:
    @given(any_text)
    def test_no_character_is_special(self, text: str) -> None:
        """What is left without the escapes has no special character, and the braces are balanced."""
        escaped = for_latex(text)
        left = re.sub(r"\\(text[a-z]+\{\}|[&%$#_{}])", "", escaped)
        left = re.sub(r"^\{[[*]\}", "", left)
        assert not set(left) & set("\\&%$#_{}~^<>|\n")
        assert not escaped.startswith(("[", "*"))
        assert not unseen(escaped)

    def test_it_reads_as_the_text(self) -> None:
        assert for_latex("[x] 5 % of a_b\nand $1") == r"{[}x] 5 \% of a\_b and \$1"
