"""Parse the value of ``collection:`` into a source."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from negbench import plain_values, user_files
from negbench.collections import PATH_KEYS, Source, tables
from negbench.collections.beir import find
from negbench.collections.layouts import files
from negbench.errors import InputError, plainly
from negbench.registry import registered

_HUB = {
    **{
        name: f"mteb/{name}"
        for name in (
            *("arguana", "climate-fever", "dbpedia", "fever", "fiqa", "hotpotqa", "msmarco", "nfcorpus", "nq", "quora"),
            *("scidocs", "scifact", "touche2020", "trec-covid"),
        )
    },
    "dbpedia-entity": "mteb/dbpedia",
    "webis-touche2020": "mteb/touche2020",
}
"""Datasets of the hub by the names of BEIR's collections; in this layout a repository holds its judgments, too."""

PAIRS = "pairs"
_PREFIXES = ("hub", "ir_datasets")
_FORMS = "helpdesk, a folder, a file of pairs, a name under NEGBENCH_DATA, hub:ID or ir_datasets:ID"


@dataclass(frozen=True)
class _Beside:
    """The folder of a grid file, what its ``--set`` assignments say, and notes on paths that do not start from it."""

    folder: Path
    typed: Sequence[str]
    notes: list[str] = field(default_factory=list)

    def find(self, path: str) -> Path | None:
        """Return the folder or file that a relative path means, None for none.

        A path that was typed on the command line starts from the working directory.
        """
        here, beside = Path(path), self.folder / path
        if any(path in text for text in self.typed) and user_files.is_there(here):
            return here
        if user_files.is_there(beside):
            return beside
        if not user_files.is_there(here):
            return None
        self.notes.append(
            f"collection {path}: there is no {beside} beside the grid, so the one in the working directory is "
            f"read; paths start from the grid's folder: write {Path(os.path.relpath(here, self.folder)).as_posix()}"
        )
        return here


_BESIDE: ContextVar[_Beside | None] = ContextVar("folder of the grid file that is read", default=None)


@contextmanager
def paths_beside(folder: Path, typed: Sequence[str] = ()) -> Iterator[list[str]]:
    """Let relative paths of collections start from ``folder``, a grid file's, and yield notes on those that do not.

    A folder that exists in the working directory alone is read from there. ``typed``: assignments of the command line,
    whose paths start from the working directory.
    """
    beside = _Beside(folder, typed)
    token = _BESIDE.set(beside)
    try:
        yield beside.notes
    finally:
        _BESIDE.reset(token)


def short_name(source: Source) -> str:
    """Return a name for a collection among others: ``scifact``, ``helpdesk``, ``hidden-scifact``."""
    if isinstance(inner := source.parameters.get("collection"), Source):
        return f"{source.name}-{short_name(inner)}"
    path = source.parameters.get("path") or source.parameters.get("id")
    return source.name if path is None else str(path).rstrip("/").rpartition("/")[2]


def collection_name(source: Source) -> str:
    """Return a collection's name without the path to it."""
    if isinstance(inner := source.parameters.get("collection"), Source):
        return f"{source.name}({collection_name(inner)})"
    path = source.parameters.get("path") or source.parameters.get("id")
    return source.spelling if path is None else str(path).rstrip("/").rpartition("/")[2]


def names_apart(sources: Sequence[Source]) -> list[str]:
    """Return the name of each collection, with the parameters in which those of one name differ, but for paths."""
    names = [collection_name(source) for source in sources]
    found = []
    for source, name in zip(sources, names, strict=True):
        same = [_own_parameters(other) for other, its in zip(sources, names, strict=True) if its == name]
        own = _own_parameters(source)
        told = [f"{key}={value}" for key, value in own.items() if any(other.get(key) != value for other in same)]
        found.append(f"{name[:-1]}, {', '.join(told)})" if told and name.endswith(")") else " ".join([name, *told]))
    return found


def _own_parameters(source: Source) -> dict[str, Any]:
    """Return the parameters of a collection and of those inside it, without paths."""
    inner = source.parameters.get("collection")
    own = {key: it for key, it in source.parameters.items() if key != "collection" and key not in PATH_KEYS}
    return {**(_own_parameters(inner) if isinstance(inner, Source) else {}), **own}


