"""Options and output that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from negbench.terminal import say

GridPath = Annotated[Path, typer.Argument(help="The grid file (YAML), or - for standard input.", show_default=False)]
Assignments = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the grid; dotted; can be repeated.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Allow more than 10,000 trials.")]
GridEncoder = Annotated[str, typer.Option(help="Encoder of the grid: hub id, model folder or name of offline weights.")]
GRID_ENCODER: Final = "all-MiniLM-L6-v2"
"""Encoder of a suggested grid, unless another one is named."""
Timing = Annotated[
    bool, typer.Option("--timing/--no-timing", help="Encode 64 documents to estimate how long the grid takes.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def label_of_stage(label: str) -> None:
    """Print a stage's label on stderr before it runs."""
    say(label, stderr=True)
