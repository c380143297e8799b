"""Options and output that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from negbench.terminal import console

GridPath = Annotated[Path, typer.Argument(help="The grid file (YAML).", show_default=False)]
Assignments = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the grid; dotted; can be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def label_of_stage(label: str) -> None:
    """Print a stage's label on stderr before it runs."""
    print_plain(label, error=True)


def print_plain(line: str, *, error: bool = False) -> None:
    """Print a line as it is, on stdout, or with ``error`` on stderr."""
    console(stderr=error).print(line, soft_wrap=True)
