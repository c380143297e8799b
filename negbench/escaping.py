"""Text of users (ids, titles, documents, names, paths) made safe for where it is shown.

Terminals obey escape sequences, spreadsheets compute cells that begin like a formula, and Markdown, HTML and LaTeX have
special characters. Whatever is written for one of them goes through this file; templates of pages escape by
``autoescape``, which does what ``for_html`` does.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.segment import Segment

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, characters that turn the direction of writing, and halves of pairs."""


def for_terminal(text: str) -> str:
    r"""Return the text with control characters written out (``\x1b``), so that no terminal obeys them.

    Tabs and line ends stay; those of Windows become line feeds.
    """
    return _CONTROLS.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class Escaped:
    """A renderable of rich's whose text is shown as ``for_terminal`` writes it."""

    def __init__(self, shown: RenderableType) -> None:
        self.shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render it; rich's own control codes stay."""
        from rich.segment import Segment

        for segment in console.render(self.shown, options):
            yield segment if segment.control else Segment(for_terminal(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the least and the most columns that it takes."""
        from rich.measure import Measurement

        return Measurement.get(console, options, self.shown)


def for_html(text: str) -> str:
    """Return the text for HTML, in an element or a quoted attribute."""
    return html.escape(for_terminal(text))


def markdown_sentence(text: str) -> str:
    """Return a sentence of our own, which may hold texts of users, in one line of Markdown.

    No HTML and no link comes of it; code in backticks stays code.
    """
    line = " ".join(for_terminal(text).splitlines())
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", line).replace("](", r"]\(")


def for_markdown(text: str) -> str:
    """Return the text for Markdown, in a cell of a table or elsewhere in a line; it is no code, link or HTML."""
    return markdown_sentence(re.sub(r"[\\`|]", r"\\\g<0>", text))


def markdown_code(text: str) -> str:
    """Return the text as code in a line of Markdown, between as many backticks as it takes."""
    line = " ".join(for_terminal(text).splitlines())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, pad = "`" * (longest + 1), " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


_FORMULA = tuple("=+-@＝＋－＠")
_NUMBERS = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?( (to )?[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)*", re.IGNORECASE)
"""Numbers, and spans such as ``-2 to -1``: they may begin with a sign."""


def for_csv(text: str) -> str:
    """Return the text of a cell that no spreadsheet takes for a formula: ``'`` stands before what looks like one."""
    cell = for_terminal(text)
    looks_so = cell.lstrip().startswith(_FORMULA) and not _NUMBERS.fullmatch(cell) and cell not in ("-inf", "-nan")
    return f"'{cell}" if looks_so else cell


def csv_table(lines: Iterable[Sequence[Any]]) -> str:
    """Return lines of cells as CSV; texts go through ``for_csv``, numbers stay, None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for line in lines:
        writer.writerow([for_csv(cell) if isinstance(cell, str) else cell for cell in line])
    return out.getvalue()


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip


def for_latex(text: str) -> str:
    r"""Return the text for LaTeX, in one line: a ``[`` or ``*`` at its start is no argument of the ``\\`` before it."""
    line = " ".join(for_terminal(text).splitlines())
    escaped = "".join(_LATEX.get(letter, letter) for letter in line)
    return f"{{{escaped[0]}}}{escaped[1:]}" if escaped.startswith(("[", "*")) else escaped