def mapping_in(text: str) -> Mapping[str, Any] | None:
    """Return the mapping in a text such as ``{pairs: faq.csv, query: frage, positive: antwort}``, None for other text.

    Raises InputError for what begins like one and is no YAML.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = plain_values.yaml(text).value
    except plain_values.NotPlainError as error:
        raise InputError(f"collection {text}: {error}") from error
    return value if isinstance(value, Mapping) else None


def source_of(value: str | Mapping[str, Any] | Source) -> Source:
    """Return the source of a text or mapping.

    Text is a part's spelling (``helpdesk``, ``beir(path=data)``), ``hub:ID``, ``ir_datasets:ID``, a folder or file, or
    the name of one under the environment variable NEGBENCH_DATA, or of a collection of BEIR's, tried in this order. A
    folder is in BEIR's layout, unless it holds a saved dataset or tables by split: these and files are pairs. A mapping
    is a part's long form, ``{beir: {path: data}}``, ``{source: TEXT, **parameters}``, which adds parameters, or
    ``{pairs: PATH, **parameters}``; it may be given as text. A source is returned as it is. Raises InputError that
    lists what was tried.
    """
    if isinstance(value, Source):
        return value
    if isinstance(value, str):
        mapping = mapping_in(value)
        return _from_text(value.strip()) if mapping is None else source_of(mapping)
    if not isinstance(value, Mapping):
        raise InputError(f"collection: expected {_FORMS}, or a mapping; found {value!r:.60}")
    if isinstance(value.get(PAIRS), str | os.PathLike):
        rest = {field: thing for field, thing in value.items() if field != PAIRS}
        path = str(_found(os.fspath(value[PAIRS])) or value[PAIRS])
        return _based(_validated(Source.model_validate, {PAIRS: {"path": path, **rest}}, str(value[PAIRS])))
    if "source" not in value:
        return _based(_validated(Source.model_validate, dict(value), ", ".join(map(str, value))))
    text = value["source"]
    if not isinstance(text, str):
        raise InputError(f"collection: source must be text ({_FORMS}), found {text!r:.60}; write it in quotes")
    base = _from_text(text.strip())
    extra = {field: thing for field, thing in value.items() if field != "source"}
    try:
        return _validated(Source.model_validate, {base.name: base.written | extra}, text)
    except InputError as error:
        if text not in _HUB or base.name != "hub":
            raise
        raise InputError(
            f"{error}; {text} is hub:{_HUB[text]} here, since there is no such folder, and {_under()}; name the folder"
        ) from error


def _from_text(text: str) -> Source:
    name = text.partition("(")[0]
    if name in registered("collection"):
        return _based(_validated(Source.model_validate, text, text))
    prefix, colon, rest = text.partition(":")
    if colon and prefix in _PREFIXES:
        if not rest:
            raise InputError(
                f"collection: {text!r} has no id after the colon; expected for example {prefix}:beir/scifact"
            )
        return _validated(Source.model_validate, {prefix: {"id": rest}}, text)
    path = _existing(text)
    if path is None:
        return _validated(Source.model_validate, {"hub": {"id": _HUB[text]}}, text)
    kind = PAIRS if _holds_pairs(path) else "beir"
    return _validated(Source.model_validate, {kind: {"path": str(path)}}, text)


def _holds_pairs(path: Path) -> bool:
    """Tell whether this is a file, a saved dataset or a folder of tables by split, without the files of BEIR."""
    if user_files.is_file(path):
        return True
    if find(path, "corpus") is not None:
        return False
    return files.is_dataset(path) or bool(tables.by_split(path))


def _found(text: str) -> Path | None:
    """Return the file or folder with this path, or with this name under NEGBENCH_DATA; None where there is none."""
    if text and (found := _at(text)) is not None:
        return found
    home = os.environ.get("NEGBENCH_DATA", "")
    return Path(home) / text if text and home and user_files.is_there(user_files.expanded(home) / text) else None


def _existing(text: str) -> Path | None:
    """Return what ``_found`` does, or None for a name of BEIR's; InputError where there is nothing."""
    found = _found(text)
    if found is not None or text in _HUB:
        return found
    home = os.environ.get("NEGBENCH_DATA", "")
    known = [*registered("collection"), *_HUB]
    if home and user_files.is_folder(user_files.expanded(home)):
        known += [path.name for path in user_files.expanded(home).iterdir() if path.is_dir()]
    near = difflib.get_close_matches(text, list(dict.fromkeys(known)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"give {_FORMS}"
    raise InputError(f"collection: {text!r} is no known source, no folder, and {_under()}; {hint}")


def _under() -> str:
    """Say that a name was not found under NEGBENCH_DATA."""
    home = os.environ.get("NEGBENCH_DATA", "")
    return f"no folder under NEGBENCH_DATA ({home})" if home else "NEGBENCH_DATA is not set"


def _based(source: Source) -> Source:
    """Return a source whose paths start from the folder of the grid that is read."""
    paths = {key: source.parameters.get(key) for key in ("path", "corpus", "queries")}
    given = {key: path for key, path in paths.items() if isinstance(path, str)}
    if _BESIDE.get() is None:
        return source
    found = {key: str(place) for key, path in given.items() if (place := _at(path)) is not None}
    return source.model_copy(update=found) if found else source


def _at(path: str) -> Path | None:
    """Return what a path means: from the folder of the grid that is read, or from the working directory."""
    whole, beside = user_files.expanded(path), _BESIDE.get()
    if beside is not None and not whole.is_absolute():
        return beside.find(path)
    return Path(path) if user_files.is_there(whole) else None


def _validated(validate: Callable[[object], Source], value: object, text: str) -> Source:
    try:
        return validate(value)
    except ValidationError as error:
        reasons = []
        for item in error.errors(include_url=False):
            field = ".".join(str(part) for part in item["loc"])
            reason = plainly(item) + ("; add it" if item["type"] == "missing" else "")
            reasons.append(f"{field}: {reason}" if field else reason)
        raise InputError(f"collection {text}: {'; '.join(dict.fromkeys(reasons))}") from error
    except ValueError as error:
        raise InputError(f"collection {text}: {error}") from error
