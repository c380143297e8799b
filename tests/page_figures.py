"""Figures of a page and the values of the result files that they come from.

A figure is a decimal (0.6274, +0.027) or a percentage (2.5 %) in the text or a table of a page. Code, links' targets
and comments are left out, and so are levels of intervals ("95 % interval") and arXiv ids. It must equal, at the
precision at which it is printed, a value of a result file, or stand in the page's comment of what comes from elsewhere:

    <!-- not from results: 0.01 (margin of the equivalence test); 0.6451, 5 % (published) -->

Result files are those in the page's own folder, and those in folders under results/ or experiments/ that the same
paragraph, list item or table row links to; for the page of an experiment, that the page links to. In a table row that
begins with a method's name, only values of that method; in a section named after a subfolder, only values of that
subfolder. Values per query and per step are left out: there are so many that any figure would be among them.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
LISTS = ("results", "experiments")
RAW = (
    "by_query.csv",
    "curves.csv",
    "losses.csv",
    "overlap.csv",
    "details.csv",
    "false_negatives.csv",
    "audits.csv",
    "label_free.csv",
)
SHARES = ("false_negative_rate", "rate_low", "rate_high", "in_batch", "filled")
"""Columns of a grid's table that pages print in percent."""
MEASURES = ("nDCG@10", "gain", "half gain", "half", "spread", "p")
"""Columns that pages print as they are; what they need of others stands in figures.json."""


COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ELSEWHERE = re.compile(r"<!-- not from results:(.*?)-->", re.DOTALL)
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
LEFT_OUT = re.compile(
    r"^```.*?^```|^    \S.*?$|`[^`]*`|(?<=\]\()[^)]*(?=\))"  # code, links' targets
    r"|95 %(?=\]| over| interval| by |\s+confidence| for )|(?<=± )95 %|(?<=nominal )95 %"
    r"|arXiv \d{4}\.\d{4,5}|\bv?\d+\.\d+\.\d+\b",  # ids, versions
    re.DOTALL | re.MULTILINE,
)
NUMBER = r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w]|\.\d)"
SERIES = rf"(?:{NUMBER}(?:, {NUMBER})* and\s+|{NUMBER} (?:to|or)\s+)?"  # the first of "5, 10 and 20 %", "2 to 4 %"
RANGE = rf"\s\[[^\]%]*\]|\s\({NUMBER} to {NUMBER}\)"  # what may follow: "2.5 % [1.6, 3.7]", "96.3 % (94.2 to 99.0)"
PERCENT = re.compile(rf"{SERIES}{NUMBER}\s*%(?:{RANGE})?")


@dataclass(frozen=True)
class Figure:
    """A figure as it is printed, at its line.

    ``label``: the first cell of its table row. ``folders``: those that its block links to. ``section``: the subfolder
    that the page's section is named after.
    """

    text: str
    line: int
    percent: bool
    label: str = ""
    folders: tuple[Path, ...] = ()
    section: Path | None = None

    @property
    def spelled(self) -> str:
        """As a comment would name it."""
        return self.text.lstrip("+-") + (" %" if self.percent else "")


@dataclass(frozen=True)
class Value:
    """A value of a result file. ``percent``: it is printed there in percent."""

    number: float
    percent: bool
    label: str
    where: str

    def of(self, label: str) -> bool:
        """Tell whether it is of the method that a table row is about."""
        return self.label == label or (self.label == "" and label in self.where)

    def belongs(self, section: Path) -> bool:
        """Tell whether a section named after a subfolder may print it: not if it is another subfolder's."""
        file = Path(self.where.split(":")[0])
        return file.is_relative_to(section) or not file.is_relative_to(section.parent) or file.parent == section.parent


@dataclass
class Page:
    """The figures of one page, and what its comments declare to be from elsewhere."""

    path: Path
    figures: list[Figure] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)


def wrong(path: Path, root: Path = ROOT) -> list[str]:
    """Return a line for each figure of the page at ``path`` that no result file has, and for each empty declaration.

    Of the README and of pages in ``docs`` only blocks that link to results or experiments are looked at.
    """
    loose = path.parent in (root, root / "docs")
    page, told = read(path, root), []
    name = path.relative_to(root)
    for figure in page.figures:
        folders = figure.folders if loose or is_index(path) else (path.parent, *figure.folders)
        if is_index(path):  # an experiment's page links to its results
            folders += tuple(further for folder in folders for further in linked(folder / "README.md", root))
        if figure.spelled in page.elsewhere or (loose and not folders):
            continue
        known = [value for folder in dict.fromkeys(folders) for value in values(folder)]
        if is_index(path):
            known += [value for folder in folders for value in printed(folder / "README.md", root)]
        if figure.section:
            known = [value for value in known if value.belongs(figure.section)]
        own = [value for value in known if figure.label and value.of(figure.label)]
        if any(equal(figure, value) for value in own or known):
            continue
        places = ", ".join(str(folder.relative_to(root)) for folder in dict.fromkeys(folders)) or "a folder it links to"
        told.append(
            f"{name}:{figure.line}: no result file in {places} has {figure.spelled}"
            f"{nearest(figure, own or known, root)}. Correct it; or derive it from result files in "
            "experiments/figures.py and run that; or, if it comes from elsewhere, add to the page: "
            f"<!-- not from results: {figure.spelled} (where from) -->"
        )
    stale = page.elsewhere - {figure.spelled for figure in page.figures}
    return told + [f"{name}: not from results: {text}: no such figure is left; take it out" for text in sorted(stale)]


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """Return the folders of results that the page of an experiment links to."""
    if not (path.is_relative_to(root / "experiments") and path.exists()):
        return ()
    return tuple(_folders(path.read_text(encoding="utf-8"), path, root))


