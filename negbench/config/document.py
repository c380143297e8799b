"""Read a YAML file with its line numbers, and change single keys of it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from negbench.errors import InputError


class Document:
    """A YAML mapping, ``data``, that knows the line of each key in its file.

    YAML 1.2 by ruamel.yaml: ``1e-4`` is a number, a duplicate key is an error, no tag builds an object. ``path`` is
    None for a grid that is no file, but a mapping in Python. ``folder`` is what its relative paths start from: the
    file's, for a manifest that of the grid that was run, None for a mapping.
    """

    def __init__(self, path: Path | None, text: str, data: dict[Any, Any], marked: CommentedMap) -> None:
        self.path = path
        self.folder = None if path is None else path.parent
        self.text = text
        self.data = data
        self.set_by_hand: set[str] = set()
        self.assignments: list[str] = []
        self._marked = marked

    @classmethod
    def read(cls, path: Path, kind: str = "grid file", keys: str = "name, collection, encoder, methods") -> Document:
        """Read ``path``, a grid or the manifest of one, with the assignments that it was run with.

        Raises InputError with file and line for what is no YAML mapping; ``kind`` and ``keys`` say what is expected.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; give the path of a {kind}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
        assignments: list[str] = []
        folder = path.parent
        if path.name.endswith(".json"):
            text, assignments, folder = _of_manifest(path, text)
        try:
            data = YAML(typ="safe", pure=True).load(text)
            marked = YAML(typ="rt", pure=True).load(text)
        except DuplicateKeyError as error:
            line = error.problem_mark.line + 1
            what = str(error.problem).split(" with value")[0].removeprefix("found ")
            raise InputError(f"{path}:{line}: {what}; keep one of them") from error
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            what = " ".join(part for part in (error.context, error.problem) if part)
            raise InputError(f"{path}:{line}: not valid YAML: {what}") from error
        except YAMLError as error:
            raise InputError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
        if not isinstance(data, dict):
            raise InputError(f"{path}:1: expected a mapping of keys such as {keys}")
        document = cls(path, text, data, marked)
        document.folder = folder
        for assignment in assignments:
            document.set(assignment)
        return document

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Document:
        """Return a grid that is written in Python: what YAML would hold, and paths.

        Raises InputError for a value that YAML has no words for.
        """
        writer = YAML(typ="safe", pure=True)
        writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # axes come in the order in which they are written
        out = io.StringIO()
        writer.dump(_plain(mapping), out)
        text = out.getvalue()
        return cls(None, text, *(YAML(typ=kind, pure=True).load(text) for kind in ("safe", "rt")))

    def set(self, assignment: str) -> None:
        """Apply one ``key=value`` of the command line; the key may be dotted, the value is YAML.

        What follows ``axes.`` is one key, dots and all, as it is in the file.
        """
        self.assignments.append(assignment)
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {assignment}: expected key=value, as in --set train.epochs=3")
        try:
            value = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise InputError(f"--set {assignment}: {text!r} is not valid YAML") from error
        key = key.strip()
        axis = key.removeprefix("axes.")
        if axis != key and isinstance(axes := self.data.setdefault("axes", {}), dict):
            axes[axis] = value
        else:
            place(self.data, key, value, f"--set {assignment}")
        self.set_by_hand.add(key)

    def where(self, location: Sequence[str | int]) -> str:
        """Return ``file:line: key`` for a path into the data: the line as deep as the file goes along with it.

        Without a file, it is ``grid: key``.
        """
        key = ".".join(map(str, location))
        if any(key == name or key.startswith(f"{name}.") for name in self.set_by_hand):
            return f"--set {key}"
        line = 1
        node: Any = self._marked
        for step in location:
            if not isinstance(node, CommentedMap | CommentedSeq) or not _has(node, step):
                if any(name.startswith(f"{key}.") for name in self.set_by_hand):
                    return f"--set {key}"  # the mapping itself was made by hand
                break
            line = _line(node.lc.data.get(step), line)
            node = node[step]
        return f"grid: {key}" if self.path is None else f"{self.path}:{line}: {key}"


def _plain(value: Any, *location: Any) -> Any:
    """Return a value of Python's as YAML has it: paths as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(inner, *location, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, *location, position) for position, inner in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is not None and type(value) not in (str, int, float, bool):
        key = ".".join(map(str, location))
        raise InputError(f"grid: {key}: expected what a YAML file may hold, found {value!r:.60}")
    return value


def _of_manifest(path: Path, text: str) -> tuple[str, list[str], Path]:
    """Return the grid in a manifest, its assignments and its folder; a grid that is written as JSON is one itself.

    A manifest without a folder is older: its paths start from the working directory.
    """
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    if not (isinstance(manifest, dict) and isinstance(manifest.get("grid"), str)):
        return text, [], path.parent
    assignments = [str(assignment) for assignment in manifest.get("assignments", [])]
    return manifest["grid"], assignments, Path(str(manifest.get("folder", ".")))


def _has(node: Any, step: str | int) -> bool:
    return step in node if isinstance(node, dict) else isinstance(step, int) and step < len(node)


def _line(mark: Any, otherwise: int) -> int:
    return int(mark[0]) + 1 if mark else otherwise


def place(data: dict[str, Any], key: str, value: Any, origin: str) -> None:
    """Set a dotted ``key`` in nested mappings, in place; InputError where it leads through something else."""
    *outer, last = key.split(".")
    for step in outer:
        inner = data.setdefault(step, {})
        if not isinstance(inner, dict):
            hint = f"set the whole of {step}, or write it as a mapping"
            raise InputError(f"{origin}: {step} holds no keys, so {key} leads nowhere; {hint}")
        data = inner
    data[last] = value
