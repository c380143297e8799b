"""Read a YAML file with its line numbers, and change single keys of it."""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from negbench import plain_values, user_files
from negbench.errors import InputError
from negbench.plain_values import NotPlainError

MOST_BYTES = 4_000_000
"""Most bytes of a file: a manifest may be larger than the grid in it."""

_STANDARD_INPUT = (Path("-"), Path("/dev/stdin"))
_DATA = re.compile(r"\.(csv|tsv|jsonl|parquet)(\.gz)?$")
"""Endings of files of pairs, which no grid has."""


class Document:
    """A YAML mapping, ``data``, that knows the line of each key in its file.

    YAML 1.2 (``plain_values``): ``1e-4`` is a number, a duplicate key is an error, no tag builds an object. ``path`` is
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

        The path ``-`` is standard input, whose relative paths start from the working directory.
        Raises InputError with file and line for what is no YAML mapping; ``kind`` and ``keys`` say what is expected.
        """
        assignments: list[str] = []
        if _DATA.search(path.name) and user_files.is_file(path):
            named = shlex.quote(str(path))
            raise InputError(f"{path}: this is data, no {kind}; write a grid for it with `negbench init {named}`")
        if path in _STANDARD_INPUT:
            text, folder = user_files.standard_input(f"a {kind}", MOST_BYTES), Path()
            path = user_files.STANDARD_INPUT
        else:
            text, folder = user_files.text(path, f"a {kind}", MOST_BYTES), path.parent
        if path.name.endswith(".json"):
            text, assignments, folder = _of_manifest(path, text)
        try:
            parsed = plain_values.yaml(text)
        except NotPlainError as error:
            raise plain_values.at(user_files.shown(path), error) from error
        data = parsed.value
        if not isinstance(data, dict):
            raise InputError(f"{path}:1: expected a mapping of keys such as {keys}")
        document = cls(path, text, data, parsed.marked)
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
        try:
            parsed = plain_values.yaml(text)
        except NotPlainError as error:
            raise InputError(f"grid: {error}") from error
        return cls(None, text, parsed.value, parsed.marked)

    def set(self, assignment: str) -> None:
        """Apply one ``key=value`` of the command line; the key may be dotted, the value is YAML.

        What follows ``axes.`` is one key, dots and all, as it is in the file.
        """
        self.assignments.append(assignment)
        key, equals, text = assignment.partition("=")
        if not equals or not all(step.strip() for step in key.split(".")):
            raise InputError(f"--set {assignment}: expected key=value, as in --set train.epochs=3")
        key = key.strip()
        try:
            value = plain_values.yaml(plain_values.checked_text(text)).value
            plain_values.checked_text(key, "a key")
        except NotPlainError as error:
            raise InputError(f"--set {key}={text[:60]}: {error}") from error
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
            merged = plain_values.merged_line(node, step)
            if not isinstance(node, CommentedMap | CommentedSeq) or not _has(node, step):
                if any(name.startswith(f"{key}.") for name in self.set_by_hand):
                    return f"--set {key}"  # the mapping itself was made by hand
                break
            line = merged + 1 if merged is not None else _line(node.lc.data.get(step), line)
            node = node[step]
        return f"grid: {key}" if self.path is None else f"{self.path}:{line}: {key}"


def _plain(value: Any, *location: Any) -> Any:
    """Return a value of Python's as YAML has it: paths as text, tuples as lists."""
    if len(location) > plain_values.MOST_DEPTH:
        key = ".".join(map(str, location[:2]))
        raise InputError(
            f"grid: {key}: more than {plain_values.MOST_DEPTH} lists or mappings within one another; write fewer"
        )
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

    A manifest without a folder is older: its paths start from the working directory. Raises InputError for another
    kind of value than a run writes.
    """
    try:
        manifest = plain_values.json_value(text)
    except NotPlainError as error:
        raise plain_values.at(user_files.shown(path), error) from error
    if not (isinstance(manifest, dict) and "grid" in manifest):
        return text, [], path.parent
    if not isinstance(manifest["grid"], str):
        raise InputError(
            f"{path}: grid: expected the text of a grid, found {manifest['grid']!r:.60}; restore the manifest"
        )
    assignments, folder = manifest.get("assignments", []), manifest.get("folder", ".")
    if not isinstance(assignments, list) or not all(isinstance(one, str) for one in assignments):
        raise InputError(f"{path}: assignments: expected a list of texts such as train.epochs=3; restore the manifest")
    if not isinstance(folder, str) or "\0" in folder:
        raise InputError(f"{path}: folder: expected the path of a folder, found {folder!r:.60}; restore the manifest")
    return manifest["grid"], assignments, Path(folder)


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