def printed(path: Path, root: Path) -> list[Value]:
    """Return what a page prints, which an index may print again."""
    figures = read(path, root).figures
    return [Value(float(it.text), it.percent, it.label, f"{path}:{it.line}") for it in figures]


def is_index(path: Path) -> bool:
    """Tell whether a page lists others: its figures are theirs."""
    return path.parent.name in LISTS


def read(path: Path, root: Path) -> Page:
    """Read the figures of a page, with their lines and the folders that their block links to."""
    page = Page(path)
    if not path.exists():
        return page
    text = path.read_text(encoding="utf-8")
    for comment in ELSEWHERE.findall(text):
        for figures in re.findall(r"([^();]+)\([^)]+\)", " ".join(comment.split())):
            page.elsewhere |= {figure.strip() for figure in figures.split(",")}
    text = COMMENT.sub(_blank, text)
    experiment = path.is_relative_to(root / "experiments") and not is_index(path)
    header: list[str] = []
    section: Path | None = None
    percents = False
    for start, block in _blocks(text):
        folders = tuple(_folders(text if experiment else block, path, root))
        bare, line = LEFT_OUT.sub(_blank, block), text.count("\n", 0, start) + 1
        if block.startswith("#"):
            folder = path.parent / block.strip("# \n").lower()
            section = folder if folder.is_dir() else None
            percents = block.rstrip().endswith("in %")
        found = list(_figures(bare, line))
        if block.startswith("|"):
            cells = bare.strip().strip("|").split("|")
            header = header or cells
            found = [
                replace(
                    figure, percent=figure.percent or percents or ("%" in head.replace("95 %", "") and "%" not in cell)
                )
                for cell, head in zip(cells, header, strict=False)
                for figure in _figures(cell, line)
            ]
        else:
            header = []
        label = _label(block)
        page.figures += [replace(figure, label=label, folders=folders, section=section) for figure in found]
    return page


def _label(block: str) -> str:
    return re.sub(r"[*`]", "", block.strip("| \n").split("|")[0]).strip() if block.startswith("|") else ""


def _blank(match: re.Match[str]) -> str:
    """Keep the length and the line ends of what is left out."""
    return re.sub(r"[^\n]", " ", match.group())


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs, list items and table rows, each with its offset."""
    for match in re.finditer(r"```[^`]*```|\|.*$|(?:(?!\|)\S.*\n?(?:(?!\n|[-*] |\|).*\n?)*)", text, re.MULTILINE):
        yield match.start(), match.group()


def _folders(block: str, path: Path, root: Path) -> Iterator[Path]:
    for target in LINK.findall(block):
        found = (path.parent / target.split("#")[0]).resolve()
        folder = found if found.is_dir() else found.parent
        listed = any(folder.is_relative_to(root / name) for name in LISTS)
        if listed and folder != path.parent and folder.name not in (*LISTS, "figures"):
            yield folder


def _figures(text: str, line: int) -> Iterator[Figure]:
    percents = {
        match.start() + number.start()
        for match in PERCENT.finditer(text)
        for number in re.finditer(NUMBER, match.group())
    }
    for match in re.finditer(NUMBER, text):
        percent = match.start() in percents
        if percent or "." in match.group():
            yield Figure(match.group(), line + text.count("\n", 0, match.start()), percent)


def values(folder: Path) -> list[Value]:
    """Return the values of all tables in a folder and below it."""
    key = str(folder)
    if key not in _KNOWN:
        _KNOWN[key] = [value for path in sorted(folder.rglob("*")) for value in _values(path)]
    return _KNOWN[key]


_KNOWN: dict[str, list[Value]] = {}


def _values(path: Path) -> Iterator[Value]:
    if path.name == "figures.json":
        for name, number in json.loads(path.read_text(encoding="utf-8")).items():
            yield Value(float(number), name.endswith("%"), "", f"{path}: {name}")
    elif path.suffix == ".csv" and path.name not in RAW:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield from _row(row, path)
    elif path.suffix == ".md" and path.name not in ("README.md", "table.md"):  # table.csv has more digits
        yield from printed(path, path.parent)


def _row(row: dict[str, str], path: Path) -> Iterator[Value]:
    label, numbers = next(iter(row.values())), {}
    for name, text in row.items():
        with suppress(TypeError, ValueError):
            numbers[name] = float(text)
    for name, low, high in (("half", "low", "high"), ("half gain", "gain_low", "gain_high")):
        if low in numbers and high in numbers:
            numbers[name] = (numbers[high] - numbers[low]) / 2
    for name, number in numbers.items():
        if path.name != "table.csv" or name in MEASURES:
            yield Value(number, False, label, f"{path}: {label} {name}")
        if path.name != "table.csv" or name in SHARES:
            yield Value(100 * number, True, label, f"{path}: {label} {name}, %")


def equal(figure: Figure, value: Value) -> bool:
    """Tell whether the value, rounded as the figure is, is the figure; a sign counts where it is printed."""
    return distance(figure, value) <= 0.5 * 10.0 ** -len(figure.text.partition(".")[2]) + 1e-9


def distance(figure: Figure, value: Value) -> float:
    """Return how far the value lies from what is printed, in the units of the figure."""
    number = value.number if figure.text[0] in "+-" else abs(value.number)
    return abs(float(figure.text) - number) if figure.percent == value.percent else math.inf


def nearest(figure: Figure, known: list[Value], root: Path) -> str:
    """Name the value that comes closest."""
    close = min(known, key=lambda value: distance(figure, value), default=None)
    if close is None or distance(figure, close) == math.inf:
        return ""
    return f" (closest: {close.number:.6g}, {close.where.removeprefix(f'{root}/')})"
