"""Read the answers of people or a model: from the sheet, the page's file, or another file.

An answer is yes, no or unsure (y, n, u; 1 or 0), in a column or key ``answer``. A column or key ``grade`` holds
UMBRELA's grades instead (Upadhyay et al. 2024): 2 and 3 are relevant, 0 and 1 are not. Where there is a column or key
``annotator``, it names who answered; several may answer the same item. Exports of Label Studio and Argilla are read
too (``label_studio``, ``argilla``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from negbench import plain_values, user_files
from negbench.auditing import argilla, label_studio
from negbench.auditing.sheet import SHEET
from negbench.collections.layouts import records
from negbench.errors import InputError
from negbench.plain_values import NotPlainError

Answer = Literal["yes", "no", "unsure"]
Answers = dict[tuple[int, str], Answer]
"""Answers by (item, annotator), "" for an annotator without a name, in the order in which they were first given."""

ANSWERS = "answers.jsonl"
"""File of the page: one answer per line; the last answer of an annotator to an item counts."""

_WORDS: dict[str, Answer] = {
    **dict.fromkeys(("yes", "y", "1", "true"), "yes"),
    **dict.fromkeys(("no", "n", "0", "false"), "no"),
    **dict.fromkeys(("unsure", "u", "?"), "unsure"),
}
_GRADES: dict[str, Answer] = {"0": "no", "1": "no", "2": "yes", "3": "yes"}


def of_folder(folder: Path, items: int) -> Answers:
    """Return the answers of the sheet, then of the page, for a sheet with ``items`` items.

    Raises InputError for an invalid answer, and for an annotator whose answers to an item differ between the two.
    """
    sheet, page = folder / SHEET, folder / ANSWERS
    of_sheet = of_file(sheet, items) if user_files.is_file(sheet) else {}
    later = of_file(page, items) if user_files.is_file(page) else {}
    for given, answer in later.items():
        if of_sheet.setdefault(given, answer) != answer:
            item = f"item {given[0]}{_by(given[1])}"
            raise InputError(f"{item}: {sheet} says {of_sheet[given]}, {page} says {answer}; empty the sheet's cell")
    return of_sheet


def of_file(path: Path, items: int) -> Answers:
    """Return the answers of a CSV file, JSON lines or a JSON list; blank ones are left out.

    Raises InputError with file and line for an unknown item, an item that a table has twice of one annotator, and an
    invalid answer.
    """
    with user_files.reading(path, "a sheet, or JSON lines, with answers") as file:
        start = file.read(64).lstrip()
    is_table = not start.startswith((b"{", b"["))
    by_given: dict[tuple[int, str], Answer | None] = {}
    for place, fields in _table(path) if is_table else _json(path, is_list=start.startswith(b"[")):
        given = _item(fields.get("item"), items, place), named(fields.get("annotator"))
        if given in by_given and is_table:
            who = "" if "annotator" in fields else ", or add a column annotator"
            raise InputError(f"{place}: item {given[0]} has a second answer{_by(given[1])}; keep one{who}")
        by_given[given] = _answer(fields, place)
    return {given: answer for given, answer in by_given.items() if answer is not None}


def named(annotator: Any) -> str:
    """Return an annotator's name with single spaces; "" for nobody."""
    return "" if annotator is None else " ".join(str(annotator).split())


def _by(annotator: str) -> str:
    return f" by {annotator}" if annotator else ""


def whole_lines(raw: bytes) -> bytes:
    """Return the complete lines of the page's file; a killed server may leave the last one unfinished."""
    end = raw.rfind(b"\n") + 1
    try:
        json.loads(raw[end:])
    except ValueError:
        return raw[:end]
    return raw + b"\n"  # complete, but without a line end


def _json(path: Path, is_list: bool) -> Iterator[records.Record]:
    """Yield the answers of JSON lines or of a JSON list; a record of a labelling tool may have several or none."""
    for place, fields in _json_list(path) if is_list else _json_lines(path):
        found = next((them for tool in TOOLS.values() if (them := tool.answers(fields)) is not None), [fields])
        yield from (records.Record(place, one) for one in found)


TOOLS = {"label-studio": label_studio, "argilla": argilla}
"""Tools that a sheet can be labelled in, by name."""


def _json_list(path: Path) -> Iterator[records.Record]:
    try:
        entries = plain_values.json_value(user_files.text(path))
    except NotPlainError as error:
        place = path if error.line is None else f"{path}:{error.line}"
        raise InputError(f"{place}: {error}; restore the file, or export the answers again") from error
    for number, fields in enumerate(entries, 1):
        place = f"{path}, entry {number}"
        if not isinstance(fields, dict):
            raise InputError(f"{place}: expected an object with an item and its answer, found {fields!r:.60}")
        yield records.Record(place, fields)


def _json_lines(path: Path) -> Iterator[records.Record]:
    raw = user_files.content(path)
    for number, line in enumerate((whole_lines(raw) if path.name == ANSWERS else raw).split(b"\n"), 1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                fields = plain_values.json_value(line.decode())
            except (NotPlainError, UnicodeDecodeError) as error:
                raise InputError(f"{place}: {error}; restore or remove this line") from error
            if not isinstance(fields, dict):
                raise InputError(f'{place}: expected {{"item": 1, "answer": "yes"}}, found {fields!r:.60}')
            yield records.Record(place, fields)


def _table(path: Path) -> Iterator[records.Record]:
    """Yield the rows of a table; some spreadsheets save it with semicolons or tabs."""
    columns, delimiter = records.heading(records.text_of(path))
    if "item" not in columns or not {"answer", "grade"} & set(columns):
        raise InputError(f"{path}:1: expected columns item and answer (or grade), found {', '.join(columns)}")
    yield from records.table(path, delimiter)


def _item(value: Any, items: int, place: str) -> int:
    text = str(value).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18 or not 1 <= int(text) <= items:
        raise InputError(f"{place}: item: expected a number from 1 to {items}, found {value!r:.60}")
    return int(text)


def _answer(fields: dict[str, Any], place: str) -> Answer | None:
    """Return the answer, None for a blank one."""
    answer, grade = (_plain(fields.get(name)) for name in ("answer", "grade"))
    if answer and grade:
        raise InputError(f"{place}: has both an answer and a grade; keep one of them")
    if grade:
        if grade not in _GRADES:
            raise InputError(f"{place}: grade: expected 0, 1, 2 or 3, found {grade!r:.60}")
        return _GRADES[grade]
    if not answer:
        return None
    if answer not in _WORDS:
        hint = "; grades belong in a column (or key) called grade" if answer in _GRADES else ""
        raise InputError(f"{place}: answer: expected yes, no or unsure (or 1 or 0), found {answer!r:.60}{hint}")
    return _WORDS[answer]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip().lower()
