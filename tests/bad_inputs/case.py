"""A bad input: what the command line is given, and what its refusal must name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[Path], object]
"""What a file holds, or a function that makes what stands at a path."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One bad input.

    ``files`` are written into an empty folder, in which the command with these ``arguments`` runs. ``named`` are texts
    that the refusal holds: the file, the line, the key. ``problems`` is how many lines it has.
    """

    name: str
    arguments: tuple[str, ...]
    named: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    problems: int = 1

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)


GRID: dict[str, str] = {
    "name": "made",
    "collection": "../shared/socks",
    "encoder": "../shared/weights",
    "methods": "[in-batch, random]",
}
"""The keys of a grid that is right."""


def grid(**changes: str | None) -> str:
    """Return the text of a grid, one line a key; a key that is changed to None is left out, and further keys follow."""
    keys = {**GRID, **changes}
    return "".join(f"{key}: {value}\n" for key, value in keys.items() if value is not None)


def in_grid(name: str, text: str, *named: str, problems: int = 1, command: str = "plan") -> Case:
    """Return the case of a grid file with this text."""
    files = {"grid.yaml": text}
    return Case(name=name, arguments=(command, "grid.yaml"), named=named, files=files, problems=problems)


def in_set(name: str, assignment: str, *named: str, problems: int = 1) -> Case:
    """Return the case of a grid that is right, and an assignment that is not."""
    arguments = ("plan", "grid.yaml", "--set", assignment)
    return Case(name=name, arguments=arguments, named=named, files={"grid.yaml": grid()}, problems=problems)
