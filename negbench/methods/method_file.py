"""Files of methods, found here and in installed packages; errors in one line that names file, line and key."""

from __future__ import annotations

import importlib
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from negbench import plain_values, user_files
from negbench.errors import InputError, plainly
from negbench.plain_values import NotPlainError
from negbench.registry import unknown

T = TypeVar("T", bound=BaseModel)

GROUP = "negbench.methods"
"""Entry points of other packages: each names a package whose folder holds method files."""


@cache
def locate() -> dict[str, Path]:
    """Return the file of every method by its name, in alphabetical order: those that ship, and those of packages.

    Raises InputError for an entry point that names no package, and for a name that is taken.
    """
    folders = [Path(str(resources.files(GROUP)))]
    for entry in metadata.entry_points(group=GROUP):
        try:
            package = importlib.import_module(entry.module)
            folders.append(Path(next(iter(package.__path__))))
        except (ImportError, AttributeError, StopIteration) as error:
            whose = entry.dist.name if entry.dist else "a package"
            raise InputError(
                f"entry point {GROUP} {entry.name} of {whose}: expected a package with method files, found "
                f"{entry.value!r}"
            ) from error
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        if (other := found.setdefault(path.stem, path)) != path:
            raise InputError(f"{path}: the method {path.stem} is there already, in {other}; give it another name")
    return dict(sorted(found.items()))


def read(path: Path, name: str, kind: type[T]) -> T:
    """Return the method in ``path`` under its ``name``.

    Raises InputError with the file, the line and the first key that is wrong, and what was expected.
    """
    try:
        parsed = plain_values.yaml(user_files.text(path, "a method file"))
    except NotPlainError as error:
        raise plain_values.at(str(path), error) from error
    data, plain = parsed.marked, parsed.value
    if not isinstance(plain, dict):
        raise InputError(f"{path}:1: expected a mapping of keys such as summary, candidates, selection, loss")
    try:
        return kind.model_validate({**plain, "name": name})
    except ValidationError as error:
        issue = error.errors()[0]
        steps = [step for step in issue["loc"] if not str(step).startswith("function-")]
        key = ".".join(map(str, steps))
        message = plainly(issue).splitlines()[0]
        if issue["type"] == "extra_forbidden" and len(steps) == 1:
            message = unknown("key", key, list(kind.model_fields))
        elif issue["type"] == "missing" and len(steps) == 1:
            needed = [name for name, field in kind.model_fields.items() if field.is_required() and name != "name"]
            message += f"; a method file needs {', '.join(needed)}"
        raise InputError(f"{path}:{_line(data, steps)}: {f'{key}: ' if key else ''}{message}") from error


def _line(data: Any, steps: list[str | int]) -> int:
    """Return the line of the top key that ``steps`` begin with; 1 where the file has none such."""
    mark = data.lc.data.get(steps[0]) if steps else None
    return int(mark[0]) + 1 if mark else 1
