"""From what a user writes under ``collection:`` to the source that it means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from negbench.collections import Source
from negbench.errors import InputError, plainly
from negbench.parts import registered

_PREFIXES = ("hub", "ir_datasets")
_FORMS = "helpdesk, a folder, a name under NEGBENCH_DATA, hub:ID or ir_datasets:ID"


def source_of(value: str | Mapping[str, Any] | Source) -> Source:
    """Return the source that the text or mapping means.

    Text is a part's spelling (``helpdesk``, ``beir(path=data)``), ``hub:ID``, ``ir_datasets:ID``, a folder, or
    the name of a folder under the environment variable NEGBENCH_DATA, tried in this order. A mapping is a
    part's long form, ``{beir: {path: data}}``, or ``{source: TEXT, **parameters}``, which adds parameters.
    A source is itself. Raises InputError that says what was tried.
    """
    if isinstance(value, Source):
        return value
    if isinstance(value, str):
        return _from_text(value.strip())
    if not isinstance(value, Mapping):
        raise InputError(f"collection: expected {_FORMS}, or a mapping; found {value!r:.60}")
    if "source" not in value:
        return _validated(Source.model_validate, dict(value), ", ".join(map(str, value)))
    text = value["source"]
    if not isinstance(text, str):
        raise InputError(f"collection: source must be text ({_FORMS}), found {text!r:.60}")
    base = _from_text(text.strip())
    extra = {field: thing for field, thing in value.items() if field != "source"}
    return _validated(Source.model_validate, {base.name: base.written | extra}, text)


def _from_text(text: str) -> Source:
    name = text.partition("(")[0]
    if name in registered("collection"):
        return _validated(Source.model_validate, text, text)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in _PREFIXES:
        if not rest:
            raise InputError(f"collection: {text!r} lacks the id after the colon, e.g. {prefix}:beir/scifact")
        return _validated(Source.model_validate, {prefix: {"id": rest}}, text)
    folder = _folder(text)
    return _validated(Source.model_validate, {"beir": {"path": str(folder)}}, text)


def _folder(text: str) -> Path:
    """Return the folder that the text is the path of, or its name under NEGBENCH_DATA."""
    if text and Path(text).expanduser().is_dir():
        return Path(text)
    home = os.environ.get("NEGBENCH_DATA", "")
    if text and home and (Path(home).expanduser() / text).is_dir():
        return Path(home) / text
    known = list(registered("collection"))
    if home and Path(home).expanduser().is_dir():
        known += [path.name for path in Path(home).expanduser().iterdir() if path.is_dir()]
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.5)
    under = f"no folder under NEGBENCH_DATA ({home})" if home else "NEGBENCH_DATA is not set to look there"
    hint = f"did you mean {' or '.join(near)}?" if near else f"give {_FORMS}"
    raise InputError(f"collection: {text!r} is no known source, no folder here, and {under}; {hint}")


def _validated(validate: Callable[[object], Source], value: object, text: str) -> Source:
    try:
        return validate(value)
    except ValidationError as error:
        reasons = []
        for item in error.errors(include_url=False):
            field = ".".join(str(part) for part in item["loc"])
            reasons.append(f"{field}: {plainly(item)}" if field else plainly(item))
        raise InputError(f"collection {text}: {'; '.join(dict.fromkeys(reasons))}") from error
    except ValueError as error:
        raise InputError(f"collection {text}: {error}") from error
