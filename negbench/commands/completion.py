"""The command that prints what a shell needs to complete negbench."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer()

VARIABLE = "_NEGBENCH_COMPLETE"
"""Environment variable by which a shell asks for completions."""


class Shell(StrEnum):
    """Shells that negbench can be completed in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.", show_default=False)]) -> None:
    """Print a script that completes commands and options in a shell.

    For bash, add this line to ~/.bashrc: eval "$(negbench completion bash)". For zsh, add the same with zsh to
    ~/.zshrc, after compinit. For fish, write the script to ~/.config/fish/completions/negbench.fish.

    Example: negbench completion bash
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="negbench", complete_var=VARIABLE, shell=shell.value))


def register_shells() -> None:
    """Let typer answer what the scripts ask: the completions of a line."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
