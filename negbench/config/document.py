"""Read a YAML file with its line numbers, and change single keys of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from negbench.errors import InputError


class Document:
    """A YAML mapping, ``data``, that knows the line of each key in its file.

    YAML 1.2 by ruamel.yaml: ``1e-4`` is a number, a duplicate key is an error, no tag builds an object.
    """

    def __init__(self, path: Path, text: str, data: dict[Any, Any], marked: CommentedMap) -> None:
        self.path = path
        self.text = text
        self.data = data
        self.set_by_hand: set[str] = set()
        self.assignments: list[str] = []
        self._marked = marked

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read ``path``, a grid or the manifest of one, with the assignments that it was run with.

        Raises InputError with file and line for what is no YAML mapping.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; give the path of a grid file") from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
        assignments: list[str] = []
        if path.name.endswith(".json"):
            text, assignments = _of_manifest(path, text)
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
            raise InputError(f"{path}:1: expected a mapping of keys such as name, collection, encoder, methods")
        document = cls(path, text, data, marked)
        for assignment in assignments:
            document.set(assignment)
        return document

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
        """Return ``file:line: key`` for a path into the data: the line as deep as the file goes along with it."""
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
        return f"{self.path}:{line}: {key}"


def _of_manifest(path: Path, text: str) -> tuple[str, list[str]]:
    """Return the grid in a manifest, and its assignments; a grid that is written as JSON is one itself."""
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    if not (isinstance(manifest, dict) and isinstance(manifest.get("grid"), str)):
        return text, []
    return manifest["grid"], [str(assignment) for assignment in manifest.get("assignments", [])]


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
