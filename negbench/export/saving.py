"""Save mined rows in a format, with a description beside them: all of it or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from negbench.errors import InputError, with_key
from negbench.escaping import for_markdown, markdown_code, markdown_sentence
from negbench.export import FOLDER, Format
from negbench.export.earlier import DESCRIPTION, check_free, description_of, digests
from negbench.export.mined_rows import MinedRows


def parse(spelling: str) -> Format:
    """Return the format spelled so; InputError where there is none."""
    try:
        return Format.model_validate(spelling)
    except ValidationError as error:
        raise InputError(f"format {spelling}: {with_key(error.errors()[0])}") from error


def format_of(spelling: str | None, out: Path, inputs: Sequence[Path] = ()) -> Format:
    """Return the format spelled so, or triplets, if it can be written to ``out``; InputError else.

    ``inputs`` are files and folders that the negatives are mined from.
    """
    chosen = parse(spelling or "triplet")
    if out.suffix not in chosen.suffixes:
        ways = [suffix or "a folder (no suffix)" for suffix in chosen.suffixes]
        expected = f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
        raise InputError(f"{out}: format {chosen.name} is written as {expected}; give such a path")
    check_free(out, chosen, inputs)
    return chosen


def save(
    rows: MinedRows, chosen: Format, out: Path, about: Mapping[str, Any], inputs: Sequence[Path] = ()
) -> dict[str, Any]:
    """Write the rows and their description to ``out``, and return the description.

    ``about`` says how they were made, ``inputs`` are files and folders that they are from. An earlier export of the
    same format at ``out`` is replaced. Raises InputError for rows that do not fit the format and for files that are in
    the way, and writes nothing then.
    """
    check_free(out, chosen, inputs)
    if not len(rows):
        raise InputError(
            f"{out}: no query has a positive and a negative, so there is nothing to write; choose another method"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        draft = Path(scratch) / out.name
        left_out = [*rows.notes(), *chosen.write(rows, draft)]
        row = {"format": chosen.spelling, "loaded_by": chosen.loaded_by, "a_row_is": chosen.row}
        description = {**row, **about, "notes": [*about.get("notes", ()), *left_out]}
        if out.suffix == FOLDER:
            (draft / "README.md").write_text(card(description), encoding="utf-8")
        description["files"] = digests(draft)
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if out.suffix == FOLDER:
            (draft / DESCRIPTION).write_text(text, encoding="utf-8")
            shutil.rmtree(out, ignore_errors=True)
        else:
            beside = description_of(draft)
            beside.write_text(text, encoding="utf-8")
            beside.replace(description_of(out))
        draft.replace(out)
    return description


def card(description: Mapping[str, Any]) -> str:
    """Return the folder's README: a dataset card as hubs read it."""
    lines = ["---", "tags: [hard-negatives, negbench]", "---", ""]
    method, collection = description["method"]["spelling"], description["collection"]["name"]
    lines += [f"# Negatives of {for_markdown(method)} on {for_markdown(collection)}", ""]
    lines += [f"Format {markdown_code(description['format'])}, for {description['loaded_by']}."]
    lines += [f"A row is {description['a_row_is']}.", ""]
    lines += [f"- {key.replace('_', ' ')}: {_told(value)}" for key, value in description.items() if _shown(key, value)]
    lines += [markdown_sentence(f"- note: {note}") for note in description["notes"]]
    return "\n".join([*lines, "", f"All of this is in `{DESCRIPTION}`."]) + "\n"


def _shown(key: str, value: Any) -> bool:
    return key not in ("format", "loaded_by", "a_row_is", "notes") and value is not None


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')} {_told(part)}" for key, part in value.items() if part is not None)
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return f"{value:.4g}" if isinstance(value, float) else for_markdown(str(value))
