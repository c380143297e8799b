"""Commands that list what a grid can name: methods, parts, schema."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson
from negbench.errors import InputError
from negbench.escaping import for_terminal
from negbench.terminal import show

app = typer.Typer()


@app.command()
def methods(
    name: Annotated[
        str | None, typer.Argument(help="One method, as in a grid: simans, 'simans(a=1)'.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the documentation page as Markdown.")] = False,
) -> None:
    """List the methods that a grid can name, or show one.

    One is shown with its axes, forms and parameters.

    Example: negbench methods simans
    """
    if as_markdown and (as_json or name is not None):
        raise InputError("--markdown: is the page of all methods; leave out --json, and the name of a method")
    if name is not None:
        show(negbench.describe_method(name), as_json)
        return
    listed = negbench.list_methods()
    if as_markdown:
        print(for_terminal(listed.markdown), end="")
    else:
        show(listed, as_json)


@app.command()
def parts(
    wanted: Annotated[
        str | None, typer.Argument(metavar="[KIND|NAME]", help="sampler, filter, loss, ... or a part's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List samplers, filters, losses and the other parts.

    Each is shown with its parameters, their bounds and defaults.

    Example: negbench parts sampler
    """
    show(negbench.list_parts(wanted), as_json)


@app.command()
def schema() -> None:
    """Print the JSON schema of grid files.

    Example: negbench schema > grid.schema.json
    """
    print(json.dumps(negbench.grid_schema(), indent=1))
